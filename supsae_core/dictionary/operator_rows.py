"""How the edit operator sees rows: the place of a change, the frame they are measured in, and how alike two are.

docs/method.md, 20. Letters: P phrases, T tokens, d columns, q directions that rows are seen in, n rows, m landmarks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor

from ..encoders.base import Encoder, Family
from ..encoders.layout import Layout

FAR = 8.0
"""Rows over which the wide part of a change's reach falls to a third; the narrow part is fitted."""
PRESENCE = 1.5
"""What adding a phrase has, and removing one the negative of, beside its codes: that something is said at all."""


class Spot(NamedTuple):
    """Where a change is made in the rows of one encoder, and who hears it."""

    span: tuple[int, ...]
    """rows of the old phrase; none if a phrase is added"""
    first: int
    """the first of them, or the row before which a phrase is added"""
    rows: Tensor
    """(n,) the other rows that hear it"""
    distance: Tensor
    """(n,) rows from the span's nearer end, from 1"""
    side: Tensor
    """(n,) −1 before the span, 1 behind it"""
    roles: Tensor
    """(n,) 0 for a row of a phrase, else 1 + the number of its role"""
    words: tuple[int, ...]
    """rows of words outside the span"""

    def only(self, index: Tensor) -> Spot:
        """Return the place with some of the other rows."""
        found = {name: getattr(self, name)[index] for name in ("rows", "distance", "side", "roles")}
        return self._replace(**found)


def spot_of(family: Family, encoder: Encoder, own: range, layout: Layout, span: Sequence[int], first: int) -> Spot:
    """Describe the place of a change.

    Args:
        family: of the encoder.
        encoder: whose rows they are.
        own: all its rows.
        layout: who stands where; rows that it does not name are left out.
        span: rows of the old phrase, or none.
        first: the first of them, or the row before which a phrase is added.
    """
    roles: dict[int, int] = {}
    for number, name in enumerate(family.roles):
        roles |= dict.fromkeys(getattr(layout.roles, name), 1 + number)
    for other in layout.spans:
        roles |= dict.fromkeys(other.rows, 0)
    inside, last = set(span), span[-1] if span else first - 1
    rows = torch.tensor(sorted(row for row in roles if row in own and row not in inside), dtype=torch.int64)
    rows = rows[encoder.layout.hears(own, rows, last)]
    before = rows < first
    distance = torch.where(before, first - rows, rows - last).clamp(min=1).float()
    found = torch.tensor([roles[row] for row in rows.tolist()], dtype=torch.int64)
    spoken = _words(family)
    words = [row for row, role in roles.items() if row not in inside and role in spoken]
    return Spot(tuple(span), first, rows, distance, torch.where(before, -1.0, 1.0), found, tuple(sorted(words)))


def _words(family: Family) -> tuple[int, ...]:
    return (0, *(1 + number for number, name in enumerate(family.roles) if name == "other"))


@dataclass(frozen=True)
class Frame:
    """What rows are measured in: the phrases' mean tokens, and the rows' own centre, size and main directions."""

    phrase_means: Tensor
    """(P, T, d) mean tokens of every phrase, in full; 0 from its length on"""
    phrase_tokens: Tensor
    """(P,) tokens of a phrase, 0 if it was never captured"""
    centre: Tensor
    """(d,) mean of the rows of texts"""
    scale: Tensor
    """(1,) root mean square of a number of such a row about it"""
    inputs: Tensor
    """(q, d) orthonormal: the directions that rows are seen in"""

    def seen(self, rows: Tensor) -> Tensor:
        """Return rows (…, d) as the operator sees them (…, q): of length about 1."""
        return (rows @ self.inputs.T - self.centre @ self.inputs.T) / (self.scale * self.centre.shape[0] ** 0.5)

    def residual(self, x: Tensor, span: Sequence[int], old: int | None) -> Tensor:
        """Return (d,) by how much the rows of a phrase are off its mean tokens, on average; 0 if nothing was said.

        Args:
            x: (L, d)
            span: rows of the phrase.
            old: the phrase.
        """
        if old is None or not span:
            return torch.zeros_like(self.centre)
        held = min(len(span), int(self.phrase_tokens[old]))
        return (x[list(span[:held])] - self.phrase_means[old, :held]).mean(0)

    @cached_property
    def gram(self) -> Tensor:
        """(P, P) products of the phrases' codes: their mean tokens about the mean of all, of mean square 1."""
        known = self.phrase_tokens > 0
        tokens = rearrange(self.phrase_tokens.clamp(min=1), "p -> p 1")
        codes = (self.phrase_means.sum(1) / tokens - self.centre) / self.scale
        codes = torch.where(rearrange(known, "p -> p 1"), codes - codes[known].mean(0), 0.0)
        return codes @ codes.T / codes[known].square().sum(1).mean().clamp(min=1e-12)


class RestRows(NamedTuple):
    """Rows outside the phrase that changes."""

    states: Tensor
    """(n, q)"""
    residuals: Tensor
    """(n, q) or (1, q): of the old phrase's rows"""
    change: Tensor
    """(n, P) or (1, P): codes that come, less codes that go"""
    presence: Tensor
    """(n,) or (1,): 1 something is added, −1 removed, 0 swapped"""
    distance: Tensor
    side: Tensor
    roles: Tensor
    """(n,) each, as ``Spot`` has them"""

    def pick(self, index: Tensor | slice) -> RestRows:
        """Return some of the rows."""
        return RestRows(*(one[index] for one in self))


class PhraseRows(NamedTuple):
    """Rows that take the tokens of a new phrase."""

    residuals: Tensor
    left: Tensor
    right: Tensor
    around: Tensor
    """(n, q) each: the old phrase's residual, the rows beside it, the mean of the words outside it"""
    tokens: Tensor
    """(n, q) mean token that is written"""

    def pick(self, index: Tensor | slice) -> PhraseRows:
        """Return some of the rows."""
        return PhraseRows(*(one[index] for one in self))


class Likeness(NamedTuple):
    """How alike rows and landmarks are, whatever the constants of the kernel: (n, m) each."""

    changes: Tensor
    states: Tensor
    same: Tensor
    """whether they are of one role"""


def likeness(frame: Frame, rows: RestRows, marks: RestRows) -> Likeness:
    """Return the products of rows with landmarks that every ``RestKernel`` is made of."""
    changes = rows.change @ (frame.gram @ marks.change.T)
    states = rows.states @ marks.states.T + rows.residuals @ marks.residuals.T
    changes = changes + PRESENCE**2 * torch.outer(rows.presence, marks.presence)
    return Likeness(changes, states, rearrange(rows.roles, "n -> n 1") == marks.roles)


class RestKernel(NamedTuple):
    """Constants of the kernel of rows outside a phrase, chosen by held-out error."""

    level: float = 1.0
    """how much of a change is the same for all rows"""
    role: float = 0.0
    """for all rows of a role"""
    everywhere: float = 0.5
    """at any distance"""
    reach: float = 1.5
    """rows over which the narrow part of a change's reach falls to a third"""

    def of(self, frame: Frame, rows: RestRows, marks: RestRows) -> Tensor:
        """Return (n, m): how alike what happens to rows is to what happens to landmarks."""
        return self.weighed(likeness(frame, rows, marks), rows, marks)

    def weighed(self, alike: Likeness, rows: RestRows, marks: RestRows) -> Tensor:
        """Return the same of rows and landmarks whose products are known."""
        state = alike.states + self.level
        if self.role:
            state.add_(alike.same, alpha=self.role)
        return state.mul_(alike.changes).mul_(self._place(rows) @ self._place(marks).T)

    def _place(self, rows: RestRows) -> Tensor:
        near, far = (torch.exp(-(rows.distance - 1) / reach) for reach in (self.reach, FAR))
        always = torch.full_like(near, self.everywhere**0.5)
        return torch.stack([always, near, 0.2**0.5 * far, 0.2**0.5 * near * rows.side, 0.2 * far * rows.side], 1)


class PhraseKernel(NamedTuple):
    """Constants of the kernel of rows that take a new phrase."""

    level: float = 1.0
    """how much is the same for all"""

    def of(self, frame: Frame, rows: PhraseRows, marks: PhraseRows) -> Tensor:
        """Return (n, m), as ``RestKernel.of``."""
        beside = rows.left @ marks.left.T + rows.right @ marks.right.T
        state = self.level + rows.residuals @ marks.residuals.T + 0.4 * beside + 4 * rows.around @ marks.around.T
        return state * (0.5 + rows.tokens @ marks.tokens.T)


def swap_code(frame: Frame, old: int | None, new: int | None) -> tuple[Tensor, float]:
    """Return the change (P,) of one phrase for another, None for none, and its presence."""
    change = frame.centre.new_zeros(len(frame.phrase_tokens))
    if new is not None:
        change[new] += 1
    if old is not None:
        change[old] -= 1
    return change, float(old is None) - float(new is None)


def rest_rows(frame: Frame, x: Tensor, spot: Spot, old: int | None, change: Tensor, presence: float) -> RestRows:
    """Describe the rows outside a change; arguments as of ``Operator.rest_step``."""
    residual = frame.residual(x, spot.span, old) / frame.scale @ frame.inputs.T / len(frame.centre) ** 0.5
    return RestRows(
        frame.seen(x[spot.rows]),
        rearrange(residual, "q -> 1 q"),
        rearrange(change, "p -> 1 p"),
        frame.centre.new_tensor([presence]),
        spot.distance,
        spot.side,
        spot.roles,
    )


def phrase_rows(frame: Frame, x: Tensor, spot: Spot, old: int | None, new: int) -> PhraseRows:
    """Describe the rows that a new phrase takes; arguments as of ``Operator.phrase_rows``."""
    count = int(frame.phrase_tokens[new])
    residual = frame.residual(x, spot.span, old) / frame.scale @ frame.inputs.T / len(frame.centre) ** 0.5
    behind = (spot.span[-1] if spot.span else spot.first - 1) + 1
    left, right = x[max(spot.first - 1, 0)], x[min(behind, len(x) - 1)]
    around = x[list(spot.words)].mean(0) if spot.words else frame.centre
    seen = frame.seen(torch.stack([left, right, around, *frame.phrase_means[new, :count]]))  # in one pass over inputs
    residual, left, right, around = (one.expand(count, -1) for one in (residual, *seen[:3]))
    return PhraseRows(residual, left, right, around, seen[3:])
