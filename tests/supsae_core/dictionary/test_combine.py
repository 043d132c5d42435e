"""Two dictionaries as one: each edits as it did alone, whoever comes first, and what both have is told."""

import json
from dataclasses import replace

import pytest
import torch

from supsae.supsae_core.dictionary import clash, light
from supsae.supsae_core.dictionary.combine import combine
from supsae.supsae_core.dictionary.concept_list import concept_list
from supsae.supsae_core.dictionary.file import load_dictionary, read_header, save_dictionary
from supsae.supsae_core.dictionary.inherited import combined_from
from supsae.supsae_core.dictionary.model import POOLED, Cuts
from supsae.supsae_core.dictionary.shipped import lacking
from supsae.supsae_core.dictionary.slider_map import SliderMap
from supsae.supsae_core.editing import protect
from supsae.supsae_core.editing.apply import apply
from supsae.supsae_core.editing.edits import Add, Keep, Remove, Scale, Swap
from supsae.supsae_core.editing.members import standing_in
from supsae.supsae_core.editing.outcome import TOOK, ChangeOutcome, _stood_in, read_again
from supsae.supsae_core.reading.members import merged
from supsae.supsae_core.reading.prompt_report import report_prompt
from supsae.supsae_core.reading.ranking import score
from supsae.supsae_core.reading.readout import read_conditioning, read_scenes
from supsae.supsae_core.table.concepts import ConceptTable
from supsae.supsae_core.tensor_files import TensorFile, write_tensors

TEXT = "a portrait of a woman with red hair, green eyes, a golden crown, sandy beach, striped shirt"


@pytest.fixture(scope="module")
def people(paired):
    """Hair, eyes and hat, with operators."""
    return paired.dictionary


@pytest.fixture(scope="module")
def whole(people, scenes):
    return combine(people, scenes).dictionary


@pytest.fixture(scope="module")
def given(paired):
    conds, pooled = paired.host.encode([TEXT])
    return conds[0], pooled[0]


def says(dictionary, given):
    reading = read_conditioning(dictionary, given[0])
    return {str(dictionary.table.concepts[one]) for one in reading.concepts(dictionary)}


def called(dictionary, **names):
    """Return a dictionary with some of its concepts called otherwise: ``hair__red="hair: crimson"``."""
    told = {key.replace("__", ": ").replace("_", " "): name.split(": ") for key, name in names.items()}
    concepts = [
        replace(one, category=told[str(one)][0], name=told[str(one)][1]) if str(one) in told else one
        for one in dictionary.table.concepts
    ]
    return replace(dictionary, table=ConceptTable(tuple(concepts)))


def moved_to(dictionary, category, other):
    names = {str(one): f"{other}: {one.name}" for one in dictionary.table.concepts if one.category == category}
    return called(dictionary, **{key.replace(": ", "__").replace(" ", "_"): name for key, name in names.items()})


EDITS = {
    "swap": ([Swap("hair: black")], "people"),
    "half": ([Swap("hat: top hat", 0.5)], "people"),
    "two": ([Swap("hair: blond"), Swap("eyes: brown")], "people"),
    "keep": ([Swap("hair: blue"), Keep("eyes")], "people"),
    "scale": ([Scale("eyes: green", 1.5)], "people"),
    "remove": ([Remove("hat: crown")], "people"),
    "other": ([Swap("background: city")], "scenes"),
    "longer": ([Swap("clothing: dress")], "scenes"),
}


@pytest.mark.parametrize("name", EDITS)
def test_each_edits_as_it_does_alone(name, people, scenes, whole, given):
    edits, own = EDITS[name]
    alone, together = (apply(one, *given, edits) for one in ({"people": people, "scenes": scenes}[own], whole))
    assert torch.equal(alone.cond, together.cond) and torch.equal(alone.pooled, together.pooled)
    assert not torch.equal(alone.cond[: len(given[0])], given[0]) and alone.inserted.keys() == together.inserted.keys()
    verdicts = [[one.verdict for one in read_again(*pair).outcomes] for pair in ((whole, together),)]
    assert verdicts == [[one.verdict for one in read_again({"people": people, "scenes": scenes}[own], alone).outcomes]]


def test_nothing_asked_returns_the_very_same(whole, given):
    made = apply(whole, *given, [Swap("hair: black", 0.0), Swap("background: city", 0.0)])
    assert made.cond is given[0] and made.pooled is given[1]


def test_it_reads_what_both_read(people, scenes, whole, given):
    said, apart = says(whole, given), [says(one, given) for one in (people, scenes)]
    assert said == apart[0] | apart[1] == {
        "hair: red", "eyes: green", "hat: crown", "background: beach", "clothing: stripes"
    }  # fmt: skip
    told = report_prompt(whole, given[0])
    assert not told.unmentioned and all(one.rows < 1 for one in told.unexplained.values())
    assert score(whole, given[0], whole.table.index("hair: red")).said
    black = score(whole, given[0], whole.table.index("hair: black"))
    assert black.score == score(people, given[0], people.table.index("hair: black")).score


def led_by(dictionary, name):
    """Return a dictionary that reads with one of its two encoders: the other one erred more."""
    other = next(one.name for one in dictionary.family.encoders if one.name != name)
    thresholds = dictionary.parts[other].thresholds.clone()
    thresholds[Cuts._fields.index("errors")] = 1e6
    part = replace(dictionary.parts[other], thresholds=thresholds)
    return replace(dictionary, parts={**dictionary.parts, other: part})


def test_one_encoder_leads_all(people, scenes, given):
    apart = led_by(people, "t5"), led_by(scenes, "clip")
    assert [read_conditioning(one, given[0]).lead for one in apart] == ["t5", "clip"]
    assert says(combine(*apart).dictionary, given) == says(people, given) | says(scenes, given)


def test_order_does_not_matter_where_nothing_clashes(people, scenes, whole, given):
    other = combine(scenes, people).dictionary
    edits = [Swap("hair: black"), Swap("background: snow"), Swap("eyes: blue")]
    one, two = (apply(some, *given, edits) for some in (whole, other))
    assert other.table == whole.table
    assert torch.equal(one.cond, two.cond) and torch.equal(one.pooled, two.pooled)
    assert [found.verdict for found in read_again(whole, one).outcomes] == ["took"] * 3


def test_changes_of_both_never_write_on_the_same_rows(whole, scenes, people, given):
    """Longer words of both need pads: each has its own, and both read as asked."""
    made = apply(whole, *given, [Swap("hat: top hat"), Swap("clothing: hoodie"), Swap("background: snow")])
    again = read_again(whole, made)
    assert len(again.outcomes) == 3 and not again.unasked
    assert {one.verdict for one in again.outcomes} == {"took"}


def test_what_the_other_knows_is_kept(whole, scenes, given):
    """The pooled vector does not move along what backgrounds do, whoever changes it."""
    member = next(one for one in whole.members if one.dictionary.table == scenes.table)
    part, plain = member.dictionary.parts[POOLED], apply(whole, *given, [Swap("hair: black")])
    kept = apply(whole, *given, [Swap("hair: black"), Keep("background")])
    members = member.dictionary.table.category("background")
    axes = torch.linalg.qr((protect.basis(part, 0, [members]) @ part.decoder).T)[0].T
    moved = [float(((made.pooled - given[1]) @ axes.T).norm()) for made in (plain, kept)]
    assert moved[1] < 1e-4 * moved[0]
    assert not torch.equal(plain.cond, kept.cond)


def test_the_same_in_both_is_one_concept(people):
    made = combine(people, people)
    assert made.dictionary.table == people.table and len(made.dictionary.members) == 1
    assert made.lines[1].startswith("The same in both (alike by 1.00 and more), so one concept each: hair: blond, ")


CLASHING = {"hair__red": "hair: blue", "hair__blue": "hair: red"}
"""Names exchanged: hair: red then does what blue does."""


@pytest.mark.parametrize(
    ("keep", "told", "writes"),
    [("first", "the first's is kept", "red hair"), ("second", "the second's is kept", "blue hair")],
)
def test_a_clash_is_resolved_by_choice(keep, told, writes, people):
    made = combine(people, called(people, **CLASHING), keep)
    lines = [line for line in made.lines if line.startswith("hair: red does something else in each")]
    assert len(lines) == 1 and lines[0].endswith(f"{told}.")
    concept = made.dictionary.table.index("hair: red")
    owner = made.dictionary.owner(concept)
    own = owner.dictionary.table.phrases[owner.dictionary.phrase(owner.own_concept[concept])]
    assert own.text == writes


def test_of_a_clash_both_can_be_kept(people, given):
    other = called(people, **CLASHING)
    made = combine(people, other, "both").dictionary
    assert {"red", "red (2)", "blue", "blue (2)"} <= {one.name for one in made.table.concepts}
    edits = apply(made, *given, [Swap("hair: red (2)")]), apply(other, *given, [Swap("hair: red")])
    assert torch.equal(edits[0].cond, edits[1].cond)


def test_a_quick_concept_gives_way_to_a_learnt_one(people, scenes):
    quick = moved_to(people, "hat", "other things")
    made = combine(quick, people)
    assert "hair: red is in both: the learnt one is kept, the quick one left out." in made.lines
    assert "other things" not in made.dictionary.table.categories
    assert [one.dictionary.table for one in made.dictionary.members] == [people.table]
    beside = combine(quick, scenes)
    assert [*beside.dictionary.table.categories] == ["hair", "eyes", "background", "clothing"]


def test_values_of_one_category_exclude_one_another(people, scenes, given):
    """Of a category that both have a value of the second takes the place of one of the first's."""
    other = moved_to(scenes, "background", "hair")
    made = combine(people, other)
    assert any(line.startswith("hair is one category now: beach, ") for line in made.lines)
    prompt = given[0], given[1]
    plain = apply(made.dictionary, *prompt, [Swap("eyes: brown")])
    said = [str(made.dictionary.table.concepts[one]) for one in plain.reading.concepts(made.dictionary)]
    assert "hair: red" in said and "hair: beach" in said
    swapped = apply(made.dictionary, *prompt, [Swap("hair: city")])
    rows = [one.rows for one in swapped.reading.found if made.dictionary.table.phrases[one.phrase].text == "red hair"]
    changed = (swapped.cond[: len(given[0])] - given[0]).norm(dim=1)
    assert float(changed[list(rows[0])].min()) > float(changed.median())


def test_words_may_mean_something_in_each(people, given):
    """The same words of two categories are read in both senses, and either can be changed."""
    other = moved_to(people, "hair", "strands")
    made = combine(people, other)
    assert "'red hair' means hair: red in the first and strands: red in the second." in made.lines
    said = says(made.dictionary, given)
    assert "hair: red" in said and "strands: red" in said
    phrases = [one.phrase for one in report_prompt(made.dictionary, given[0]).said]
    assert phrases.count("red hair") == 2
    listed = [one["says"] for shown in concept_list(made.dictionary)["categories"] for one in shown["concepts"]]
    assert listed.count("red hair") == 2
    one, two = apply(made.dictionary, *given, [Swap("strands: black")]), apply(people, *given, [Swap("hair: black")])
    assert torch.equal(one.cond, two.cond)


def test_other_encoders_are_refused_with_both_names(people, scenes):
    family = replace(people.family, name="elsewhere")
    with pytest.raises(ValueError, match="different text encoders: 'portraits' .*hair.* and 'elsewhere' .*background"):
        combine(people, replace(scenes, family=family))
    mark = {site: [-one for one in values] for site, values in scenes.provenance["fingerprint"].items()}
    with pytest.raises(ValueError, match="whose outputs are .* apart"):
        combine(people, replace(scenes, provenance={**scenes.provenance, "fingerprint": mark}))
    with pytest.raises(ValueError, match="no choice 'third'"):
        combine(people, scenes, "third")


def test_more_can_be_added(people, scenes, given):
    third = moved_to(moved_to(moved_to(people, "hair", "a"), "eyes", "b"), "hat", "c")
    made = combine(combine(people, scenes).dictionary, third).dictionary
    assert {*made.table.categories} == {"hair", "eyes", "hat", "a", "b", "c", "background", "clothing"}
    edits = [Swap("background: snow")]
    assert torch.equal(apply(made, *given, edits).cond, apply(scenes, *given, edits).cond)


def test_what_was_measured_travels(people, scenes):
    own = SliderMap(((0.5, 0.3), (1.0, 1.0)), -0.5, 1.5)
    some = replace(people, sliders={"hair: red": own}, report={**people.report, "poorly_learnt": ["hat: crown"]})
    some = replace(some, provenance={**some.provenance, "licence": "CC0"})
    made = combine(some, replace(scenes, slider=((0.5, 0.25), (1.0, 1.0)))).dictionary
    assert made.sliders == {"hair: red": own} and made.report["poorly_learnt"] == ["hat: crown"]
    assert made.report["locate"] == min(one.report["locate"] for one in (people, scenes))
    assert made.provenance["prompts"] == sum(one.provenance["prompts"] for one in (people, scenes))
    assert made.provenance["licence"] == "CC0"
    assert combined_from(made.provenance) == ["hair, eyes, hat", "background, clothing"]
    # strength 0.5 of the slider: the members' own maps, then the concept's: piecewise linear through (0.5, 0.3)
    assert made.strength(0.5, made.table.index("hair: red")) == pytest.approx(0.3)
    assert made.strength(0.5, made.table.index("background: snow")) == pytest.approx(0.25)


def test_a_file_is_the_exact_inverse(whole, given, tmp_path):
    file = tmp_path / "whole.safetensors"
    save_dictionary(whole, file)
    there, header = load_dictionary(file), read_header(file)
    assert there.table == whole.table == header.table and there.provenance == whole.provenance
    assert torch.equal(there.codes, whole.codes) and there.report == whole.report
    edits = [Swap("hair: black"), Swap("background: snow"), Keep("eyes")]
    one, two = (apply(some, *given, edits) for some in (whole, there))
    assert torch.equal(one.cond, two.cond) and torch.equal(one.pooled, two.pooled)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda header: header["members"][0].update(names=["hair: red"]), "does not say what each of"),
        (lambda header: header["members"][0].pop("names"), "does not hold what a dictionary does"),
        (lambda header: header["members"].pop(), "do not make what it says it holds"),
        (lambda header: header.update(table={"a": {"b": ["c"], "d": ["e"]}}), "do not make what it says it holds"),
    ],
)
def test_a_damaged_file_is_refused(change, error, whole, tmp_path):
    file, other = tmp_path / "whole.safetensors", tmp_path / "other.safetensors"
    save_dictionary(whole, file)
    found = TensorFile(file)
    metadata = found.metadata
    header = json.loads(metadata["header"])
    change(header)
    header["identified"] = header["identified"][: len(header["table"])]
    write_tensors(other, found.read(), {**metadata, "header": json.dumps(header)})
    with pytest.raises(ValueError, match=error):
        load_dictionary(other)


def test_its_light_form_is_carried(whole, given, tmp_path):
    file, small = tmp_path / "whole.safetensors", tmp_path / "small.safetensors"
    save_dictionary(whole, file)
    assert light.write_light(file, small) and small.stat().st_size <= light.MOST
    there = load_dictionary(small)
    assert light.is_light(there.provenance) and len(there.members) == 2
    edits = [Swap("hair: black"), Swap("background: snow")]
    one, two = (apply(some, *given, edits) for some in (whole, there))
    assert one.reading.concepts(whole) == two.reading.concepts(there)
    assert one.cond.shape == two.cond.shape and not torch.equal(two.cond, given[0])
    assert [found.verdict for found in read_again(there, two).outcomes] == ["took", "took"]
    alone = apply(there.members[0].dictionary, *given, edits[:1])
    assert torch.equal(alone.cond, apply(there, *given, edits[:1]).cond)


def test_alike_is_told_from_unlike(people):
    """A concept is itself, and not another of its category."""
    red, blue = (clash.does(people, people.table.index(f"hair: {name}")) for name in ("red", "blue"))
    assert float(torch.cosine_similarity(red, red, dim=0)) == pytest.approx(1)
    assert float(torch.cosine_similarity(red, blue, dim=0)) < clash.ALIKE


def test_an_addition_is_the_members(whole, people, paired):
    conds, pooled = paired.host.encode(["a portrait of a woman with red hair, sandy beach"])
    one, two = (apply(some, conds[0], pooled[0], [Add("eyes: blue")]) for some in (people, whole))
    assert torch.equal(one.cond, two.cond) and torch.equal(one.pooled, two.pooled)


@pytest.mark.parametrize("lead", ["clip", "t5"])
def test_who_led_before_leads_when_edited_rows_are_read_again(lead, whole, given):
    """Else rows of one encoder would be held against those of another, and what was changed would count as lost."""
    reading = read_scenes(whole, given[0], led_by=lead)[0]
    assert reading.lead == lead
    again = read_again(whole, apply(whole, *given, [Swap("hair: black")], reading))
    assert again.reading is not None and again.reading.lead == lead
    assert [one.category for one in again.unasked] == []


def test_a_combined_dictionary_is_fit_to_be_given_away_if_its_members_are(people, scenes):
    said = {"solver": {"name": "exact"}, "tool": "supsae", "seed": 0, "fingerprint": {"a": [1.0]}, "prompts": 5}
    ready = [replace(one, provenance={**one.provenance, **said}) for one in (people, scenes)]
    assert lacking(combine(*ready).dictionary) == []
    ready[1] = replace(ready[1], provenance={**ready[1].provenance, "solver": None})
    assert lacking(combine(*ready).dictionary) == ["It does not say which solver fitted it: fit it anew."]


def test_a_value_that_only_another_member_knows_is_said_to_be_stood_in_for(people, scenes, paired):
    """Clothes called hair: to them red hair is none of theirs, and one of them is taken for it."""
    both = combine(people, moved_to(scenes, "clothing", "hair")).dictionary
    (cond,), (pooled,) = paired.host.encode(["a portrait of a woman with red hair, green eyes, sandy beach"])
    for edit, known in ((Swap("hair: dress"), False), (Swap("hair: black"), True), (Swap("background: city"), True)):
        made = apply(both, cond, pooled, [edit])
        instead = standing_in(both, made.reading, made.changes)
        assert [str(both.table.concepts[one]) in CLOTHES for one in instead.values()] == [True] * (not known)
        told = read_again(both, made)._replace(outcomes=tuple(ChangeOutcome(one, TOOK, 1, 1) for one in made.changes))
        reasons = [_stood_in(both, one, instead).reason for one in told.outcomes]
        assert [one.startswith("only another of the combined dictionaries knows hair: red") for one in reasons] == [
            not known
        ]


CLOTHES = {f"hair: {name}" for name in ("suit", "hoodie", "stripes", "dress")}


def another_word(reading, old, new, score):
    """Return a reading that takes a phrase for another one, and is surer of it."""
    layouts = dict(reading.layouts)
    for name, one in layouts.items():
        spans = tuple(span._replace(phrase=new if span.phrase == old else span.phrase) for span in one.spans)
        layouts[name] = one._replace(spans=spans)
    found = [one._replace(phrase=new, score=score) if one.phrase == old else one for one in reading.found]
    return reading._replace(layouts=layouts, found=tuple(found))


@pytest.mark.parametrize("quick", [True, False])
def test_a_quick_concept_that_takes_a_word_for_its_own_does_not_hide_it(quick, people, given):
    """It is surer of "ginger hair", which is not there, than the learnt one is of "red hair"; both are read then."""
    shades = moved_to(moved_to(people, "hair", "shade"), "eyes", "look")
    shades = moved_to(shades, "hat", "other things" if quick else "top")
    both = combine(people, shades).dictionary
    words = {phrase.text: slot for slot, phrase in enumerate(people.table.phrases)}
    readings = []
    for member in both.members:
        reading = read_scenes(member.dictionary, given[0], led_by="t5")[0]
        if "shade" in member.dictionary.table.categories:
            reading = another_word(reading, words["red hair"], words["ginger hair"], 50.0)
        readings.append(reading)
    said = {str(both.table.concepts[one]) for one in merged(both, readings).concepts(both)}
    assert "shade: red" in said and ("hair: red" in said) == quick
