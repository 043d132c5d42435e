"""Shares, differences and matrices from a handful of readings that can be counted by hand."""

import pytest

from supsae.evaluation.cases import make_case
from supsae.evaluation.outcomes import Observed, judge_all
from supsae.evaluation.pictures import figures
from supsae.supsae_core.table import prompts
from supsae.supsae_core.table.parsing import parse_table

TABLE = parse_table("hair: [red, blond]\nhat: [crown, cap]\neyes: [blue, green]")
PROMPT = prompts.Prompt(("red", "crown"), (prompts.Mention(0, 0, 1), prompts.Mention(2, 1, 2)))
BEFORE = {"hair": "red", "hat": "crown", "eyes": "blue"}
SWAP = make_case(TABLE, PROMPT, [(0, 1)], 0)


def look(second=None, artifact=False, let_through=1.0, **changed):
    read = BEFORE | changed
    return Observed(read, read if second is None else read | second, artifact, let_through)


def judge(*after):
    count = len(after)
    return judge_all([SWAP] * count, [look()] * count, after, [look(hair="blond")] * count)


def estimate(cell):
    return cell["estimate"], cell["count"]


# a success, one with the eyes changed, one with the hat unreadable, and a miss
FOUR = judge(look(hair="blond"), look(hair="blond", eyes="green"), look(hair="blond", hat="unreadable"), look())


def test_success_kept_and_both():
    found = figures.figures(TABLE, FOUR)
    assert [estimate(found[name]) for name in ("success", "kept", "both")] == [(0.75, 4), (0.5, 4), (0.25, 4)]
    # eight attributes besides hair, two lost: the hat is said by the prompt, the eyes are left open
    assert estimate(found["attribute_kept"]) == (0.75, 8)
    assert estimate(found["attribute_kept_said"]) == (0.75, 4) and estimate(found["attribute_kept_open"]) == (0.75, 4)
    assert found["by_category"].keys() == {"hair"} and estimate(found["by_category"]["hair"]["both"]) == (0.25, 4)


def test_every_planted_failure_lowers_its_figure():
    good = figures.figures(TABLE, judge(*[look(hair="blond")] * 4))
    assert all(estimate(good[name]) == (1, 4) for name in ("success", "kept", "both"))
    assert estimate(good["artifacts"]) == (0, 4) and "let_through" not in good
    spoilt = judge(look(hair="blond", artifact=True), *[look(hair="blond")] * 3)
    assert estimate(figures.figures(TABLE, spoilt)["artifacts"]) == (0.25, 4)
    blind = judge(look(hair="blond", second={"hair": "unreadable"}), *[look(hair="blond")] * 3)
    assert estimate(figures.figures(TABLE, blind)["second_reader"]["success"]) == (0.75, 4)
    assert estimate(figures.figures(TABLE, blind)["success"]) == (1, 4)


def test_the_share_let_through_is_a_mean():
    found = figures.figures(TABLE, judge(look(hair="blond", let_through=0.1), look(hair="blond", let_through=0.2)))
    assert found["let_through"] == 0.15


def test_differences_are_paired():
    better = judge(look(hair="blond"), look(hair="blond"), look(hair="blond"), look())
    found = figures.compared(better, FOUR)
    # kept 4 of 4 against 2 of 4; both 3 of 4 against 1 of 4; failures 1 for every 3
    assert found["success"]["estimate"] == 0 and found["kept"]["estimate"] == 0.5 and found["both"]["estimate"] == 0.5
    assert found["failures"]["estimate"] == pytest.approx(1 / 3, abs=1e-4)
    assert found["both"]["low"] < 0.5 < found["both"]["high"]


def test_interference_counts_what_else_changed():
    assert figures.interference(FOUR) == {"hair": {"hat": [1, 4], "eyes": [1, 4]}}


def test_agreement_is_over_what_both_can_read():
    # of 6 values one differs, one is read by the first alone: 4 of 5 agree
    found = figures.agreement([look(second={"hair": "blond"}), look(second={"eyes": "unreadable"})])
    assert estimate(found["agree"]) == (0.8, 5)
    assert estimate(found["only_first_reads"]) == (pytest.approx(1 / 6, abs=1e-4), 6)
    assert estimate(found["only_second_reads"]) == (0, 6)


def test_the_largest_row_is_the_first_of_equals():
    rows = {"a": {"both": {"estimate": 0.4}}, "b": {"both": {"estimate": 0.5}}, "c": {"both": {"estimate": 0.5}}}
    assert figures.largest(rows, "both") == "b"
