"""Calibration, step by step on numbers that can be followed."""

import pytest
import torch

from supsae.supsae_core.encoders.layout import Layout, Roles, Span
from supsae.supsae_core.reading.places import Places
from supsae.training.calibration import best_threshold, paired_rows, true_and_false

CUTS = {
    "parted: the middle of the gap": ([3.0, 4.0], [1.0, 2.0], 2.5),
    # 0.5 (2.0 is false) and 2.5 (1.0 is missed)
    "one error either way: the upper one": ([1.0, 3.0], [2.0, 0.0], 2.5),
    "nothing false: just below the lowest": ([5.0], [], 5.0 - 1e-3),
    "nothing true: nothing to go by": ([], [1.0], 0.0),
}


@pytest.mark.parametrize(("true", "false", "cut"), CUTS.values(), ids=CUTS)
def test_best_threshold(true, false, cut):
    assert best_threshold(true, false) == pytest.approx(cut)


def test_true_and_false_places():
    # words in rows 5 … 8; phrase 0 stands in rows 6 7, so places 0 and 3 are free, and the best of them count as false
    table = torch.tensor([[0.0, 9.0, 1.0, -torch.inf], [4.0, 8.0, 2.0, 3.0], [-torch.inf] * 4])
    layout = Layout((Span(0, (6, 7)),), Roles((), (), (), ()))
    assert true_and_false(Places([5, 6, 7, 8], table), layout) == ([9.0], [0.0, 4.0])


def test_paired_rows():
    # the new phrase has a token less and the pads one more: what has no partner is left out
    one = Layout((Span(0, (1, 2)), Span(1, (4,))), Roles((0,), (5,), (6, 7), (3,)))
    other = Layout((Span(2, (1,)), Span(1, (3,))), Roles((0,), (4,), (5, 6, 7), (2,)))
    assert paired_rows(one, other) == ([1, 4, 0, 5, 6, 7, 3], [1, 3, 0, 4, 5, 6, 2])
