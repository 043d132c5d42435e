"""Many seeds of one prompt, each drawn without and with edits, and read where there is a reader."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...drawing.pairs import thumbnail
from ...portraits.compare import readings, reads_nothing
from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.editing.edits import AnyEdit
from . import conditionings
from .comparing import is_readable
from .pictures import Drawing, draw, drawing_progress, to_bytes
from .references import Look

MOST = 64
"""Seeds that are drawn at once."""
LAST = 2**64
"""Behind the last seed there is the first."""
Reading = Mapping[str, str]


class DrawnSeeds(NamedTuple):
    """What came of all seeds."""

    seeds: list[int]
    shown: list[tuple[np.ndarray, np.ndarray]]
    """before and after, small, as bytes"""
    readings: list[tuple[Reading, Reading]]
    """before and after; empty where nothing can be read"""
    pictures: Tensor
    """(seeds, H, W, 3), edited"""
    said: tuple[int, ...]
    """concepts of the prompt"""
    report: str
    """what the edits did to the prompt"""


def draw_seeds(
    at: Callable[[int], Drawing], first: int, count: int, dictionary: Dictionary, edits: Sequence[AnyEdit],
    look: Look | None = None,
) -> DrawnSeeds:  # fmt: skip
    """Draw without and with the edits from each of so many seeds in a row, one picture at a time.

    Args:
        at: a seed → everything that decides its picture.
        look: reads pictures; else Portraits' reader does, if they are.

    Raises:
        ValueError: if an edit finds nothing to change, or a seed gives several pictures; before anything is drawn.
    """
    seeds = [(first + index) % LAST for index in range(count)]
    one = at(seeds[0])
    _require_one(one)
    made = conditionings.edit_places(one.positive, dictionary, edits)
    told, look = drawing_progress(one, 2 * count), look or _reader(dictionary)
    shown, seen, pictures = [], [], []
    for index, seed in enumerate(seeds):
        own = at(seed)
        before = draw(own, told(2 * index))
        after = draw(own._replace(positive=made.conditioning), told(2 * index + 1))
        shown.append((thumbnail(to_bytes(before)[0]), thumbnail(to_bytes(after)[0])))
        seen.append(look(torch.cat([before, after])))
        pictures.append(after)
    said = tuple(dict.fromkeys(concept for place in made.places for concept in place.said))
    return DrawnSeeds(seeds, shown, _read(seen), torch.cat(pictures), said, made.report)


def _reader(dictionary: Dictionary) -> Look:
    return readings if is_readable(dictionary) else lambda pictures: None


def _require_one(one: Drawing) -> None:
    prompts = max((len(rows) for rows, _ in one.positive), default=1)
    if prompts > 1:
        raise ValueError(
            f"'positive' holds {prompts} prompts in one batch, and here every seed is one picture, which would show "
            "the first alone. Connect them as a list, which is audited prompt by prompt."
        )
    if len(one.noise) != 1:
        raise ValueError(
            f"'latent' holds {len(one.noise)} pictures, and here every seed is one. Set its batch_size to 1, and "
            "'seeds' to the number of pictures."
        )


def _read(seen: Sequence[list[dict[str, str]] | None]) -> list[tuple[Reading, Reading]]:
    """Return what was read; nothing if no picture is a portrait."""
    found: list[tuple[Reading, Reading]] = [(own[0], own[1]) for own in seen if own is not None]
    return [] if all(reads_nothing(one) for own in found for one in own) else found
