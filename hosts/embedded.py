"""The embedded Portraits encoders as a text host."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor

from ..portraits.text import TextEncoders, load_encoders
from ..supsae_core.encoders.families import FAMILIES


class PortraitsText:
    """The embedded encoders."""

    family = FAMILIES["portraits"]

    def __init__(self, encoders: TextEncoders | None = None) -> None:
        self._encoders = encoders or load_encoders()
        self._tokens = cache(lambda word: len(self._encoders.tokenizer.ids(word)))  # the same words come all the time

    def counts(self, words: Sequence[str]) -> dict[str, tuple[int, ...]]:
        found = tuple(map(self._tokens, words))
        return {encoder.name: found for encoder in self.family.encoders}

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> tuple[list[Tensor], list[Tensor]]:
        """Each text is laid out alone, so that its rows do not depend on the batch."""
        uneven = any(self._rows(text) > self._rows("") for text in texts)
        made = [self._encoders.encode(some) for some in ([[text] for text in texts] if uneven else [texts])]
        return [row for one in made for row in one.cond], [row for one in made for row in one.pooled]

    def _rows(self, text: str) -> int:
        return self.family.length({name: sum(some) for name, some in self.counts(text.split()).items()})
