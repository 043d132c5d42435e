"""Long runs of pads that hear the same text, told by a few of them: half of a T5 conditioning says nothing else.

What a fit and a reader take of such a run is its mean, how its rows scatter, and a few of them in order: all of that
is kept. A run is cut into stretches, every row of a stretch becomes the one in its middle, and all are moved alike so
that the run's mean is what it was. Pads of a causal encoder, which differ by where they stand, are all kept.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ..encoders.base import Encoder, Family

KEPT = 8
"""Pads of a long run that are kept."""
LONG = 2**16
"""Numbers in a run up to which every pad is kept: a tenth of T5-XXL's, and more than Portraits has."""


def rows_by_tokens(family: Family, tokens: Mapping[str, int]) -> dict[str, range]:
    """Return encoder → its rows in the conditioning of a text of so many tokens in each."""
    own, first = dict[str, range](), 0
    for some in family.segments.values():
        rows = range(first, first + some[0].layout.length(tokens[some[0].name]))
        own |= {encoder.name: rows for encoder in some}
        first = rows.stop
    return own


def long_runs(family: Family, tokens: Mapping[str, int]) -> dict[str, Tensor]:
    """Return segment → rows (n,) of the long run of pads in the conditioning of a text, of those that have one."""
    own, found = rows_by_tokens(family, tokens), dict[str, Tensor]()
    for segment, some in family.segments.items():
        pads = [_pads(encoder, own[encoder.name], tokens[encoder.name]) for encoder in some]
        run = torch.tensor(sorted(set.intersection(*pads)), dtype=torch.int64)
        if len(run) > KEPT and len(run) * family.width_of(segment) > LONG:
            alike = some[0].layout.hears(own[some[0].name], run[:1], int(run[-1]))
            found |= {segment: run} if bool(alike) else {}
    return found


def _pads(encoder: Encoder, own: range, tokens: int) -> set[int]:
    """Return the rows that an encoder pads a text of so many tokens with."""
    return {*encoder.layout.roles(own, encoder.layout.ends(own, tokens), set()).pad}


def thinned(x: Tensor) -> Tensor:
    """Return pads (n, d) of which ``KEPT`` are different, with the mean of x (n, d)."""
    edges = torch.arange(KEPT + 1) * len(x) // KEPT
    some = x[(edges[:-1] + edges[1:]) // 2]
    sizes = edges.diff()
    moved = some + (x.mean(0) - sizes.to(x.dtype) @ some / len(x))
    return moved.repeat_interleave(sizes, 0)
