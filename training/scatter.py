"""How tokens scatter about their slots' means, in codes: a second look at a capture, once the codes are known.

Reading needs these covariances (docs/method.md, 10). In full width they are d² numbers, and the dearest part of a fit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, tee
from typing import NamedTuple, Self

import torch
from einops import rearrange
from torch import Tensor

from ..supsae_core.capture.captures import Capture, Encoded
from ..supsae_core.capture.kept import Summed
from ..supsae_core.capture.plan import Entry, TextPlan
from ..supsae_core.capture.typed import Typed
from ..supsae_core.dictionary.model import POOLED
from ..supsae_core.encoders.layout import TEMPLATE, Layout
from ..supsae_core.stopping import heed
from . import distributed
from .ranks import own_shards

PADS = 16
"""Pads of a prompt that are looked at, each for its share of all: there are up to 250, which hardly differ."""


class Scatter(NamedTuple):
    """Σ (z − m)(z − m)ᵀ (r, r) over tokens with codes z (r,) about their slots' means m; float64."""

    phrases: Tensor
    roles: Tensor


class ScatteredTokens(NamedTuple):
    """Tokens that are looked at, column by column."""

    rows: list[int]
    slots: list[int]
    tokens: list[int]
    """of the slots"""
    weights: list[float]
    """rows that each stands for"""

    def add(self, rows: Sequence[int], slot: int, tokens: Iterable[int], weight: float) -> None:
        """Add rows of one slot."""
        self.rows.extend(rows)
        self.slots.extend([slot] * len(rows))
        self.tokens.extend(tokens)
        self.weights.extend([weight] * len(rows))


class _Part:
    """The sums of one part. Built per pass and dropped."""

    def __init__(self, decoder: Tensor, means: Tensor, phrases: int) -> None:
        self._decoder, self._means, self._phrases = decoder, means, phrases
        self.sums = torch.zeros(2, len(decoder), len(decoder), dtype=torch.float64)
        self._taken = list[tuple[Tensor, ScatteredTokens]]()

    @classmethod
    def of(cls, decoder: Tensor, statistics: Summed, phrases: int) -> Self:
        means = statistics.sums.total().mean_token @ decoder.double().T
        return cls(decoder, means.float(), phrases)

    def take(self, x: Tensor, seen: ScatteredTokens) -> None:
        """Take rows x (n, d), a token each, to be added with others: large products are made in half the time."""
        self._taken.append((x, seen))

    def add(self) -> None:
        """Add what was taken."""
        if self._taken:
            x, seen = zip(*self._taken, strict=True)
            self._taken.clear()
            _, *columns = (list(chain.from_iterable(some)) for some in zip(*seen, strict=True))
            self._add(torch.cat(x), *map(torch.tensor, columns))

    def _add(self, x: Tensor, slots: Tensor, tokens: Tensor, weights: Tensor) -> None:
        off = (x @ self._decoder.T - self._means[slots, tokens]) * rearrange(weights.sqrt(), "n -> n 1")
        for total, some in zip(self.sums, (slots < self._phrases, slots >= self._phrases), strict=True):
            total += off[some].T @ off[some]


def scatter(
    capture: Capture, decoders: Mapping[str, Tensor], statistics: Mapping[str, Summed], typed: Typed
) -> dict[str, Scatter]:
    """Sum up how the tokens of the prompts to fit on scatter, per part; each rank looks at its share of them.

    Args:
        decoders: (r, d) of every part.
        typed: knows these prompts.
    """
    phrases = len(capture.plan.table.phrases)
    parts = {name: _Part.of(one, statistics[name], 0 if name == POOLED else phrases) for name, one in decoders.items()}
    distributed.together(lambda: _look(capture, parts, typed))
    distributed.all_reduce(*(part.sums for part in parts.values()))
    return {name: Scatter(*part.sums) for name, part in parts.items()}


def _look(capture: Capture, parts: Mapping[str, _Part], typed: Typed) -> None:
    """Add the tokens of a rank's share of the prompts."""
    plan = capture.plan
    for shard in own_shards(capture, "fit"):
        entries = (entry for entry in capture.entries(shard) if entry.set == "fit")
        asked, told = tee(_looked_at(plan, entries, typed))
        rows = capture.excerpts((rows for rows, _ in asked), "fit", shards=[shard])
        for row, seen in zip(rows, told, strict=True):
            _take(plan, parts, row, *seen)
        for part in parts.values():  # shard by shard, so that ranks add alike
            part.add()


Looked = tuple[list[int], Mapping[str, ScatteredTokens]]
"""rows of a prompt, rising; encoder → its tokens in them"""


def _looked_at(plan: TextPlan, entries: Iterable[Entry], typed: Typed) -> Iterator[Looked]:
    for entry in entries:
        heed()
        layouts = typed.layouts_of(entry)
        seen = {name: _tokens(plan, layout) for name, layout in layouts.items()}
        yield sorted(set(chain.from_iterable(some.rows for some in seen.values()))), seen


def _tokens(plan: TextPlan, layout: Layout) -> ScatteredTokens:
    found = ScatteredTokens([], [], [], [])
    for span in layout.spans:
        found.add(span.rows, span.phrase, range(len(span.rows)), 1.0)
    for name, rows in layout.roles.filled().items():
        slot = len(plan.table.phrases) + plan.family.roles.index(name)
        some = rows[:: -(-len(rows) // PADS)] if name == "pad" else rows
        found.add(some, slot, range(len(some)) if name in TEMPLATE else [0] * len(some), len(rows) / len(some))
    return found


def _take(
    plan: TextPlan, parts: Mapping[str, _Part], row: Encoded, rows: list[int], seen: Mapping[str, ScatteredTokens]
) -> None:
    at = {one: place for place, one in enumerate(rows)}
    for encoder in plan.family.encoders:
        some = seen.get(encoder.name)
        if some and some.rows:
            x = row.cond[[at[one] for one in some.rows], encoder.first : encoder.last]
            parts[encoder.name].take(x, some)
    if POOLED in parts:
        parts[POOLED].take(row.pooled[None], ScatteredTokens([0], [0], [0], [1.0]))
