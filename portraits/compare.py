"""What a reader sees change between two pictures of Portraits; nothing of pictures that are none."""

from __future__ import annotations

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


def seen_changes(before: Tensor, after: Tensor) -> list[SeenChange] | None:
    """Read two pictures (H, W, 3) in 0 … 1, category by category; None if they cannot be Portraits'.

    Portraits are square for every person; enlarged ones are made small again.
    """
    height, width = before.shape[:2]
    if before.shape != after.shape or height < SIZE or width % height or width // height not in PEOPLE:
        return None
    both = rearrange(torch.stack([before, after]).float().cpu(), "n h w c -> n c h w")
    small = F.interpolate(both, (SIZE, SIZE * (width // height)), mode="area")
    one, other = read_people(load_reader().read, small)
    if all(value == UNREADABLE for value in one.values()):
        return None
    return [
        SeenChange(place, value, other[place], scene.FACTORS[place.split()[-1]])  # of two people "left hair"
        for place, value in one.items()
    ]
