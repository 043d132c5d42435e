"""Chunks of fixed length: start, words, end, pads; every chunk is encoded alone, causally. CLIP in SD3 and SDXL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from .layout import Roles


@dataclass(frozen=True)
class Chunked:
    """A ``RowLayout``: a row hears what stands before it in its own chunk; pads repeat behind the end."""

    size: int
    """rows of a chunk, start and end included"""
    cut: bool = False
    """whether a text is cut off behind one chunk; otherwise it gets more of them"""

    role_names = ("start", "end", "pad", "other")
    lead, tail, has_pads, masked, in_order, constant = 1, 1, True, False, False, "start"

    @property
    def words(self) -> int:
        """Words of a chunk."""
        return self.size - 2

    @property
    def pooled_room(self) -> int:
        return self.size

    @property
    def room(self) -> int | None:
        return self.words if self.cut else None

    @property
    def more(self) -> int:
        return 0 if self.cut else self.size

    @property
    def policy(self) -> str:
        return f"one chunk of {self.size} causal rows" if self.cut else f"chunks of {self.size} causal rows"

    def length(self, tokens: int) -> int:
        return max(1, -(-tokens // self.words)) * self.size

    def place(self, own: range, token: int) -> int:
        return own.start + token // self.words * self.size + 1 + token % self.words

    def ends(self, own: range, tokens: int) -> tuple[int, ...]:
        last = self.place(own, tokens - 1) + 1 if tokens else own.start + 1
        return (*range(own.start + self.size - 1, last, self.size), last)

    def roles(self, own: range, ends: Sequence[int], taken: set[int]) -> Roles:
        start = tuple(own[:: self.size])
        inside = [row for part, end in zip(self.parts(own), ends, strict=False) for row in range(part.start + 1, end)]
        other = tuple(row for row in inside if row not in taken)
        end = tuple(row for row in ends if row in own)
        pad = tuple(sorted({*own}.difference(taken, start, end, other)))
        return Roles(start=start, end=end, pad=pad, other=other)

    def parts(self, own: range) -> list[range]:
        return [own[first : first + self.size] for first in range(0, len(own), self.size)]

    def part(self, own: range, rows: Tensor) -> Tensor:
        return (rows - own.start) // self.size

    def hears(self, own: range, rows: Tensor, row: int | Tensor) -> Tensor:
        return (rows > row) & (self.part(own, rows) == (row - own.start) // self.size)

    def reach(self, own: range, end: int, total: int) -> int:
        return end

    def number(self, own: range, rows: Tensor) -> Tensor:
        return rows - 2 * self.part(own, rows)

    def in_empty(self, own: range, row: int) -> str:
        return "pad" if (row - own.start) % self.size > 1 else "end"

    def fits(self, rows: int) -> bool:
        return rows % self.size == 0 and not (self.cut and rows > self.size)

    def is_empty(self, rows: int) -> bool:
        return rows == 0

    def is_longer(self, rows: int) -> bool:
        return False

    def wrong_length(self, rows: int, pads: int) -> str | None:
        return None
