"""How far edited rows of text are from the rewrite's, and whether the rewrite is the nearest of its neighbours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ...supsae_core.capture.captures import Encoded
from ...supsae_core.capture.plan import Entry
from ...supsae_core.encoders.placing import layout_of, rows_of
from ...supsae_core.host import TextHost
from ...supsae_core.table.concepts import ConceptTable
from ...supsae_core.table.prompts import Prompt
from .aligned import Block, blocks
from .asked import Asked
from .rivals import Rival

RANKED = 31
"""Neighbours that an edit is ranked among, at most."""


class Measured(NamedTuple):
    """What one method made of one case."""

    off: Mapping[str, float]
    """kind of row → ‖edited − rewritten‖²"""
    whole: Mapping[str, float]
    """kind of row → ‖original − rewritten‖², of the same rows"""
    nearest: bool
    """whether no neighbour is as near as the rewrite"""
    refused: bool
    """whether the edit was refused, and the rows are the original ones"""


class Truth(NamedTuple):
    """A case as its encoder has it."""

    asked: Asked
    before: Encoded
    after: Encoded
    blocks: Sequence[Block]
    around: Tensor
    """(n, L, width) rows of the neighbours in the prompt's order, not a number where none stands for a row"""
    around_in_place: Tensor
    """(n, L, width) the same in their own order"""


def encoded(host: TextHost, some: Sequence[Prompt]) -> list[Encoded]:
    """Encode prompts as a capture would hold them."""
    entries = [Entry(prompt, "test", host.counts(prompt.words)) for prompt in some]
    return [Encoded(*row) for row in zip(entries, *host.encode([one.text for one in some]), strict=True)]


def truths(host: TextHost, table: ConceptTable, some: Sequence[Asked], ranked: int = RANKED) -> Iterator[Truth]:
    """Encode cases one after another, with as many of their neighbours at most."""
    return (truth_of(host, table, asked, ranked) for asked in some)


def truth_of(host: TextHost, table: ConceptTable, asked: Asked, ranked: int = RANKED) -> Truth:
    """Encode a case with as many of its neighbours at most."""
    around = asked.neighbours(table) if ranked else []
    if len(around) > ranked:
        around = [around[len(around) * place // ranked] for place in range(ranked)]
    before, after, *others = encoded(host, [asked.case.prompt, asked.case.rewrite, *around])
    layouts = [
        layout_of(host.family, table, row.entry.prompt, row.entry.counts, rows_of(row.cond, host.family))
        for row in (before, after, *others)
    ]
    aligned = [blocks(host.family, layouts[0], one, asked.mentions) for one in layouts[1:]]
    shape = (len(others), *before.cond.shape)
    here, in_place = (torch.full(shape, torch.nan) for _ in range(2))
    for number, (one, found) in enumerate(zip(others, aligned[1:], strict=True)):
        for block in found:
            here[number, block.here, block.columns] = one.cond[block.there, block.columns]
        same = min(len(one.cond), len(before.cond))  # without pads a neighbour may be the shorter
        in_place[number, :same] = one.cond[:same]
    return Truth(asked, before, after, aligned[0], here, in_place)


def measured(truth: Truth, rival: Rival) -> Measured:
    """Let someone edit a case."""
    original, rewrite = truth.before.cond, truth.after.cond
    refused = False
    try:
        made = rival.edit(truth.asked, truth.before, truth.after)
    except ValueError:
        made, refused = original, True
    apart = len(rewrite) != len(original) or len(made) != len(original)
    if apart:  # an encoder without pads: cases keep the length, so the edit was not made as asked
        made, refused = original, True
    place = [one.in_place() for one in truth.blocks] if rival.in_place else truth.blocks
    off = _by_kind(place, made, rewrite)
    near = sum(off.values())
    around = truth.around_in_place if rival.in_place else truth.around
    nearest = bool(((made - around).square().nansum((1, 2)) > near).all())
    return Measured(off, _by_kind(place, original, rewrite), nearest, refused)


def _by_kind(found: Sequence[Block], made: Tensor, rewrite: Tensor) -> dict[str, float]:
    sums = dict[str, float]()
    for one in found:
        sums[one.kind] = sums.get(one.kind, 0.0) + one.off(made, rewrite)
    return sums
