"""One encoder's rows in a dictionary's codes: what they hear, what the empty prompt says there, and prompt weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..dictionary.model import Codes, Dictionary
from ..encoders.base import Encoder, Rows
from ..encoders.layout import Span
from ..encoders.placing import context_of


@dataclass(frozen=True)
class CodedRows:
    """Rows that one encoder wrote, and codes for them."""

    dictionary: Dictionary
    encoder: Encoder
    rows: Rows
    part: Codes
    """the encoder's, or those of a block inside the model that these rows went into"""

    @property
    def own(self) -> range:
        return self.rows.of(self.encoder)

    def context(self, spans: Sequence[Span]) -> Tensor:
        """Return the context (total rows, K) of every row when these spans are said."""
        return context_of(self.dictionary.table, self.encoder, self.rows, spans)

    def codes(self, slot: int, rows: Sequence[int], around: Tensor) -> Tensor:
        """Return the codes (rows, r) of a slot's tokens over rows, each in its row's context of (total rows, K).

        Of more rows than the slot has tokens, as other words for its concept may take, the rest say its last one again.
        """
        last, part = max(int(self.part.slot_tokens[slot]) - 1, 0), self.part
        tokens = torch.arange(len(rows)).clamp(max=last)
        moved = (around[list(rows)] - part.mean_context[slot]) @ part.effect(slot)
        return part.slot_codes[slot, tokens] + moved

    def empty(self, places: Sequence[int]) -> Tensor:
        """Return the codes (places, r) of the empty prompt in rows: an end behind the start, and pads."""
        codes, which = self.empty_kinds(places)
        return codes[which]

    def empty_kinds(self, places: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Return the few codes (kinds, r) that the empty prompt has in rows, and which of them each (places,) has."""
        own, known = self.own, self.dictionary.parts.get(self.encoder.name) is self.part
        roles = [self.encoder.layout.in_empty(own, row) for row in places]
        learnt = [role for role in dict.fromkeys(roles) if role in self.dictionary.family.roles]
        silent = self.dictionary.silent[self.encoder.name] if known else {role: self._silent(role) for role in learnt}
        numbers = {role: number for number, role in enumerate(learnt)}
        none = self.part.decoder.new_zeros(len(self.part.decoder))  # where the empty prompt has no such row
        made = torch.stack([*(silent[role] for role in learnt), none])
        return made, torch.tensor([numbers.get(role, len(learnt)) for role in roles], dtype=torch.int64)

    def _silent(self, role: str) -> Tensor:
        return self.part.code(self.dictionary.role(role), 0, torch.zeros(len(self.dictionary.table)))

    def weighted(self, weight: float, rows: Sequence[int], codes: Tensor) -> Tensor:
        """Give the codes (rows, r) of tokens a prompt weight, about the empty prompt's (docs/method.md, 11)."""
        if weight == 1:
            return codes
        nothing = self.empty(rows)
        return nothing + weight * (codes - nothing)
