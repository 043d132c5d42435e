"""A stand-in for SD3.5's text encoders: their widths, rows and sizes, made-up numbers with a structure like theirs.

Every token has a vector of ``HIDDEN`` numbers; a row is its own token's, what the tokens it hears add through a mixing
matrix, and a part that is not linear, spread over the encoder's columns, with noise. The same text gives the same rows.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from supsae.supsae_core.encoders.base import Encoder
from supsae.supsae_core.encoders.families import FAMILIES
from supsae.supsae_core.table.concepts import ConceptTable
from supsae.supsae_core.table.parsing import table_from_mapping

HIDDEN = 256
NOISE, HEARD, BENT = 0.15, 0.4, 0.15
"""Shares of noise, of what other tokens add, and of what is not linear."""
CLIP_ROWS, T5_ROWS, WORDS, NARROW_ROWS = 77, 256, 75, 64
SYLLABLES = ["ba", "do", "ki", "lu", "me", "no", "ra", "si", "tu", "ve", "wo", "xa", "zi", "po", "gu", "hef"]


def seeded(*key: object) -> torch.Generator:
    """Return random numbers that a key decides, the same on every machine."""
    return torch.Generator().manual_seed(int.from_bytes(hashlib.sha256(repr(key).encode()).digest()[:6], "big"))


class StandIn:
    """A text host of the family ``sd3-diffusers``: conditionings of (333, 4096) and vectors of 2048."""

    family = FAMILIES["sd3-diffusers"]

    def __init__(self) -> None:
        self._tokens: dict[tuple[str, str], Tensor] = {}
        self._weights = {one.name: _weights(one) for one in self.family.encoders}
        self._pool = torch.randn(HIDDEN, self.family.pooled_width, generator=seeded("pool")) / HIDDEN**0.5

    def counts(self, words: Sequence[str]) -> dict[str, tuple[int, ...]]:
        found = tuple(len(pieces(word)) for word in words)
        return {encoder.name: found for encoder in self.family.encoders}

    def encode(self, texts: Sequence[str]) -> tuple[list[Tensor], list[Tensor]]:
        conds, pooled = zip(*(self._encoded(text) for text in texts), strict=True)
        return list(conds), list(pooled)

    def _encoded(self, text: str) -> tuple[Tensor, Tensor]:
        tokens, noise = [one for word in text.split() for one in pieces(word)], seeded("noise", text)
        cond = torch.zeros(CLIP_ROWS + T5_ROWS, self.family.width)
        short = ["<s>", *tokens[:WORDS], "</s>"]
        for encoder in self.family.encoders:
            clip = encoder.segment == "clip"
            some = [*short, *["<pad>"] * (CLIP_ROWS - len(short))] if clip else [*tokens, "</s>"]
            some += ["<pad>"] * (T5_ROWS - len(some)) if not clip else []
            rows, hidden = self._rows(encoder, some, clip, noise)
            first = 0 if clip else CLIP_ROWS
            cond[first : first + len(rows), encoder.first : encoder.last] = rows
            end = hidden[len(short) - 1] if clip else end  # noqa: F821  # CLIP comes first
        drawn = torch.randn(self.family.pooled_width, generator=noise)
        return cond, end @ self._pool + 0.1 * drawn

    def _rows(self, encoder: Encoder, tokens: list[str], causal: bool, noise: torch.Generator) -> tuple[Tensor, Tensor]:
        mix, bent, wide = self._weights[encoder.name]
        own = torch.stack([self._token(encoder.name, token) for token in tokens])
        told = torch.tensor([float(token not in ("<pad>", "<s>")) for token in tokens])[:, None]
        heard, many = own * told, told
        if causal:  # a row hears what stands before it
            heard, many = heard.cumsum(0) - heard, many.cumsum(0) - many
        else:
            heard, many = heard.sum(0, keepdim=True) - heard, many.sum().expand_as(many) - many
        context = heard / many.clamp(min=1).sqrt() @ mix
        hidden = own + HEARD * context + BENT * torch.tanh((own + context) @ bent)
        off = NOISE * torch.randn(len(tokens), encoder.width, generator=noise) * wide.norm(dim=0)
        if causal:
            hidden[0], off[0] = own[0], 0  # the start hears nothing: it is the same in every prompt
        return hidden @ wide + off, hidden

    def _token(self, encoder: str, token: str) -> Tensor:
        key = encoder, token
        if key not in self._tokens:
            self._tokens[key] = torch.randn(HIDDEN, generator=seeded(*key))
        return self._tokens[key]


class Narrow(StandIn):
    """A text host of one narrow encoder that hears everything, without a pooled vector: (64, 384), or more rows.

    What a fit of many concepts takes besides their columns is measured with it.
    """

    family = FAMILIES["minilm"]

    def __init__(self) -> None:
        self._tokens = {}
        self._weights = {one.name: _weights(one) for one in self.family.encoders}

    def _encoded(self, text: str) -> tuple[Tensor, Tensor]:
        (encoder,), tokens = self.family.encoders, [one for word in text.split() for one in pieces(word)]
        some = ["<s>", *tokens, "</s>"]
        some += ["<pad>"] * (NARROW_ROWS - len(some))
        rows, _ = self._rows(encoder, some, False, seeded("noise", text))
        return rows, torch.zeros(0)


def _weights(encoder: Encoder) -> tuple[Tensor, Tensor, Tensor]:
    """Return how an encoder mixes, bends (HIDDEN, HIDDEN) and spreads (HIDDEN, width); some columns are much larger."""
    mix, bent, wide = (
        torch.randn(HIDDEN, width, generator=seeded(encoder.name, what)) / HIDDEN**0.5
        for what, width in (("mix", HIDDEN), ("bent", HIDDEN), ("wide", encoder.width))
    )
    return mix, bent, wide * torch.randn(encoder.width, generator=seeded(encoder.name, "columns")).exp()


def pieces(word: str) -> list[str]:
    """Return a word's tokens: one, one more for every eight letters, and its marks."""
    core = word.rstrip(",.;:!?")
    return [f"{core}#{number}" for number in range(1 + len(core) // 8)] + list(word[len(core) :])


def table(concepts: int, each: int) -> ConceptTable:
    """Return a table of made-up words, so many concepts a category."""
    rng, names, data = np.random.default_rng(7), set[str](), dict[str, dict[str, list[str]]]()
    while len(names) < concepts:
        name = " ".join("".join(rng.choice(SYLLABLES, rng.integers(2, 5))) for _ in range(int(rng.integers(1, 4))))
        if not any(name in one or one in name for one in names):
            data.setdefault(f"category {len(names) // each}", {})[name] = [name]
            names.add(name)
    return table_from_mapping(data)
