"""Landmarks of the edit operator, laid out for the rows of one change after the other (docs/method.md, 20).

Landmarks of one pair share all but their own row or token, and where a change is held against them, reading numbers
takes longer than multiplying them. So what several share is held once, and what no row changes is worked out once.
Letters as in ``operator_rows.py``; u landmarks differ in what is shared.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from .operator_rows import PRESENCE, Frame, PhraseKernel, PhraseRows, RestKernel, RestRows, same_role


class Distinct(NamedTuple):
    """Rows of which many are the same."""

    rows: Tensor
    """(u, ·)"""
    which: Tensor
    """(m,) which of them each is"""

    @classmethod
    def of(cls, rows: Tensor) -> Distinct:
        """Tell rows (m, ·) apart by their bytes."""
        numbers = rows.contiguous().numpy()
        kind = np.dtype((np.void, max(numbers.shape[1] * numbers.itemsize, 1)))
        _, first, which = np.unique(numbers.view(kind)[:, 0], return_index=True, return_inverse=True)
        return cls(rows[torch.from_numpy(first)], torch.from_numpy(which.reshape(-1)))

    def products(self, x: Tensor) -> Tensor:
        """Return the products (n, m) of other rows (n, ·) with all of them."""
        return (x @ self.rows.T).index_select(1, self.which)


class RestLandmarks(NamedTuple):
    """Landmarks outside a phrase, for a kernel."""

    kernel: RestKernel
    marks: RestRows
    residuals: Distinct
    changes: Distinct
    """(u, P) as the phrases' codes see them, and what presence adds to the products in one more column"""
    places: Tensor
    """(5, m)"""

    @classmethod
    def of(cls, frame: Frame, kernel: RestKernel, marks: RestRows) -> RestLandmarks:
        """Lay landmarks out."""
        presence = rearrange(marks.presence, "m -> m 1")
        changes = Distinct.of(torch.cat([marks.change, PRESENCE**2 * presence], 1))
        seen = torch.cat([changes.rows[:, :-1] @ frame.gram, changes.rows[:, -1:]], 1)
        return cls(kernel, marks, Distinct.of(marks.residuals), changes._replace(rows=seen), kernel.place(marks).T)

    def alike(self, rows: RestRows) -> Tensor:
        """Return (n, m) what ``RestKernel.of`` does, of rows of one change: (1, ·) residuals, change and presence."""
        state = torch.addmm(
            self.residuals.products(rows.residuals) + self.kernel.level, rows.states, self.marks.states.T
        )
        if self.kernel.role:
            state.add_(same_role(rows, self.marks), alpha=self.kernel.role)
        change = torch.cat([rows.change, rearrange(rows.presence, "n -> n 1")], 1)
        return state.mul_(self.kernel.place(rows) @ (self.changes.products(change) * self.places))


class PhraseLandmarks(NamedTuple):
    """Landmarks of the rows that take a new phrase, for a kernel."""

    kernel: PhraseKernel
    around: Distinct
    """(u, 4 q) as ``surroundings`` has them"""
    tokens: Distinct

    @classmethod
    def of(cls, kernel: PhraseKernel, marks: PhraseRows) -> PhraseLandmarks:
        """Lay landmarks out."""
        return cls(kernel, Distinct.of(surroundings(marks)), Distinct.of(marks.tokens))

    def alike(self, rows: PhraseRows) -> Tensor:
        """Return (n, m) what ``PhraseKernel.of`` does, of rows that share all but their tokens."""
        state = self.around.products(surroundings(rows)) + self.kernel.level
        return state * (0.5 + self.tokens.products(rows.tokens))


def surroundings(rows: PhraseRows) -> Tensor:
    """Return (n, 4 q) all but the tokens, so that products of two are what ``PhraseKernel`` makes of them."""
    beside = 0.4**0.5
    return torch.cat([rows.residuals, beside * rows.left, beside * rows.right, 2 * rows.around], 1)
