"""The parts that a stream inside the model is learnt in: their names, slots and groups.

A part is spelled site/rows. Of the text stream there is one a segment of the model family, such as ``txt@3/clip`` and
``txt@3/t5``; both have the slots of the prompt embedding. Of the image stream there is one, named after what
its rows were reduced to: ``img@3/mean``, ``img@3/attention`` or ``img@3/positions``.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ..table.concepts import ConceptTable
from . import sites
from .base import Encoder, Family
from .layout import Layout
from .sites import Site

PIXELS = 16
"""Width of an image token's square in pixels: the latent is an eighth, and patches are two of its cells wide."""
IMAGE = ("mean", "attention", "positions")
"""Reductions of the image stream: one slot; one a phrase, tokens weighted by its attention; one a token."""


def name_of(site: Site, rows: str) -> str:
    """Return a part's name."""
    return f"{site}/{rows}"


def parse_part(name: str) -> tuple[Site, str]:
    """Return site and rows of a part's name.

    Raises:
        ValueError: if it is none.
    """
    spelled, _, rows = name.partition("/")
    (site,) = sites.parse_sites(spelled)
    is_part = rows.isidentifier() and rows not in IMAGE if site.kind == "txt" else site.kind == "img" and rows in IMAGE
    if not is_part:
        raise ValueError(f"There is no part {name!r}. Parts are such as txt@3/clip, txt@3/t5 and img@3/mean.")
    return site, rows


def slots_of(name: str, table: ConceptTable, family: Family) -> int | None:
    """Return the number of slots of a part, or None if it has one for every image token, however many there are.

    Raises:
        ValueError: if there is no such part.
    """
    _, rows = parse_part(name)
    phrases = len(table.phrases)
    every: dict[str, int | None] = {"mean": 1, "attention": phrases, "positions": None}
    return every.get(rows, phrases + len(family.roles))


def groups_of(name: str, table: ConceptTable, slots: int) -> Tensor:
    """Return (slots,) the group of every slot: a phrase's category, one of its own for a role; else one for all."""
    if parse_part(name)[1] in ("mean", "positions"):
        return torch.zeros(slots, dtype=torch.int64)
    phrases = [table.category_of[phrase.concept] for phrase in table.phrases]
    return torch.tensor(phrases + [len(table.categories) + role for role in range(slots - len(phrases))])


def writer_of(segment: str, family: Family, layouts: Mapping[str, Layout]) -> Encoder | None:
    """Return one of the encoders that wrote the rows of a segment, if any did; those that share rows spell alike."""
    return next((one for one in family.segments.get(segment, ()) if one.name in layouts), None)
