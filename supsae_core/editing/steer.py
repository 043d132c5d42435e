"""An edit inside the model: what it adds at which site, and at which blocks it is put in and taken out again.

The text in a block is what the blocks before it made of the conditioning, so an edit there follows from the
conditioning's own (``carried.py``); the image stream needs codes captured there. One edit is put into one stream once:
at the first chosen block, and the residual stream carries it on to the last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional as F

from ..dictionary.model import Codes, Dictionary
from ..encoders.sites import Site
from ..encoders.streams import IMAGE, PIXELS, name_of, writer_of
from ..reading.members import narrowed
from ..reading.readout import Reading
from . import protect
from .change import Change
from .features import additive_step, cond_step, pooled_step, rows_step
from .members import shares
from .step import off_of
from .windows import Window

COND, POOLED = Site("cond"), Site("pooled")


@dataclass(frozen=True)
class Where:
    """Where and when edits act."""

    sites: tuple[Site, ...] = (COND, POOLED)
    window: Window = Window()
    everywhere: bool = False
    """in the negative prompt too, where it says something of the category"""
    inside: bool = False
    """taken out again behind the chosen blocks; otherwise it stays to the end"""

    def __post_init__(self) -> None:
        texts = [site for site in self.sites if site.kind == "txt"]
        if COND in self.sites and texts:
            raise ValueError(
                f"cond reaches every block already, so {texts[0]} would make the edit twice. Choose cond or txt@…."
            )
        if not self.sites:
            raise ValueError("No site is chosen. Write cond, pooled is the usual choice.")


class Stretch(NamedTuple):
    """Neighbouring chosen blocks of one stream, both included."""

    kind: str
    first: int
    last: int


class Moves(NamedTuple):
    """What edits add for one prompt, in full, or for a batch of B; float32 on the CPU."""

    cond: Tensor | None
    """(L, width) or (B, L, width), for ``cond`` and all of the text stream"""
    pooled: Tensor | None
    """(P,) or (B, P)"""
    streams: Mapping[Site, Tensor]
    """first block of a stretch of the image stream → (noise levels, rows, d) or (levels, B, rows, d); one row is for
    every token"""


def stretches(where: Where) -> list[Stretch]:
    """Return what is chosen of the streams; an edit that stays to the end is put in at the first chosen block only."""
    found: list[Stretch] = []
    for kind in ("txt", "img"):
        for block in sorted(site.block for site in where.sites if site.kind == kind and site.block is not None):
            if found and found[-1].kind == kind and (found[-1].last == block - 1 or not where.inside):
                found[-1] = found[-1]._replace(last=block)
            else:
                found.append(Stretch(kind, block, block))
    return found


def check_sites(dictionary: Dictionary, where: Where, masked: bool) -> None:
    """Refuse sites that a dictionary has nothing for, before anything is sampled.

    Raises:
        ValueError: naming the site and those there are; or if a part needs a mask to say where, and there is none.
    """
    for stretch in stretches(where):
        site = Site(stretch.kind, stretch.first)
        if stretch.kind == "img" and not _parts(dictionary, site):
            learnt = (name.split("/")[0] for name in dictionary.streams if name.startswith("img"))
            have = ", ".join(dict.fromkeys(["cond", "pooled", "txt@ with any block", *learnt]))
            raise ValueError(
                f"This dictionary has nothing for {site}; it has {have}. Choose one of these, or run Capture "
                f"with prompts and blocks at {site} and fit again."
            )
        if name_of(site, "attention") in dictionary.streams and not masked:
            raise ValueError(
                f"What was learnt at {site} is about the places that attend to the words. Connect a mask that says "
                "where they are, from Concept Map for example."
            )


def moves(dictionary: Dictionary, cond: Tensor, reading: Reading, found: Sequence[Change], where: Where) -> Moves:
    """Return what the changes of one prompt, with rows (L, width), add at the chosen sites."""
    chosen = stretches(where)
    firsts = [Site(one.kind, one.first) for one in chosen if one.kind == "img"]
    text = COND in where.sites or len(firsts) < len(chosen)
    return Moves(
        cond_step(dictionary, cond, reading, found).rows if text else None,
        pooled_step(dictionary, reading, found) if POOLED in where.sites else None,
        {site: _stream_step(dictionary, site, reading, found) for site in firsts},
    )


def stacked(some: Sequence[Moves]) -> Moves:
    """Return the moves of a batch; a prompt that nothing changes has zeros."""
    cond = [one.cond for one in some if one.cond is not None]
    pooled = [one.pooled for one in some if one.pooled is not None]
    streams = {site: torch.stack([one.streams[site] for one in some], 1) for site in some[0].streams}
    return Moves(torch.stack(cond) if cond else None, torch.stack(pooled) if pooled else None, streams)


def at_level(steps: Tensor, centres: Sequence[float], sigma: float) -> Tensor:
    """Interpolate steps (noise levels, …) linearly between falling centres and return one (…); beyond, the nearest."""
    after = next((i for i, centre in enumerate(centres) if centre <= sigma), len(centres) - 1)
    if after == 0 or centres[after] >= sigma:
        return steps[after]
    share = (centres[after - 1] - sigma) / (centres[after - 1] - centres[after])
    return torch.lerp(steps[after - 1], steps[after], share)


def grid_of(dictionary: Dictionary) -> tuple[int, int]:
    """Return rows and columns of the image tokens that a dictionary's streams were learnt on."""
    sampling = dictionary.provenance.get("sampling") or {}
    return int(sampling.get("height", PIXELS)) // PIXELS, int(sampling.get("width", PIXELS)) // PIXELS


def on_grid(step: Tensor, learnt: tuple[int, int], grid: tuple[int, int], mask: Tensor | None) -> Tensor:
    """Fit a step (rows, d) of the image stream to a picture of another size, and confine it.

    Args:
        step: one row for every token, or one row for all.
        learnt: rows and columns of tokens that it was learnt on.
        grid: rows and columns of tokens of the picture.
        mask: (H, W) in 0 … 1 of any size, or None.

    Returns:
        (tokens or 1, d)
    """
    if len(step) > 1 and learnt != grid:
        table = rearrange(step, "(rows columns) d -> 1 d rows columns", rows=learnt[0])
        table = F.interpolate(table, grid, mode="bilinear", antialias=True)
        step = rearrange(table, "1 d rows columns -> (rows columns) d")
    if mask is None:
        return step
    inside = F.interpolate(rearrange(mask.to(step), "h w -> 1 1 h w"), grid, mode="area")
    return step * rearrange(inside, "1 1 rows columns -> (rows columns) 1")


def _parts(dictionary: Dictionary, site: Site) -> dict[str, tuple[Codes, ...]]:
    """Return what a dictionary has at a site of the image stream: kind of rows → codes at every noise level."""
    names = {rows: name_of(site, rows) for rows in IMAGE}
    return {rows: dictionary.streams[name] for rows, name in names.items() if name in dictionary.streams}


def _stream_step(dictionary: Dictionary, site: Site, reading: Reading, found: Sequence[Change]) -> Tensor:
    """Return (noise levels, rows, d)."""
    if dictionary.members:
        some = shares(dictionary, reading, found)
        if not some:  # nothing is added, in the shape of a member's
            lead = dictionary.members[0]
            return _stream_step(lead.dictionary, site, narrowed(dictionary, lead, reading), ())
        return torch.stack([_stream_step(one.dictionary, site, one.reading, one.changes) for one in some]).sum(0)
    steps: list[Tensor] = []
    for rows, levels in _parts(dictionary, site).items():
        step = step_of(rows)
        steps.append(torch.stack([step(dictionary, codes, reading, found) for codes in levels]))
    return torch.stack(steps).sum(0)


def _text_step(segment: str, dictionary: Dictionary, codes: Codes, reading: Reading, found: Sequence[Change]) -> Tensor:
    encoder = writer_of(segment, dictionary.family, reading.layouts)
    if encoder is None:
        return torch.zeros(reading.rows.total, codes.decoder.shape[1])
    return rows_step(reading.coded(dictionary, encoder, codes), reading.layouts[encoder.name], found)


def _attended_step(dictionary: Dictionary, codes: Codes, reading: Reading, found: Sequence[Change]) -> Tensor:
    """Return (1, d): what the places that attend to an old phrase become when they attend to the new one.

    Both are decoded in the old phrase's context.
    """
    said, off = set(reading.concepts(dictionary)), off_of(found)
    step = torch.zeros(codes.decoder.shape[0])
    for change in found:
        if change.old is None or change.new is None:
            raise ValueError(
                "What was learnt about places that attend to words can only swap one word for another. Swap, or choose "
                "another site."
            )
        around = torch.zeros(len(dictionary.table))
        around[[one for one in said if one != change.old]] = 1
        old, new = (codes.code(dictionary.phrase(one), 0, around) for one in (change.old, change.new))
        moved = change.alpha * float(codes.gains[change.new]) * (new - old)
        if off:
            moved = protect.projected(moved, protect.basis(codes, dictionary.phrase(change.old), off))
        step = step + moved
    return (step @ codes.decoder)[None]


Step = Callable[[Dictionary, Codes, Reading, Sequence[Change]], Tensor]
"""(dictionary, codes, reading, changes) → (rows, d)."""
STEPS: dict[str, Step] = {"mean": additive_step, "positions": additive_step, "attention": _attended_step}
"""Rows of a part of the image stream (``streams.py``) → the step it makes."""


def step_of(rows: str) -> Step:
    """Return what makes the step of a part's rows: of the text stream's, all segments alike."""
    return STEPS.get(rows, partial(_text_step, rows))
