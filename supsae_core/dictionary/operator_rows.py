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
    roles = _roles(family, layout, own)
    roles[torch.tensor(span, dtype=torch.int64) - own.start] = -1
    rows, last = own.start + (roles >= 0).nonzero().flatten(), span[-1] if span else first - 1
    words = (own.start + _are_words(family, roles).nonzero().flatten()).tolist()
    rows = rows[encoder.layout.hears(own, rows, last)]
    before = rows < first
    distance = torch.where(before, first - rows, rows - last).clamp(min=1).float()
    side, found = torch.where(before, -1.0, 1.0), roles[rows - own.start]
    return Spot(tuple(span), first, rows, distance, side, found, tuple(words))


def _roles(family: Family, layout: Layout, own: range) -> Tensor:
    """Return (own rows,) 0 for a row of a phrase, 1 + the number of its role for others, −1 of those left out."""
    roles = torch.full((len(own),), -1)
    for number, name in enumerate(family.roles):
        roles[torch.tensor(getattr(layout.roles, name), dtype=torch.int64) - own.start] = 1 + number
    for other in layout.spans:
        roles[torch.tensor(other.rows, dtype=torch.int64) - own.start] = 0
    return roles


def _are_words(family: Family, roles: Tensor) -> Tensor:
    found = roles == 0
    return found | (roles == 1 + family.roles.index("other")) if "other" in family.roles else found


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
        return (rows @ self.inputs.T - self._seen_centre) / (self.scale * self.centre.shape[0] ** 0.5)

    @cached_property
    def _seen_centre(self) -> Tensor:
        return self.centre @ self.inputs.T

    @cached_property
    def seen_tokens(self) -> Tensor:
        """(P, T, q) the phrases' mean tokens, as the operator sees them."""
        return self.seen(self.phrase_means)

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
    """(n, q) or (1, q) each: the old phrase's residual, the rows beside it, the mean of the words outside it"""
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
    states = rows.states @ marks.states.T + rows.residuals @ marks.residuals.T
    return Likeness(changes_of(frame, rows, marks), states, same_role(rows, marks))


def same_role(rows: RestRows, marks: RestRows) -> Tensor:
    """Tell (n, m) which rows are of one role with which landmarks."""
    return rearrange(rows.roles, "n -> n 1") == marks.roles


def changes_of(frame: Frame, rows: RestRows, marks: RestRows) -> Tensor:
    """Return the products (n or 1, m) of rows' changes with landmarks'."""
    changes = torch.linalg.multi_dot([rows.change, frame.gram, marks.change.T])
    return changes + PRESENCE**2 * torch.outer(rows.presence, marks.presence)


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
        residuals = rows.residuals @ marks.residuals.T + self.level
        state = torch.addmm(residuals, rows.states, marks.states.T)
        if self.role:
            state.add_(same_role(rows, marks), alpha=self.role)
        return self._placed(state.mul_(changes_of(frame, rows, marks)), rows, marks)

    def weighed(self, alike: Likeness, rows: RestRows, marks: RestRows) -> Tensor:
        """Return the same of rows and landmarks whose products are known."""
        state = alike.states + self.level
        if self.role:
            state.add_(alike.same, alpha=self.role)
        return self._placed(state.mul_(alike.changes), rows, marks)

    def _placed(self, made: Tensor, rows: RestRows, marks: RestRows) -> Tensor:
        return made.mul_(self.place(rows) @ self.place(marks).T)

    def place(self, rows: RestRows) -> Tensor:
        """Return (n, 5): what the products of say how alike two distances from a change are."""
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
