"""Rows that are kept in few directions while they change are what full rows would be."""

import pytest
import torch

from supsae.supsae_core.dictionary.operator import Operator
from supsae.supsae_core.dictionary.operator_rows import Frame, Spot

OWN = range(1, 7)
"""Of eight rows: one of another encoder stands before them, one behind."""
SPAN = Spot((3, 4), 3, torch.tensor([1, 2, 5]), *(torch.ones(3),) * 2, torch.zeros(3), (1, 2))


@pytest.fixture
def moving():
    """Return `moving()`: an operator of three directions among eight columns, and rows that it may move."""
    drawn = torch.Generator().manual_seed(0)

    def new(*shape):
        return torch.randn(*shape, dtype=torch.float64, generator=drawn)

    inputs, outputs = (torch.linalg.qr(new(8, count))[0].T for count in (5, 3))
    frame = Frame(new(3, 2, 8), torch.tensor([2, 1, 2]), new(8), torch.tensor([1.5], dtype=torch.float64), inputs)
    operator, x = Operator(frame, outputs, None, None), new(8, 8)
    return lambda: (operator, x, operator.moving(x, OWN))


def step(x, rows):
    made = torch.zeros_like(x)
    rows.step(made)
    return made


def test_rows_that_nothing_moved_have_no_step_and_are_seen_as_they_are(moving):
    operator, x, rows = moving()
    assert not step(x, rows).any()
    torch.testing.assert_close(rows.pick([2, 6]).seen, operator.frame.seen(x[[2, 6]]))


def test_a_move_is_seen_where_it_leads(moving):
    operator, x, rows = moving()
    by = torch.ones(2, 3, dtype=torch.float64)
    rows.move(torch.tensor([2, 5]), by, 0.5)
    wanted = x.clone()
    wanted[[2, 5]] += 0.5 * by @ operator.outputs
    torch.testing.assert_close(step(x, rows), wanted - x)
    torch.testing.assert_close(rows.pick([2, 5]).seen, operator.frame.seen(wanted[[2, 5]]))


@pytest.mark.parametrize("alpha", [1.0, 0.3])
def test_a_phrase_is_written_over_rows_that_had_moved(moving, alpha):
    operator, x, rows = moving()
    rows.move(torch.tensor([3, 4]), torch.ones(2, 3, dtype=torch.float64), 1.0)
    moved = x[3:5] + operator.outputs.sum(0)
    off = (moved - operator.frame.phrase_means[0]).mean(0)  # by which the old phrase's rows are off its mean tokens
    rows.write([3, 4], rows.tokens(2).plus(rows.residual(SPAN, 0), 0.5), alpha)
    wanted = moved + alpha * (operator.frame.phrase_means[2] + 0.5 * off - moved)
    torch.testing.assert_close(step(x, rows)[3:5], wanted - x[3:5])
    torch.testing.assert_close(rows.pick([3, 4]).seen, operator.frame.seen(wanted))


def test_the_mean_of_rows_is_theirs_once_some_have_moved(moving):
    operator, x, rows = moving()
    found = rows.mean_moved([5, 6], torch.tensor([6]), torch.ones(1, 3, dtype=torch.float64))
    wanted = (x[5] + x[6] + operator.outputs.sum(0)) / 2
    torch.testing.assert_close(found.x[0] + found.c[0] @ operator.outputs, wanted)
    torch.testing.assert_close(found.seen[0], operator.frame.seen(wanted))
    assert not step(x, rows).any()  # nothing has moved yet


def test_nothing_is_off_where_no_phrase_stood(moving):
    _, _, rows = moving()
    for spot, old in ((SPAN, None), (SPAN._replace(span=()), 0)):
        assert not any(bool(one.any()) for one in rows.residual(spot, old))


def test_the_rows_beside_the_encoders_own_are_seen_and_stay(moving):
    operator, x, rows = moving()
    first, last = SPAN._replace(span=(1,), first=1), SPAN._replace(span=(6,), first=6)
    (left,), (right,) = (rows.phrase_rows(one, rows.residual(one, 1), 2)[at] for one, at in ((first, 1), (last, 2)))
    torch.testing.assert_close(torch.stack([left, right]), operator.frame.seen(x[[0, 7]]))
    rows.move(torch.tensor([1, 6]), torch.ones(2, 3, dtype=torch.float64), 1.0)
    assert not step(x, rows)[[0, 7]].any()
