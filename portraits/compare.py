"""What a reader sees in pictures of Portraits, and what changes between two; nothing of pictures that are none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional as F

from . import scene
from .pen import SIZE
from .reader import UNREADABLE, load_reader, read_people

PEOPLE = (1, 2)


class SeenChange(NamedTuple):
    """One category of two pictures, as a reader sees it; of two people its name says which."""

    category: str
    before: str
    after: str
    values: tuple[str, ...]
    """what the reader can call it"""


def readings(pictures: Tensor) -> list[dict[str, str]] | None:
    """Read pictures (B, H, W, 3) in 0 … 1: category → value or ``unreadable``; None if their size is not Portraits'.

    Portraits are square for every person; enlarged ones are made small again.
    """
    height, width = pictures.shape[1:3]
    if height < SIZE or width % height or width // height not in PEOPLE:
        return None
    small = F.interpolate(
        rearrange(pictures.float().cpu(), "n h w c -> n c h w"), (SIZE, SIZE * (width // height)), mode="area"
    )
    return read_people(load_reader().read, small)


def reads_nothing(reading: Mapping[str, str]) -> bool:
    """Tell whether nothing in a picture could be read: then it is no portrait."""
    return all(value == UNREADABLE for value in reading.values())


def seen_changes(before: Tensor, after: Tensor) -> list[SeenChange] | None:
    """Read two pictures (H, W, 3) in 0 … 1, category by category; None if they cannot be Portraits'."""
    found = all_seen_changes(before[None], after[None]) if before.shape == after.shape else None
    return found[0] if found and found[0] else None


def all_seen_changes(before: Tensor, after: Tensor) -> list[list[SeenChange]] | None:
    """Read two batches (B, H, W, 3) of equal shape, picture by picture; None if they cannot be Portraits'.

    A picture in which nothing can be read before has an empty list.
    """
    found = readings(torch.cat([before, after]))
    if found is None:
        return None
    pairs = zip(found[: len(before)], found[len(before) :], strict=True)
    return [[] if reads_nothing(one) else _seen(one, other) for one, other in pairs]


def _seen(one: Mapping[str, str], other: Mapping[str, str]) -> list[SeenChange]:
    return [SeenChange(place, value, other[place], scene.FACTORS[factor(place)]) for place, value in one.items()]


def factor(place: str) -> str:
    """Return the category that is read at a place: of two people ``left hair`` is ``hair``."""
    return place.split()[-1]


def can_name(concept: str) -> bool:
    """Tell whether the reader has a name for a concept, such as ``hair: red``."""
    category, _, value = concept.partition(": ")
    return value in scene.FACTORS.get(category, ())
