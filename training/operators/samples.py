"""What pairs of prompts tell an edit operator, as arrays: rows outside the phrase that changes, and rows that take one.

docs/method.md, 20. Letters as in ``supsae_core/dictionary/operator.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple, TypeVar

import torch
from einops import rearrange
from torch import Tensor

from ...supsae_core.capture.captures import Encoded
from ...supsae_core.capture.plan import TextPlan
from ...supsae_core.capture.statistics import Sums
from ...supsae_core.capture.typed import Typed
from ...supsae_core.dictionary.operator_rows import (
    Frame,
    PhraseRows,
    RestRows,
    Spot,
    spot_of,
)
from ...supsae_core.encoders.base import Encoder
from ...supsae_core.encoders.layout import Layout
from ...supsae_core.stopping import heed
from .pairs import RewritePair, aligned_rows

COLUMNS = 256
"""Most directions that rows are seen and changes are written in."""
PADS = 4
"""Pads of a prompt that are taken, each for its share of all."""
SEARCHED = 400
"""Pairs with which constants are chosen."""
BLOCK = 6
"""Pairs, both directions counted, of a prompt with three rewrites."""
LOOKED_AT = 256
"""Prompts whose rows the main directions are taken of."""
DRAWN = 2000
"""Of them, or of changes, about as many rows."""
SPOKEN = ("other", "end")
"""Roles whose rows are a text's own, beside phrases: a first row or a template's can be a thousand times as large."""

Kind = TypeVar("Kind")


class PairSample(NamedTuple):
    """What one pair tells of one encoder's rows."""

    spot: Spot
    old: int | None
    new: int | None
    x: Tensor
    """(L, d) rows of the prompt"""
    moved: Tensor
    """(n, d) what the rewrite adds to the rows of the spot"""
    written: Tensor
    """(T, d) the rewrite's rows of the new phrase; none if one is removed"""
    weights: Tensor
    """(n,) how many rows each of the spot's stands for"""


def sampled(
    plan: TextPlan, encoder: Encoder, frame: Frame, pair: RewritePair, typed: Typed, pad: int | None = None
) -> PairSample | None:
    """Return what a pair tells of an encoder, or None if a phrase does not stand there whole.

    Args:
        pad: the number of the role of which few rows are taken; None to take all.
    """
    heed()
    own = typed.rows(pair.before).of(encoder)
    before, after = (typed.layouts(row) for row in (pair.before, pair.after))
    if encoder.name not in before or encoder.name not in after:
        return None
    return _sample(plan, encoder, frame, pair, own, (before[encoder.name], after[encoder.name]), pad)


def _sample(
    plan: TextPlan,
    encoder: Encoder,
    frame: Frame,
    pair: RewritePair,
    own: range,
    layouts: tuple[Layout, Layout],
    pad: int | None,
) -> PairSample | None:
    old, new = pair.phrases
    columns = slice(encoder.first, encoder.last)
    x, y = pair.before.cond[:, columns], pair.after.cond[:, columns]
    before, after = layouts
    span = () if pair.old is None else before.spans[pair.old].rows
    there = () if pair.new is None else after.spans[pair.new].rows
    for phrase, rows in ((old, span), (new, there)):
        if phrase is not None and len(rows) != int(frame.phrase_tokens[phrase]):
            return None
    aligned = aligned_rows(pair, before, after)
    spot = spot_of(plan.family, encoder, own, before, span, aligned.first)
    target = dict(zip(aligned.here, aligned.there, strict=True))
    spot = spot.only(torch.tensor([row in target for row in spot.rows.tolist()], dtype=torch.bool))
    index, weights = _thinned(spot.roles, pad)
    spot = spot.only(index)
    moved = y[[target[row] for row in spot.rows.tolist()]] - x[spot.rows]
    return PairSample(spot, old, new, x, moved, y[list(there)], weights)


class RestSample(NamedTuple):
    """A pair's rows outside the phrase."""

    rows: RestRows
    moved: Tensor
    """(n, d), then (n, p): what happened to them, in the directions of changes"""
    weights: Tensor
    """(n,) how many rows each stands for"""


class PhraseSample(NamedTuple):
    """A pair's rows that took a phrase."""

    rows: PhraseRows
    kept: Tensor
    """(T, p) the old phrase's residual"""
    off: Tensor
    """(T, p) the rewritten rows less the mean tokens"""


class Gathered(NamedTuple):
    """What pairs told of one encoder."""

    frame: Frame
    outputs: Tensor
    """(p, d) orthonormal"""
    rest: list[RestSample]
    phrases: list[PhraseSample]


def _thinned(roles: Tensor, pad: int | None) -> tuple[Tensor, Tensor]:
    """Return which rows to take and what each stands for: of pads, which are many and alike, few."""
    every, weights = torch.arange(len(roles)), torch.ones(len(roles))
    pads = every[roles == pad] if pad is not None else every[:0]
    if len(pads) <= PADS:
        return every, weights
    some = pads[torch.linspace(0, len(pads) - 1, PADS).long()]
    weights[some] = len(pads) / PADS
    index = torch.cat([every[roles != pad], some])
    return index, weights[index]


def apart(samples: Sequence[Kind]) -> tuple[list[Kind], list[Kind]]:
    """Part the first samples into some to learn from and a quarter to choose by; neighbours share a prompt."""
    some = samples[:SEARCHED]
    learn, test = ([one for i, one in enumerate(some) if (i // BLOCK % 4 == 0) == held] for held in (False, True))
    return (learn, test) if learn else (test, test)


def stacked_rest(samples: Sequence[RestSample]) -> RestSample:
    """Return samples as one, what a pair's rows share written out for each."""
    counts = [len(one.weights) for one in samples]
    rows = [
        RestRows(*(x if len(x) == count else x.expand(count, *x.shape[1:]) for x in one.rows))
        for one, count in zip(samples, counts, strict=True)
    ]
    joined = RestRows(*(torch.cat(some) for some in zip(*rows, strict=True)))
    return RestSample(joined, torch.cat([one.moved for one in samples]), torch.cat([one.weights for one in samples]))


def stacked_phrases(samples: Sequence[PhraseSample]) -> PhraseSample:
    """Return samples as one."""
    rows = PhraseRows(*(torch.cat(some) for some in zip(*(one.rows for one in samples), strict=True)))
    return PhraseSample(rows, torch.cat([one.kept for one in samples]), torch.cat([one.off for one in samples]))


def frame_of(plan: TextPlan, encoder: Encoder, sums: Sums, inputs: Tensor) -> Frame:
    """Return what an encoder's rows are measured in.

    Args:
        plan: of the capture.
        encoder: whose rows they are.
        sums: of its slots.
        inputs: (q, d) main directions of its rows.
    """
    phrases = len(plan.table.phrases)
    roles = [phrases + number for number, name in enumerate(plan.family.roles) if name in SPOKEN]
    slots = [*range(phrases), *roles]
    rows = (sums.count * sums.lengths)[slots].sum().clamp(min=1)
    centre = sums.token[slots].sum((0, 1)) / rows
    spread = sums.square[slots].sum() / rows - centre.square().sum()
    scale = (spread / encoder.width).clamp(min=1e-12).sqrt()
    means = (sums.mean_token * rearrange(sums.valid, "s t -> s t 1"))[:phrases]
    lengths = sums.lengths[:phrases] * (sums.count[:phrases] > 0)
    return Frame(means.float(), lengths, centre.float(), rearrange(scale, "-> 1").float(), inputs)


def main_directions(encoders: Sequence[Encoder], rows: Iterable[Encoded], typed: Typed) -> dict[str, Tensor]:
    """Return encoder → (q, d) orthonormal: the main directions of its rows of some texts about their mean."""
    texts: dict[str, list[Tensor]] = {encoder.name: [] for encoder in encoders}
    for row in islice(rows, LOOKED_AT):
        layouts = typed.layouts(row)
        for encoder in encoders:
            layout = layouts.get(encoder.name)
            if layout is not None:
                spoken = {row for role in SPOKEN for row in getattr(layout.roles, role)}
                spoken = spoken.union(*(span.rows for span in layout.spans))
                texts[encoder.name].append(row.cond[sorted(spoken), encoder.first : encoder.last])
    return {encoder.name: _about_mean(texts[encoder.name], encoder) for encoder in encoders}


def _about_mean(texts: Sequence[Tensor], encoder: Encoder) -> Tensor:
    text = torch.cat([torch.zeros(0, encoder.width), *texts])
    return directions(text - text.mean(0))


def directions(rows: Tensor) -> Tensor:
    """Return (q, d) orthonormal: the main directions of rows (n, d), ``COLUMNS`` of them at most."""
    some = rows[:: max(1, len(rows) // DRAWN)]
    count = min(COLUMNS, *some.shape)
    if not count:
        return rows[:0]
    if count == rows.shape[1]:
        return torch.eye(count)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return torch.svd_lowrank(some, q=count, niter=1)[2].T.contiguous()
