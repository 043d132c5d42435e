"""Rows that an operator changes, change after change (docs/method.md, 20).

Its changes lie in few directions, and it sees the rows in few. So rows are kept as x + c · outputs, and what is seen of
them moves with c: rows of full width are read once, before the first change, and written once, after the last.
Letters as in ``operator.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor

from .operator_rows import Frame, PhraseRows, RestRows, Spot


class UpdatedRows(NamedTuple):
    """Rows x + c · outputs."""

    x: Tensor
    """(n, d)"""
    c: Tensor
    """(n, p)"""
    seen: Tensor
    """(n, q) as the operator sees them"""

    def plus(self, other: UpdatedRows, times: float) -> UpdatedRows:
        """Return the sum with a multiple of other rows (n or 1, ·), which are a difference."""
        return UpdatedRows(*(own + times * more for own, more in zip(self, other, strict=True)))

    def moved(self, c: Tensor, turned: Tensor) -> UpdatedRows:
        """Return the rows moved by c (n, p); ``turned`` as of ``MovingRows``."""
        return UpdatedRows(self.x, self.c + c, self.seen + c @ turned)

    def first(self, count: int) -> UpdatedRows:
        """Return the first so many rows."""
        return UpdatedRows(*(one[:count] for one in self))

    def mean(self) -> UpdatedRows:
        """Return the mean (1, ·) of the rows."""
        return UpdatedRows(*(one.mean(0, keepdim=True) for one in self))


class MovingRows:
    """The rows of one text, and the state of those that an encoder wrote. Built per call and dropped."""

    def __init__(self, frame: Frame, outputs: Tensor, turned: Tensor, x: Tensor, own: range) -> None:
        """Begin with rows as they are.

        Args:
            frame: what they are measured in.
            outputs: (p, d) the directions that changes are written in.
            turned: (p, q) the same as the operator sees them.
            x: (L, d)
            own: those that may change; the operator sees them and the one beside them on either side.
        """
        self.frame, self.outputs, self.turned, self._began, self._own = frame, outputs, turned, x, own
        self._first, self._last = max(own.start - 1, 0), min(own.stop, len(x) - 1)
        near = x[self._first : self._last + 1]
        self._c, self._seen_then = x.new_zeros(len(near), len(outputs)), frame.seen(near)
        self._unseen = list[tuple[Tensor, Tensor, float]]()  # what moved since, until somebody looks
        self._x = dict[int, Tensor]()  # of rows that are not x + c · outputs as they began

    def pick(self, rows: Sequence[int]) -> UpdatedRows:
        """Return some of the rows."""
        x, index = self._began[list(rows)], self._at(rows)
        for place, row in enumerate(rows):
            if row in self._x:
                x[place] = self._x[row]
        return UpdatedRows(x, self._c[index], self._seen[index])

    def rest_rows(self, spot: Spot, residual: UpdatedRows, change: Tensor, presence: float) -> RestRows:
        """Describe the rows outside a change; arguments as of ``Operator.rest_step``."""
        return RestRows(
            self._seen[spot.rows - self._first],
            residual.seen,
            rearrange(change, "p -> 1 p"),
            change.new_tensor([presence]),
            *(spot.distance, spot.side, spot.roles),
        )

    def phrase_rows(self, spot: Spot, residual: UpdatedRows, new: int) -> PhraseRows:
        """Describe the rows that a new phrase takes; arguments as of ``Operator.rest_step``."""
        behind = (spot.span[-1] if spot.span else spot.first - 1) + 1
        left, right = self._seen[self._at([max(spot.first - 1, self._first), min(behind, self._last)])].split(1)
        words = self._at(spot.words)
        around = self._seen[words].mean(0, keepdim=True) if len(words) else torch.zeros_like(left)
        return PhraseRows(residual.seen, left, right, around, self.tokens(new).seen)

    def tokens(self, phrase: int) -> UpdatedRows:
        """Return the mean tokens (T, ·) of a phrase."""
        count = int(self.frame.phrase_tokens[phrase])
        means, seen = (one[phrase, :count] for one in (self.frame.phrase_means, self.frame.seen_tokens))
        return UpdatedRows(means, means.new_zeros(count, len(self.outputs)), seen)

    def residual(self, spot: Spot, old: int | None) -> UpdatedRows:
        """Return by how much the rows of the old phrase are off its mean tokens, on average (1, ·); 0 if none is."""
        if old is None or not spot.span:
            return UpdatedRows(*(torch.zeros_like(one[:1]) for one in (self._began, self._c, self._seen)))
        tokens = self.tokens(old)
        return self.pick(spot.span[: len(tokens.x)]).plus(tokens.first(len(spot.span)), -1).mean()

    def mean_moved(self, rows: Sequence[int], moved: Tensor, c: Tensor) -> UpdatedRows:
        """Return the mean (1, ·) of rows once some, ``moved``, have moved by c (n, p)."""
        counts = torch.isin(moved, torch.tensor(rows)).to(c) / len(rows)
        return self._mean(rows).moved(rearrange(counts @ c, "p -> 1 p"), self.turned)

    def move(self, rows: Tensor, c: Tensor, alpha: float) -> None:
        """Add α c (n, p) to rows (n,)."""
        index = rows - self._first
        self._c.index_add_(0, index, c, alpha=alpha)
        self._unseen.append((index, c, alpha))

    def write(self, rows: Sequence[int], wanted: UpdatedRows, alpha: float) -> None:
        """Move rows by α of the way to what is wanted (n or 1, ·)."""
        index = self._at(rows)
        x, self._c[index], self._seen[index] = (
            torch.lerp(held, want.expand_as(held), alpha) for held, want in zip(self.pick(rows), wanted, strict=True)
        )
        self._x |= dict(zip(rows, x, strict=True))

    def step(self, into: Tensor) -> None:
        """Write what was added to the encoder's own rows into a step (L, d)."""
        own = self._own
        torch.mm(self._moved, self.outputs, out=into[own.start : own.stop])
        for row, x in self._x.items():
            into[row] += x - self._began[row]

    def codes(self, written: Tensor) -> Tensor:
        """Return what was added to the codes (own rows, r) of rows that nothing was written on.

        Args:
            written: (p, r) codes of the directions that changes are written in.
        """
        return self._moved @ written

    @property
    def _seen(self) -> Tensor:
        """(near rows, q) as the operator sees them now."""
        for index, c, alpha in self._unseen:
            self._seen_then.index_add_(0, index, c @ self.turned, alpha=alpha)
        self._unseen.clear()
        return self._seen_then

    @property
    def replaced(self) -> tuple[int, ...]:
        """The rows that something was written on."""
        return tuple(self._x)

    @property
    def _moved(self) -> Tensor:
        return self._c[self._own.start - self._first :][: len(self._own)]

    def _mean(self, rows: Sequence[int]) -> UpdatedRows:
        """Return the mean (1, ·) of rows, of which there may be many: none is copied."""
        first, last = min(rows), max(rows) + 1
        shares = self._began.new_zeros(1, last - first)
        shares[0, self._at(rows) + self._first - first] = 1 / len(rows)
        x = shares @ self._began[first:last]
        for row in self._x.keys() & {*rows}:
            x += (self._x[row] - self._began[row]) / len(rows)
        near = slice(first - self._first, last - self._first)
        return UpdatedRows(x, shares @ self._c[near], shares @ self._seen[near])

    def _at(self, rows: Sequence[int]) -> Tensor:
        return torch.tensor(rows, dtype=torch.int64) - self._first
