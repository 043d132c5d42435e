"""Cases are what they claim to be, verdicts count what is unreadable, and intervals are the published ones."""

import itertools
import re

import numpy as np
import pytest

from supsae.evaluation import cases
from supsae.evaluation import outcomes as evaluate
from supsae.evaluation.outcomes import judge, paired_interval, score, wilson
from supsae.portraits import captions
from supsae.supsae_core.editing.edits import Add, Remove, Scale, Swap
from supsae.supsae_core.table import prompts
from supsae.supsae_core.table.parsing import parse_table

TABLE = captions.table()
HELD_OUT = prompts.hold_out_pairs(TABLE, 0.1, seed=0)
COUNT = 40


def draw(edit, seed=1, table=TABLE, count=COUNT, **options):
    return cases.draw_cases(edit, table, count, np.random.default_rng(seed), wording=captions.WORDING, **options)


def support(prompt):
    return set(prompt.support(TABLE))


def index(case, name):
    return set() if name is None else {TABLE.index(f"{case.category}: {name}")}


# --- cases -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("edit", cases.CANDIDATES, ids=lambda edit: edit.__name__)
def test_rewrite_says_what_the_edit_asks_for(edit):
    for case in draw(edit):
        assert type(case.edit) is edit
        assert support(case.rewrite) == support(case.prompt) - index(case, case.old) | index(case, case.wanted)
        assert case.edit.concept == f"{case.category}: {case.wanted or case.old}"
        assert (case.old is None, case.wanted is None) == (edit is Add, edit is Remove)


def test_only_the_phrase_is_rewritten():
    for case in draw(Swap):
        old = next(m for m in case.prompt.mentions if {TABLE.phrases[m.phrase].concept} == index(case, case.old))
        behind = len(case.prompt.words) - old.stop
        assert case.rewrite.words[: old.start] == case.prompt.words[: old.start]
        assert case.rewrite.words[len(case.rewrite.words) - behind :] == case.prompt.words[old.stop :]


def test_unseen_swaps_make_a_held_out_pair_with_the_new_value():
    assert HELD_OUT
    for case in draw(Swap, held_out=HELD_OUT, pairs="unseen"):
        (new,) = index(case, case.wanted)
        assert not prompts.has_pair(support(case.prompt), HELD_OUT)
        assert any(frozenset((new, other)) in HELD_OUT for other in support(case.rewrite) - {new})


@pytest.mark.parametrize("edit", [Swap, Add], ids=lambda edit: edit.__name__)
def test_seen_cases_make_no_held_out_pair(edit):
    for case in draw(edit, held_out=HELD_OUT, pairs="seen"):
        assert not prompts.has_pair(support(case.prompt) | support(case.rewrite) - support(case.prompt), HELD_OUT)
        assert not prompts.has_pair(support(case.rewrite), HELD_OUT)


def test_cases_fit_one_chunk():
    length = lambda prompt: sum(len(re.findall(r"\w+|[^\w\s]", word)) for word in prompt.words)  # noqa: E731
    drawn = draw(Swap, mention=1.0, longest=30)
    assert max(length(one) for case in drawn for one in (case.prompt, case.rewrite)) <= 30
    assert max(length(case.prompt) for case in draw(Swap, mention=1.0)) > 30  # the limit is what did it


def test_cases_stay_apart_from_what_was_fitted_on():
    table = parse_table("a: [x, y]\nb: [u, v]")
    plain = {"table": table, "count": 5, "mention": 1.0}
    seen = {text for case in draw(Swap, seed=3, **plain) for text in (case.prompt.text, case.rewrite.text)}
    again = draw(Swap, seed=3, apart_from=seen, **plain)
    assert seen and not seen & {text for case in again for text in (case.prompt.text, case.rewrite.text)}


def test_one_seed_gives_one_list():
    assert draw(Swap) == draw(Swap) != draw(Swap, seed=2)
    assert len({case.seed for case in draw(Swap)}) == COUNT  # a collision among 40 of 2³¹ has odds of one in 3 million


def test_impossible_cases_are_refused():
    with pytest.raises(ValueError, match="No 'swap' with unseen pairs can be drawn with 0 pairs held out"):
        draw(Swap, pairs="unseen", table=parse_table("a: [x, y]\nb: [u, v]"))
    with pytest.raises(ValueError, match="no kind of pairs 'new'. Kinds are: unseen, seen, any"):
        draw(Swap, pairs="new")
    assert Scale not in cases.CANDIDATES  # a scaled concept has no rewrite to be held against


# --- verdicts --------------------------------------------------------------------------------------------------------

BEFORE = {"hair": "black", "hat": "none", "eyes": "blue"}
VERDICTS = {
    # (after the edit of hair to red) → success, kept hat, kept eyes
    "as asked": ({"hair": "red", "hat": "none", "eyes": "blue"}, True, True, True),
    "left as it was": ({"hair": "black", "hat": "none", "eyes": "blue"}, False, True, True),
    "blended": ({"hair": "unreadable", "hat": "none", "eyes": "blue"}, False, True, True),
    "another moved": ({"hair": "red", "hat": "crown", "eyes": "blue"}, True, False, True),
    "another blurred": ({"hair": "red", "hat": "none", "eyes": "unreadable"}, True, True, False),
}


@pytest.mark.parametrize(("after", "success", "hat", "eyes"), VERDICTS.values(), ids=VERDICTS)
def test_verdict(after, success, hat, eyes):
    outcome = judge(BEFORE, after, {"hair": "red"})
    assert outcome == (success, {"hat": hat, "eyes": eyes})
    assert (outcome.all_kept, outcome.both) == (hat and eyes, success and hat and eyes)


def test_unreadable_twice_is_neither_success_nor_kept():
    blurred = dict.fromkeys(BEFORE, "unreadable")
    assert judge(blurred, blurred, {"hair": "unreadable"}) == (False, {"hat": False, "eyes": False})


def test_removal_is_held_against_the_deleted_words():
    # The category is free after a removal: whatever the picture of the shortened prompt shows is what is wanted.
    case = draw(Remove, count=1)[0]
    before = dict.fromkeys(TABLE.categories, "x")
    shortened, other = before | {case.category: "y"}, before | {case.category: "z"}
    found = evaluate.judge_all([case] * 2, [before] * 2, [shortened, other], [shortened] * 2)
    assert [one.success for one in found] == [True, False]


def test_score_counts_attributes_where_another_is_edited():
    outcomes = [
        judge(BEFORE, BEFORE | {"hair": "red"}, {"hair": "red"}),
        judge(BEFORE, BEFORE | {"hair": "red", "eyes": "green"}, {"hair": "red"}),
        judge(BEFORE, BEFORE | {"hat": "none"}, {"hat": "crown"}),
    ]
    found = score(outcomes)
    # By hand: 2 of 3 succeed, 2 of 3 keep all, only the first does both.
    assert [one.estimate for one in (found.success, found.kept, found.both)] == pytest.approx([2 / 3, 2 / 3, 1 / 3])
    # hat is judged in the two hair edits and kept in both; eyes in all three and kept in two; hair in the last.
    assert {name: (one.estimate, one.count) for name, one in found.attributes.items()} == {
        "hat": (1, 2), "eyes": (pytest.approx(2 / 3), 3), "hair": (1, 1),
    }  # fmt: skip


# --- intervals -------------------------------------------------------------------------------------------------------

Z2 = 1.959964**2


def test_wilson_at_the_ends():
    # With no success the bounds are 0 and z² / (n + z²); all successes mirror them.
    assert wilson(0, 10)[:3] == pytest.approx((0, 0, Z2 / (10 + Z2)))
    assert wilson(10, 10)[:3] == pytest.approx((1, 10 / (10 + Z2), 1))
    assert wilson(0, 0)[1:] == (0, 1, 0)


def test_wilson_in_the_middle_is_symmetric():
    # p = ½: half-width = z √(1/4n + z²/4n²) / (1 + z²/n) = (z / 2) / √(n + z²).
    half = Z2**0.5 / 2 / (10 + Z2) ** 0.5
    assert wilson(5, 10)[:3] == pytest.approx((0.5, 0.5 - half, 0.5 + half))


def answers(both, first, second, neither):
    pairs = [(True, True)] * both + [(True, False)] * first + [(False, True)] * second + [(False, False)] * neither
    return [one for one, _ in pairs], [other for _, other in pairs]


def test_paired_interval_of_full_agreement():
    # All succeed twice: φ is 0 (a margin is empty), so both reaches are those of Wilson's 10 of 10, z² / (10 + z²).
    reach = Z2 / (10 + Z2)
    assert paired_interval(*answers(10, 0, 0, 0))[:3] == pytest.approx((0, -reach, reach))


def test_paired_interval_narrows_with_correlation():
    # 5 both, 5 neither: φ = (25 − 10/2) / √5⁴ = 0.8, both Wilson reaches w, so each side is w √(2 − 1.6).
    w = Z2**0.5 / 2 / (10 + Z2) ** 0.5
    assert paired_interval(*answers(5, 0, 0, 5))[:3] == pytest.approx((0, -w * 0.4**0.5, w * 0.4**0.5))


def test_paired_interval_is_antisymmetric_and_holds_the_difference():
    for counts in itertools.product((0, 1, 4), repeat=4):
        if sum(counts):
            one, other = answers(*counts)
            there, back = paired_interval(one, other), paired_interval(other, one)
            assert there.low <= there.estimate <= there.high
            assert there.low >= -1 and there.high <= 1
            assert (back.low, back.high) == pytest.approx((-there.high, -there.low), abs=1e-12)


def test_total_variation():
    # a: ½ x, ½ y; b: ¼ x, ¾ z. Half of |½ − ¼| + |½ − 0| + |0 − ¾| is ¾.
    assert evaluate.total_variation(["x", "y"], ["x", "z", "z", "z"]) == pytest.approx(0.75)
    assert evaluate.total_variation(["x", "y"], ["y", "x"]) == 0
