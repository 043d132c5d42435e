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
        nothing, r = torch.zeros(len(self.dictionary.table)), len(self.part.decoder)
        roles = [self.encoder.layout.in_empty(self.own, row) for row in places]
        learnt = [role for role in dict.fromkeys(roles) if role in self.dictionary.family.roles]
        codes = [self.part.code(self.dictionary.role(role), 0, nothing) for role in learnt]
        numbers = {role: number for number, role in enumerate(learnt)}
        made = torch.stack([*codes, self.part.decoder.new_zeros(r)])  # the last where the empty prompt has no such row
        return made[[numbers.get(role, len(learnt)) for role in roles]]

    def weighted(self, weight: float, rows: Sequence[int], codes: Tensor) -> Tensor:
        """Give the codes (rows, r) of tokens a prompt weight, about the empty prompt's (docs/method.md, 11)."""
        if weight == 1:
            return codes
        nothing = self.empty(rows)
        return nothing + weight * (codes - nothing)
