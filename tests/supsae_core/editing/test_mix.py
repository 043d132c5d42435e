"""The mix: one small JSON text, read strictly, written back as it was read, and the edits that it means."""

import json
from dataclasses import replace

import pytest

from supsae.supsae_core.editing.between import Between
from supsae.supsae_core.editing.edits import Clear, Keep, Turn, Weigh
from supsae.supsae_core.editing.mix import BetweenRow, KeepRow, Mix, SayRow, ScaleRow, edits_of_mix, usable_mix
from supsae.supsae_core.editing.mix_report import MixedPrompt, lost, mix_report
from supsae.supsae_core.editing.mix_text import dump_mix, parse_mix

TEXT = (
    '{"version": 1, "mix": {"hair": {"say": "red", "strength": 0.8}, "hat": {"say": null, "strength": 1.0}, '
    '"eyes": {"keep": true}}}'
)
MIX = Mix({"hair": SayRow("red", 0.8), "hat": SayRow(None), "eyes": KeepRow()})


def test_a_mix_reads_as_its_names_say_and_is_written_back():
    odd = Mix(
        {
            "z: 的": SayRow('a "quoted" name', -2.0, at="golden locks"),
            "a": KeepRow(),
            "b": ScaleRow(0.5),
            "c": ScaleRow(2.0, off=True),
            "d": ScaleRow(1.0, at="a cap"),
            "g": SayRow("b", mention=2),
            "e": BetweenRow(("sad", "happy"), -0.3),
            "f": BetweenRow(("sad", "happy"), 1.5, off=True),
        }
    )  # names that no table needs to have
    assert dump_mix(MIX) == TEXT
    free = replace(MIX, hold=False)
    for text, mix in (
        (TEXT, MIX),
        (dump_mix(odd), odd),
        (dump_mix(free), free),
        (dump_mix(Mix(hold=False)), Mix(hold=False)),
    ):
        assert parse_mix(text) == mix and list(parse_mix(text).rows) == list(mix.rows)


@pytest.mark.parametrize("text", ["", "  \n", "{}", '{"version": 1}', '{"version": 1, "mix": {}}'])
def test_nothing_changes_nothing(text):
    assert parse_mix(text) == Mix({}) and edits_of_mix(parse_mix(text)) == () and dump_mix(parse_mix(text)) == "{}"


def row(text):
    return f'{{"version": 1, "mix": {{"hair": {text}}}}}'


def test_strength_is_1_unless_it_is_written():
    assert parse_mix(row('{"say": "red"}')) == Mix({"hair": SayRow("red", 1.0)})
    assert isinstance(parse_mix(row('{"say": "red", "strength": 1}')).rows["hair"].strength, float)


REFUSED = {
    "no JSON": ("hair: red", r"not readable JSON \(line 1, column 1: .*Write for example \{\"version\": 1"),
    "a list": ("[]", r"must be a JSON object, not \[\]"),
    "too many": (json.dumps({"version": 1, "mix": {f"c{i}": {"keep": True} for i in range(1001)}}), "has 1001 rows"),
    "too deep": ("[" * 100_000, "nested too deeply"),
    "no version": ('{"mix": {}}', "'version' of the mix must be 1, and it is missing"),
    "version as text": ('{"version": "1"}', 'must be 1, not "1"'),
    "version true": ('{"version": true}', "must be 1, not true"),
    "version 0": ('{"version": 0}', "must be 1, not 0"),
    "newer": ('{"version": 2, "mix": {}}', "The mix has version 2; this SupSAE reads up to 1. Update SupSAE"),
    "unknown key": ('{"version": 1, "mixx": {}}', "unknown key 'mixx'. Keys are: hold, mix, version"),
    "hold a text": ('{"version": 1, "hold": "no"}', "'hold' of the mix must be true or false, not \"no\""),
    "mix a list": ('{"version": 1, "mix": []}', r"with a row per category, not \[\]"),
    "twice": ('{"version": 1, "mix": {"hair": {"keep": true}, "hair": {"say": "red"}}}', "'hair' stands twice"),
    "row a text": (row('"red"'), "The row 'hair' of the mix must be .*, not \"red\". Leave the category out"),
    "row's key": (
        row('{"says": "red"}'),
        "unknown key 'says'. Keys are: at, between, from, inside, keep, mention, off, position, ramp, say, scale, "
        "strength, to",
    ),
    "mention 0": (row('{"say": "red", "mention": 0}'), "'mention' of 'hair' must be a number from 1 to 99, beside"),
    "mention true": (row('{"say": "red", "mention": true}'), "beside a concept to say, not true. Or leave it out"),
    "mention of nothing": (row('{"say": null, "mention": 1}'), "beside a concept to say, not 1"),
    "one end": (row('{"between": ["red"], "position": 0}'), "'between' of 'hair' must be the names of two"),
    "the same end twice": (
        row('{"between": ["red", "red"], "position": 0}'),
        "must be the names of two of its concepts",
    ),
    "no ends": (row('{"position": 0.5}'), "'between' of 'hair' must be the names of two of its concepts, not null"),
    "no position": (row('{"between": ["red", "blond"]}'), "must be a number from -1.5 to 1.5, not null. -1 is 'red'"),
    "too far": (row('{"between": ["red", "blond"], "position": 1.6}'), "from -1.5 to 1.5, not 1.6"),
    "between and say": (row('{"between": ["red", "blond"], "position": 0, "say": "red"}'), "and something else"),
    "scale and say": (row('{"scale": 2, "say": "red"}'), "says both to scale what is said and to say something"),
    "scale high": (
        row('{"scale": 3.1}'),
        "The scale of 'hair' must be a number from -2 to 3, not 3.1. 1 changes nothing",
    ),
    "words as a number": (row('{"say": "red", "at": 3}'), "must be words of the prompt, up to 300 characters, not 3"),
    "words without end": (
        row(json.dumps({"say": "red", "at": "a" * 301})),
        "'at' of 'hair' must be words .*, not \"aa",
    ),
    "both": (row('{"keep": true, "say": "red"}'), "says both to keep the category and to change it"),
    "keep false": (row('{"keep": false}'), "'keep' of 'hair' must be true, not false"),
    "off false": (row('{"say": "red", "off": false}'), "'off' of 'hair' must be true, not false"),
    "keep off": (row('{"keep": true, "off": true}'), "says both to keep the category and to change it"),
    "nothing to say": (row('{"strength": 1}'), "has a strength and nothing to say"),
    "say a number": (row('{"say": 3}'), "'say' of 'hair' must be the name of one of its concepts.*not 3"),
    "say blank": (row('{"say": " "}'), "'say' of 'hair' must be the name"),
    "strength as text": (row('{"say": "red", "strength": "1"}'), 'must be a number from -2 to 3, not "1"'),
    "strength true": (row('{"say": "red", "strength": true}'), "must be a number from -2 to 3, not true"),
    "strength high": (row('{"say": "red", "strength": 3.1}'), "must be a number from -2 to 3, not 3.1. 1 is writing"),
    "NaN": (row('{"say": "red", "strength": NaN}'), "NaN is no number that a mix can hold"),
    "version of 5000 digits": ('{"version": ' + "1" * 5000 + "}", "1{20}… is no number that a mix can hold"),
}


@pytest.mark.parametrize(("text", "sentence"), REFUSED.values(), ids=REFUSED)
def test_refusal_is_a_sentence(text, sentence):
    with pytest.raises(ValueError, match=sentence):
        parse_mix(text)


MEANT = {
    "say": (MIX, (Turn("hair: red", 0.8), Clear("hat", 1.0), Keep("eyes"))),
    "strength 0": (Mix({"hair": SayRow("red", 0.0), "hat": SayRow(None, 0.0)}), ()),
    "0 beside another": (Mix({"hair": SayRow("red", 0.0), "hat": SayRow("crown")}), (Turn("hat: crown"),)),
    "scale": (Mix({"hair": ScaleRow(1.5), "eyes": ScaleRow(1.0)}), (Weigh("hair", 1.5),)),
    "the second mention": (Mix({"hair": SayRow("red", mention=2)}), (Turn("hair: red", 1.0, 2),)),
    "between": (
        Mix({"hair": BetweenRow(("blond", "red"), 0.0), "hat": BetweenRow(("cap", "crown"), 1.0, off=True)}),
        (Between("hair: blond", 0.0, "hair: red"),),
    ),
    "kept beside a scale": (Mix({"hair": ScaleRow(0.0), "eyes": KeepRow()}), (Weigh("hair", 0.0), Keep("eyes"))),
    "kept only": (Mix({"eyes": KeepRow()}), ()),  # nothing changes that it could be kept from
    "off": (
        Mix({"hair": SayRow("red", off=True), "eyes": ScaleRow(0.0, off=True), "hat": SayRow("cap")}),
        (Turn("hat: cap"),),
    ),
    "kept beside off": (Mix({"eyes": KeepRow(), "hair": SayRow("red", off=True)}), ()),
    "kept beside 0": (Mix({"eyes": KeepRow(), "hair": SayRow("red", 0.0)}), ()),
}


@pytest.mark.parametrize(("mix", "wanted"), MEANT.values(), ids=MEANT)
def test_edits(mix, wanted):
    assert edits_of_mix(mix) == wanted


UNKNOWN = {
    "concept": ("hair", SayRow("rde", 0.0), "'hair: rde' in this table. Did you mean 'hair: red'"),
    "category": ("horns", SayRow(None), "no category 'horns' in this table. It has: background, hair"),
    "kept category": ("horns", KeepRow(), "no category 'horns'"),
}


@pytest.mark.parametrize(("category", "one", "sentence"), UNKNOWN.values(), ids=UNKNOWN)
def test_rows_of_names_that_the_dictionary_lacks_are_left_out_and_told(learnt, category, one, sentence):
    asked = Mix({"hat": SayRow("crown"), category: one})
    made = usable_mix(learnt.dictionary, asked)
    assert made.mix == Mix({"hat": SayRow("crown")}) and made.asked == asked
    assert list(made.left_out) == [category] and sentence in made.left_out[category]


def test_one_category_has_one_row(learnt):
    made = usable_mix(learnt.dictionary, Mix({"Hair": SayRow("red"), "hair": KeepRow()}))
    assert made.mix == Mix({"Hair": SayRow("red")})
    assert made.left_out == {"hair": "There is another row for the category 'hair': 'Hair'. Keep one."}


def test_known_names_pass_and_what_was_never_captured_is_left_out_where_it_is_to_be_said(learnt):
    assert usable_mix(learnt.dictionary, MIX).mix == MIX
    lengths = learnt.dictionary.parts["t5"].slot_tokens.clone()
    lengths[:2] = 0  # both phrases of the beach
    part = replace(learnt.dictionary.parts["t5"], slot_tokens=lengths)
    blind = replace(learnt.dictionary, parts={**learnt.dictionary.parts, "t5": part})
    assert not usable_mix(blind, Mix({"background": SayRow("beach", 0.0)})).left_out
    told = usable_mix(blind, Mix({"background": SayRow("beach")})).left_out["background"]
    assert "'background: beach' was never written in the captured prompts" in told


def test_more_rows_are_left_out_by_the_edits_they_stand_for(learnt):
    made = usable_mix(learnt.dictionary, MIX).without({Turn("hair: red", 0.8): "no", Clear("eyes"): "not in it"})
    assert list(made.mix.rows) == ["hat", "eyes"] and made.left_out == {"hair": "no"} and made.asked == MIX


def test_report_tells_what_was_said_and_what_held(learnt):
    index = learnt.table.index
    before = (index("hair: blond"), index("eyes: green"), index("eyes: blue"))
    verdicts = {"hair": ("weak", "reads weaker")}
    held = MixedPrompt(
        "part 1, row 1", before, (index("hair: red"), index("eyes: green"), index("eyes: blue")), verdicts
    )
    moved = MixedPrompt("part 2, row 1", before, (index("eyes: blue"), index("eyes: green")))  # in another order
    unread = MixedPrompt("part 3, row 1", before, None)
    asked = usable_mix(learnt.dictionary, Mix({"EYES": KeepRow(), "hair": SayRow("red"), "horns": KeepRow()}))
    made = mix_report(learnt.dictionary, asked, [held, moved, unread], "text")
    assert made["version"] == 1 and made["report"] == "text"
    first, second, third = made["prompts"]
    assert list(first["before"]) == list(learnt.table.categories)
    assert first["before"]["eyes"] == ["green", "blue"] and first["after"]["hair"] == ["red"]
    assert first["before"]["hat"] == [] and first["title"] == "part 1, row 1"
    # the category as the table spells it, however the mix does
    assert [one["held"] for one in (first, second, third)] == [{"eyes": True}, {"eyes": False}, {"eyes": False}]
    assert third["after"] == {} and third["verdicts"] == {}
    assert first["verdicts"] == {"hair": {"verdict": "weak", "reason": "reads weaker"}}
    assert list(made["mix"]) == ["EYES", "hair", "horns"] and list(made["left_out"]) == ["horns"]
    assert json.loads(json.dumps(made)) == made
    assert lost(learnt.dictionary, MIX, [held]) == [] and lost(learnt.dictionary, MIX, [moved, unread]) == ["eyes"]
