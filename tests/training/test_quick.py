"""Two poles at once: what they become, what is refused, and that the dictionary does what one with a table does."""

from itertools import pairwise

import pytest

from supsae.hosts.embedded import PortraitsText
from supsae.portraits import captions
from supsae.supsae_core.capture.statistics import fold_of
from supsae.supsae_core.editing.apply import apply
from supsae.supsae_core.editing.edits import Swap
from supsae.training import quick
from supsae.training.operators.fit import TEST


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [
        ("a young woman", "an old woman", {"young or old": ["young woman", "old woman"]}),
        ("The  calm sea.", "a rough sea", {"calm or rough": ["calm sea", "rough sea"]}),
        ("rain", "bright sunshine", {"rain or bright sunshine": ["rain", "bright sunshine"]}),
        ("a woman", "an old woman", {"not or old": ["woman", "old woman"]}),
        ("a", "b", {"a or b": ["a", "b"]}),  # an article alone is a word
    ],
)
def test_poles_are_a_category_named_after_what_differs(low, high, wanted):
    table = quick.quick_table(low, high).to_json()
    assert {name: list(some) for name, some in table.items()} == wanted
    assert all(phrases == [name] for some in table.values() for name, phrases in some.items())


REFUSED = {
    "no low pole": ((" ", "an old woman"), "The low pole ' ' says nothing"),
    "no high pole": (("a young woman", ""), "The high pole '' says nothing"),
    "equal": (("a Young woman", "the young woman,"), "Both poles say 'Young woman'. Write two that differ"),
    "two places": (
        ("a young woman in red", "an old woman in blue"),
        "more than one place, 'young' to 'old' and 'red' to 'blue'",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_poles_get_a_sentence(name):
    poles, sentence = REFUSED[name]
    with pytest.raises(ValueError, match=sentence):
        quick.quick_table(*poles)


@pytest.fixture(scope="module")
def host():
    return PortraitsText()


def table_of(low, high):
    return quick.with_others(quick.quick_table(low, high), captions.WORDING)


def test_other_things_stand_beside_the_poles_in_words_of_their_own():
    table = table_of("red hair", "blue hair")
    assert list(table.categories) == ["red or blue", quick.OTHERS]
    others = table.category(quick.OTHERS)
    assert len(others) == quick.THINGS and {table.concepts[one].name for one in others} <= set(captions.WORDING.others)
    words = {word for one in others for word in table.concepts[one].name.split()}
    assert words.isdisjoint({"red", "blue", "hair"})


@pytest.mark.parametrize("pairs", [quick.FEWEST, 16])
def test_a_plan_has_as_many_pairs_and_some_to_judge_by(host, pairs):
    table = table_of("red hair", "blue hair")
    plan = quick.plan_quick(table, host, pairs, captions.WORDING)
    sets = [entry.set for entry in plan.entries]
    assert [sets.count(name) for name in ("fit", "calibration", "rewrite")] == [2 * pairs, 8, 8]
    both = [pair for pair in pairwise(plan.entries) if pair[1].of == pair[0].prompt.text]
    poles = {0, 1}
    changed = [pair for pair in both if ({*pair[0].prompt.support(table)} ^ {*pair[1].prompt.support(table)}) & poles]
    assert len(both) == pairs and len(changed) == 3 * pairs // 4
    swapped = [pair for pair in changed if all(poles & {*one.prompt.support(table)} for one in pair)]
    assert any(fold_of(other.of) == TEST for _, other in swapped)
    known = [entry.prompt.support(table) for entry in plan.entries if entry.set == "rewrite"]
    assert all(poles & {*one} for one in known)


@pytest.mark.parametrize("pairs", [7, 257])
def test_pairs_out_of_bounds_are_refused(host, pairs):
    with pytest.raises(ValueError, match=f"from 8 to 256 pairs of prompts, not {pairs}"):
        quick.plan_quick(quick.quick_table("red hair", "blue hair"), host, pairs)


@pytest.mark.slow
def test_poles_are_learnt_found_and_edited(host):
    plan = quick.plan_quick(table_of("blond hair", "red hair"), host, 16, captions.WORDING)
    told = []
    dictionary = quick.learn_quick(plan, host, progress=lambda *at: told.append(at))
    assert told[-1] == (96, 96) and told == sorted(told)  # 32 + 16 prompts, and the fit for as much again
    texts = [f"a portrait of a person with {colour} hair, green eyes" for colour in ("blond", "red")]
    (before, after), pooled = host.encode(texts)
    made = apply(dictionary, before, pooled[0], [Swap("blond or red: red hair")])
    off, whole = ((one - after).square().sum() for one in (made.cond, before))
    assert off < 0.5 * whole  # a mean over all hues would leave at least half
