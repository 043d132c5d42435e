"""Outcomes count what is unreadable against an edit, and hold removals against the words deleted."""

import pytest

from supsae.evaluation.cases import make_case
from supsae.evaluation.outcomes import Observed, judge, judge_all, shares, total_variation
from supsae.supsae_core.table import prompts
from supsae.supsae_core.table.parsing import parse_table

TABLE = parse_table("hair: [black, red, blond]\nhat: [none, crown]\neyes: [blue, green]")
PROMPT = prompts.Prompt(("black",), (prompts.Mention(0, 0, 1),))
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


def test_a_removal_wants_what_the_words_deleted_show():
    # The category is free after a removal: whatever the picture of the shortened prompt shows is what is wanted.
    case = make_case(TABLE, PROMPT, [(0, None)], 0)
    black, *others = (Observed(*[BEFORE | {"hair": value}] * 2, False, 1.0) for value in ("black", "red", "blond"))
    found = judge_all([case] * 2, [black] * 2, others, [others[0]] * 2)
    assert [(one.outcome.success, one.second.success) for one in found] == [(True, True), (False, False)]
    assert found[0].case is case and found[0].look is others[0]


def test_shares_by_hand():
    # 2 of 3 succeed, 2 of 3 keep all, only the first does both.
    after = (
        ({"hair": "red"}, {"hair": "red"}),
        ({"hair": "red", "eyes": "green"}, {"hair": "red"}),
        ({}, {"hat": "crown"}),
    )
    found = shares([judge(BEFORE, BEFORE | changed, wanted) for changed, wanted in after])
    assert [one.estimate for one in found.values()] == pytest.approx([2 / 3, 2 / 3, 1 / 3])


def test_total_variation():
    # a: ½ x, ½ y; b: ¼ x, ¾ z. Half of |½ − ¼| + |½ − 0| + |0 − ¾| is ¾.
    assert total_variation(["x", "y"], ["x", "z", "z", "z"]) == pytest.approx(0.75)
    assert total_variation(["x", "y"], ["y", "x"]) == 0
