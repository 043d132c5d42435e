"""A causal language model that reads a prompt inside a template: Qwen, Mistral, Gemma as text encoders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from .layout import OnePart, Roles


@dataclass(frozen=True)
class Templated(OnePart):
    """A ``RowLayout``: the template's first rows, words, the template's last rows, pads if there are any.

    Every row hears what stands before it, so the first rows are the same in every prompt.
    """

    before: int = 0
    """rows of the template before the prompt that the conditioning keeps"""
    after: int = 0
    """rows of the template behind the prompt"""
    least: int = 0
    """rows that a text is padded to, at the right; 0 for no pads at all"""
    masked: bool = False
    """whether a mask hides the pads from the model"""
    step: int = 1
    """rows that a longer text gets at once; with ``least`` 77, 77: it is padded to a multiple of 77"""
    cut: bool = False
    """whether longer texts are cut off behind ``least`` rows"""

    in_order, pooled_room = True, None

    @property
    def role_names(self) -> tuple[str, ...]:
        template = (name for name, rows in (("before", self.before), ("after", self.after)) if rows)
        return (*(("pad",) if self.has_pads else ()), "other", *template)

    @property
    def lead(self) -> int:
        return self.before

    @property
    def tail(self) -> int:
        return self.after

    @property
    def constant(self) -> str | None:
        return "before" if self.before else None

    @property
    def room(self) -> int | None:
        return self.least - self.before - self.after if self.cut else None

    @property
    def more(self) -> int:
        return 0 if self.cut else 1

    @property
    def policy(self) -> str:
        padded = self.at_least if self.has_pads else "without pads"
        padded = f"exactly {self.least} rows" if self.cut else padded
        return f"{self.before} rows before the prompt, {self.after} behind it, {padded}"

    def length(self, tokens: int) -> int:
        return self.least if self.cut else self.padded(self.before + tokens + self.after)

    def roles(self, own: range, ends: Sequence[int], taken: set[int]) -> Roles:
        before = tuple(own[: self.before])
        after = tuple(row for row in range(ends[-1], ends[-1] + self.after) if row in own)
        other = tuple(row for row in range(own.start + self.before, ends[-1]) if row not in taken)
        pad = tuple(sorted({*own}.difference(taken, before, after, other)))
        return Roles(pad=pad, other=other, before=before, after=after)

    def hears(self, own: range, rows: Tensor, row: int | Tensor) -> Tensor:
        return rows > row

    def reach(self, own: range, end: int, total: int) -> int:
        return end

    def in_empty(self, own: range, row: int) -> str:
        return "after" if row - own.start - self.before < self.after else "pad"

    def is_empty(self, rows: int) -> bool:
        return rows <= self.before + self.after

    def is_longer(self, rows: int) -> bool:
        return not self.cut and self.grows(rows)

    def wrong_length(self, rows: int, pads: int) -> str | None:
        if self.cut:
            return None if rows == self.least else f"{self.least} rows, where longer ones are cut"
        return self.misfit(rows, pads)
