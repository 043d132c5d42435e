"""The embedded Portraits encoders as a text host."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..portraits.text import TextEncoders, load_encoders
from ..supsae_core.encoders.families import FAMILIES


class PortraitsText:
    """The embedded encoders."""

    family = FAMILIES["portraits"]

    def __init__(self, encoders: TextEncoders | None = None) -> None:
        self._encoders = encoders or load_encoders()

    def counts(self, words: Sequence[str]) -> dict[str, tuple[int, ...]]:
        found = tuple(len(self._encoders.tokenizer.ids(word)) for word in words)
        return {encoder.name: found for encoder in self.family.encoders}

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> tuple[list[Tensor], list[Tensor]]:
        """Each text is laid out alone, so that its rows do not depend on the batch."""
        made = (
            [self._encoders.encode([text]) for text in texts]
            if _uneven(self, texts)
            else [self._encoders.encode(texts)]
        )
        return [row for one in made for row in one.cond], [row for one in made for row in one.pooled]


def _uneven(host: PortraitsText, texts: Sequence[str]) -> bool:
    """Tell whether some text has more rows than the empty one."""
    counts = [{name: sum(some) for name, some in host.counts(text.split()).items()} for text in texts]
    empty = host.family.length({encoder.name: 0 for encoder in host.family.encoders})
    return any(host.family.length(one) > empty for one in counts)
