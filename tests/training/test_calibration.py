"""Calibration, step by step on numbers that can be followed."""

from supsae.supsae_core.encoders.layout import Layout, Roles, Span
from supsae.training.calibration import paired_rows


def test_paired_rows():
    # the new phrase has a token less and the pads one more: what has no partner is left out
    one = Layout((Span(0, (1, 2)), Span(1, (4,))), Roles((0,), (5,), (6, 7), (3,)))
    other = Layout((Span(2, (1,)), Span(1, (3,))), Roles((0,), (4,), (5, 6, 7), (2,)))
    assert paired_rows(one, other) == ([1, 4, 0, 5, 6, 7, 3], [1, 3, 0, 4, 5, 6, 2])
