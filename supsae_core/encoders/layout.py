"""Who stands where in one encoder's rows: the spans of phrases, and the roles of all other rows."""

from __future__ import annotations

from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor


class Roles(NamedTuple):
    """The rows of tokens of no concept; each role is one slot per encoder, and any may be empty."""

    start: tuple[int, ...] = ()
    end: tuple[int, ...] = ()
    """of every part that hears only itself (a chunk), the last one's last"""
    pad: tuple[int, ...] = ()
    other: tuple[int, ...] = ()
    """words that belong to no phrase"""
    before: tuple[int, ...] = ()
    """of a template, before the prompt"""
    after: tuple[int, ...] = ()
    """of a template, behind the prompt"""

    def filled(self) -> dict[str, tuple[int, ...]]:
        """Return role → rows, of those that have any."""
        return {name: rows for name, rows in self._asdict().items() if rows}

    @property
    def closing(self) -> tuple[int, ...]:
        """Where the prompt ends: its last end, the first row of a template behind it, or else the first of the pads
        that stand together at the very end."""
        ends, pads = (*self.end[-1:], *self.after[:1]), self.pad
        behind = (at for at in range(len(pads) - 1, -1, -1) if at == 0 or pads[at - 1] != pads[at] - 1)
        return ends or tuple(pads[at] for at in islice(behind, 1))


ROLES = Roles._fields
"""Names of the roles, in the order of the slots of those that a family has."""
TEMPLATE = ("before", "after")
"""Roles whose rows are the tokens of one slot, in order; of the others every row is a token of its own."""


class OnePart:
    """What the layouts of ``base.RowLayout`` have in common in which a whole text is heard together."""

    least: int
    step: int

    @property
    def lead(self) -> int:
        raise NotImplementedError

    @property
    def has_pads(self) -> bool:
        return self.least > 0 or self.step > 1

    @property
    def at_least(self) -> str:
        """Say how many rows a text has."""
        return f"at least {self.least} rows" if self.step == 1 else f"at least {self.least} rows, then {self.step} more"

    def padded(self, rows: int) -> int:
        """Return the rows that so many are padded to."""
        return self.least + -(-max(0, rows - self.least) // self.step) * self.step

    def grows(self, rows: int) -> bool:
        """Tell whether so many rows are more than texts are padded to, row by row."""
        return self.step == 1 and rows > self.least > 0

    def misfit(self, rows: int, pads: int) -> str | None:
        """Say which length texts are padded to, if so many rows with so many pads are of another.

        What an edit removed may look like pads: a step of them is forgiven.
        """
        spare = pads if self.step == 1 else pads // (2 * self.step)
        if self.has_pads and rows != self.least and (rows < self.least or spare > 0):
            return f"{self.least} rows and not beyond" if self.step == 1 else f"steps of {self.step} rows"
        return None

    def place(self, own: range, token: int) -> int:
        return own.start + self.lead + token

    def ends(self, own: range, tokens: int) -> tuple[int, ...]:
        return (self.place(own, tokens),)

    def parts(self, own: range) -> list[range]:
        return [own]

    def part(self, own: range, rows: Tensor) -> Tensor:
        return torch.zeros_like(rows)

    def number(self, own: range, rows: Tensor) -> Tensor:
        return rows

    def fits(self, rows: int) -> bool:
        return True


class Span(NamedTuple):
    """A phrase's tokens: its slot number and the conditioning rows in order."""

    phrase: int
    rows: tuple[int, ...]
    weight: float = 1.0
    """prompt weight, as in ``(phrase:1.3)``"""


class Layout(NamedTuple):
    """Who stands where in one encoder's rows of one prompt."""

    spans: tuple[Span, ...]
    """In order of writing."""
    roles: Roles
