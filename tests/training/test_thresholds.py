"""Where cuts are put, on scores that can be followed."""

import pytest
import torch

from supsae.supsae_core.encoders.layout import Layout, Roles, Span
from supsae.supsae_core.reading.places import Places
from supsae.training.thresholds import Scores, best_cut, expected_cut, true_and_false

CUTS = {
    "parted: the middle of the gap": ([3.0, 4.0], [1.0, 2.0], 2.5, 0),
    # 0.5 (2.0 is false) and 2.5 (1.0 is missed)
    "one error either way: the upper one": ([1.0, 3.0], [2.0, 0.0], 2.5, 1),
    "nothing false: just below the lowest": ([5.0], [], 5.0 - 1e-3, 0),
    "nothing true: nothing to go by": ([], [1.0], 0.0, 0),
}


@pytest.mark.parametrize(("true", "false", "cut", "errors"), CUTS.values(), ids=CUTS)
def test_best_cut(true, false, cut, errors):
    assert best_cut(Scores(true, false)) == (pytest.approx(cut), errors)


def test_a_rare_place_is_missed_rather_than_another_taken():
    # 2.5 misses 1.0 and 2.0, for 0.1 each; below them 2.2 would be false, and above 3.0 a third is missed
    assert best_cut(Scores([1.0, 2.0, 3.0], [2.2]), 0.1) == (pytest.approx(2.6), pytest.approx(0.2))


@pytest.mark.parametrize(
    ("true", "cut"),
    # of false scores 0 … 100, 98 is passed by 2 %; a true one of 110 leaves a gap, whose middle is 104; one of 50 none
    [([110.0, 120.0], 104.0), ([50.0, 120.0], 98.0), ([], 0.0)],
)
def test_expected_cut(true, cut):
    assert expected_cut(Scores(true, [float(i) for i in range(101)])) == pytest.approx(cut)


def test_true_and_false_places():
    # words in rows 5 … 8; phrase 0 stands in rows 6 7, so places 0 and 3 are free, and the best of them count as false
    table = torch.tensor([[0.0, 9.0, 1.0, -torch.inf], [4.0, 8.0, 2.0, 3.0], [-torch.inf] * 4])
    layout = Layout((Span(0, (6, 7)),), Roles((), (), (), ()))
    true, false = true_and_false(Places([5, 6, 7, 8], table, table), layout)
    assert true == [9.0] and false.tolist() == [0.0, 4.0, -torch.inf]
