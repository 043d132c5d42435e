"""One text from first row to last, every row hearing all others: T5, UMT5, BERT; padded to a length or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .layout import OnePart, Roles


@dataclass(frozen=True)
class Padded(OnePart):
    """A ``RowLayout``: start rows if there are any, words, an end row, pads."""

    least: int = 0
    """rows that a text is padded to; 0 for no pads at all"""
    start: int = 0
    """start rows, which hear the whole text like all others: BERT has one, T5 none"""
    cut: bool = False
    """whether longer texts are cut off; otherwise they get as many rows as they need"""
    masked: bool = False
    """whether a mask hides the pads from the model"""
    step: int = 1
    """rows that a longer text gets at once"""

    tail, in_order, constant, pooled_room = 1, False, None, None

    @property
    def role_names(self) -> tuple[str, ...]:
        return (*(("start",) if self.start else ()), "end", *(("pad",) if self.has_pads else ()), "other")

    @property
    def lead(self) -> int:
        return self.start

    @property
    def room(self) -> int | None:
        return self.least - self.start - 1 if self.cut else None

    @property
    def more(self) -> int:
        return 0 if self.cut else 1

    @property
    def policy(self) -> str:
        if not self.has_pads:
            return "rows without pads"
        return f"exactly {self.least} rows" if self.cut else self.at_least

    def length(self, tokens: int) -> int:
        return self.least if self.cut else self.padded(self.start + tokens + 1)

    def roles(self, own: range, ends: Sequence[int], taken: set[int]) -> Roles:
        start, end = tuple(own[: self.start]), tuple(row for row in ends if row in own)
        other = tuple(row for row in range(own.start + self.start, ends[-1]) if row not in taken)
        pad = tuple(sorted({*own}.difference(taken, start, end, other)))
        return Roles(start=start, end=end, pad=pad, other=other)

    def hears(self, own: range, rows: Tensor, row: int | Tensor) -> Tensor:
        return torch.ones_like(rows == row)  # torch.broadcast_shapes imports 486 modules, which takes half a second

    def reach(self, own: range, end: int, total: int) -> int:
        return total  # written anywhere it is heard by all, itself aside

    def in_empty(self, own: range, row: int) -> str:
        return "pad" if row - own.start > self.start else "end"

    def is_empty(self, rows: int) -> bool:
        return rows <= self.start + 1

    def is_longer(self, rows: int) -> bool:
        return not self.cut and self.grows(rows)

    def wrong_length(self, rows: int, pads: int) -> str | None:
        if self.cut:
            return None if rows == self.least else f"{self.least} rows, where longer ones are cut"
        return self.misfit(rows, pads)
