"""Who draws the pictures of the experiment, and who says what they show."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from torch import Tensor

from ...hosts.diffusers import pictures, studio
from ...hosts.diffusers.clip import Clip
from ...hosts.diffusers.pictures import PictureConfig
from ...hosts.diffusers.text import DiffusersText, load_pipeline
from ...supsae_core.host import TextHost
from ...supsae_core.table.concepts import ConceptTable

if TYPE_CHECKING:
    from torch.nn import Module

Draw = Callable[[Sequence[Tensor], Sequence[Tensor], Sequence[int]], np.ndarray]
"""(conditionings, pooled vectors, seeds) → (n, h, w, 3) bytes"""
Read = Callable[[np.ndarray], list[Mapping[str, str]]]
"""Pictures → category → value that each shows"""

EXACT = "Read by the embedded model's own reader, which is right on every render."
PROXY = (
    "Read by CLIP, which of a category's phrases fits a picture best: a proxy, no truth. It has faults of its own, so "
    "concepts are first qualified by the same judge, and the pictures are there to be looked at."
)
UNREAD = "Nobody has read the pictures: name a CLIP model with --clip to have them compared, and look at the sheet."


class Painter(NamedTuple):
    """A model that draws, and who reads its pictures."""

    host: TextHost
    draw: Draw
    batch: int
    """pictures drawn together"""
    read: Read | None
    about: str
    """who reads, a sentence"""
    weights: int
    """bytes of the model in memory"""


def portraits() -> Painter:
    """Return the embedded model and its exact reader."""
    models = studio.quickened(studio.load_studio())
    parts: tuple[Module, ...] = (models.encoders, models.transformer, models.vae)
    read: Read = partial(studio.read_portraits, models)  # pyright: ignore[reportAssignmentType] - dict is a Mapping
    return Painter(models.host, partial(studio.draw_portraits, models), 16, read, EXACT, sum(map(_bytes, parts)))


def sd3(folder: Path, clip: Path | None, config: PictureConfig, table: ConceptTable) -> Painter:
    """Return a model in diffusers' layout, read by a CLIP model if one is named.

    Raises:
        ValueError: if either cannot be loaded.
    """
    judge = Clip(clip) if clip else None
    pipeline = load_pipeline(folder)
    host = DiffusersText(pipeline)
    parts = [one for one in pipeline.components.values() if hasattr(one, "parameters")]
    read = by_clip(judge, table) if judge else None
    draw = partial(pictures.draw_pictures, host, config=config)
    return Painter(host, draw, 1, read, PROXY if judge else UNREAD, sum(map(_bytes, parts)))


def by_clip(judge: Clip, table: ConceptTable) -> Read:
    """Return what reads, of every category, the value whose first phrase is nearest to a picture."""
    said = judge.texts([f"a photo: {table.phrases[first].text}" for first in table.first_phrase])

    def read(shown: np.ndarray) -> list[Mapping[str, str]]:
        alike = judge.pictures(list(shown)) @ said.T
        return [
            {name: table.concepts[max(members, key=row.__getitem__)].name for name, members in table.categories.items()}
            for row in alike.tolist()
        ]

    return read


def _bytes(module: Module) -> int:
    return sum(one.numel() * one.element_size() for one in module.parameters())
