"""Landmarks that are laid out for one change say what the kernels say of them one by one."""

import pytest
import torch

from supsae.supsae_core.dictionary.landmarks import Distinct, PhraseLandmarks, RestLandmarks
from supsae.supsae_core.dictionary.operator_rows import Frame, PhraseKernel, PhraseRows, RestKernel, RestRows

SEEN, PHRASES = 4, 3


@pytest.fixture
def new():
    """Return `new(*shape)`: random numbers, the same in every test."""
    drawn = torch.Generator().manual_seed(0)
    return lambda *shape: torch.randn(*shape, dtype=torch.float64, generator=drawn)


def test_rows_that_are_the_same_are_held_once(new):
    rows = new(2, SEEN)[[1, 0, 1, 1]]
    found, x = Distinct.of(rows), new(3, SEEN)
    assert len(found.rows) == 2 and torch.equal(found.rows[found.which], rows)
    torch.testing.assert_close(found.products(x), x @ rows.T)
    assert Distinct.of(rows[:0]).products(x).shape == (3, 0)


@pytest.mark.parametrize("role", [0.0, 0.7])
def test_rows_outside_a_phrase(new, role):
    pair = [0, 0, 1, 2, 2]  # of five landmarks, which of three pairs each is of
    kernel, marks = (
        RestKernel(role=role),
        RestRows(
            new(5, SEEN), new(3, SEEN)[pair], new(3, PHRASES)[pair], torch.tensor([0.0, 1.0, -1.0]).double()[pair],
            torch.tensor([1.0, 2.0, 5.0, 1.0, 3.0]).double(), torch.tensor([1.0, -1.0, 1.0, 1.0, -1.0]).double(),
            torch.tensor([0, 1, 1, 2, 0]),
        ),
    )  # fmt: skip
    frame = Frame(new(PHRASES, 2, 6), torch.tensor([2, 1, 2]), new(6), torch.ones(1).double(), new(SEEN, 6))
    rows = RestRows(
        new(2, SEEN), new(1, SEEN), new(1, PHRASES), torch.ones(1).double(), torch.tensor([1.0, 4.0]).double(),
        torch.tensor([1.0, -1.0]).double(), torch.tensor([1, 0]),
    )  # fmt: skip
    found = RestLandmarks.of(frame, kernel, marks)
    assert len(found.residuals.rows) == len(found.changes.rows) == 3
    torch.testing.assert_close(found.alike(rows), kernel.of(frame, rows, marks))


def test_rows_of_a_new_phrase(new):
    pair, token = [0, 0, 1, 1, 1], [0, 1, 0, 1, 0]
    marks = PhraseRows(*(new(2, SEEN)[pair] for _ in range(4)), new(2, SEEN)[token])
    rows = PhraseRows(*(new(1, SEEN) for _ in range(4)), new(3, SEEN))
    kernel, frame = PhraseKernel(0.4), Frame(*(torch.empty(0),) * 5)
    found = PhraseLandmarks.of(kernel, marks)
    assert len(found.around.rows) == len(found.tokens.rows) == 2
    torch.testing.assert_close(found.alike(rows), kernel.of(frame, rows, marks))
