"""One picture for every strength of some edits, from one seed, on one sheet; and a slider calibrated on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor

from ...drawing.grid import grid
from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.editing import calibrating, factors
from ...supsae_core.editing.edits import AnyEdit, spell_edit
from ...supsae_core.editing.evenness import evenness, tell_evenness
from . import conditionings
from .pictures import Drawing, Told, draw, drawing_progress, to_bytes

Teller = Callable[[int], Told]
"""Number of a picture → what is told of its steps."""


class Sweep(NamedTuple):
    """What a sweep made."""

    sheet: Image.Image
    pictures: Tensor
    """(strengths × B, H, W, 3), strength by strength; where it was calibrated those behind it are drawn with that"""
    report: str
    """of the largest number"""
    dictionary: Dictionary
    """the one that came in, or calibrated"""


class SweptPictures(NamedTuple):
    """A picture at every number."""

    pictures: list[Tensor]
    """(B, H, W, 3) each"""
    reports: list[str]
    """what the edits did to the prompt"""


def sweep(
    one: Drawing, dictionary: Dictionary, edits: Sequence[AnyEdit], numbers: Sequence[float], calibrate: bool = False
) -> Sweep:
    """Draw the picture at every multiple of the edits' strengths.

    Args:
        calibrate: the slider of the edit's concept on the pictures, and draw them again with it.

    Raises:
        ValueError: if a strength leaves its range, or an edit finds nothing to change; before anything is drawn. If it
            cannot be calibrated; says why.
    """
    concept = calibrating.require_calibratable(dictionary, edits, numbers) if calibrate else None
    told = drawing_progress(one, len(numbers) * (1 if concept is None else 2))
    first = _drawn(one, dictionary, edits, numbers, told)
    strongest = max(range(len(numbers)), key=lambda i: abs(numbers[i]))
    lines = [f"times {numbers[strongest]:g}:\n{first.reports[strongest]}", *_measured(first.pictures, numbers)]
    title, sets = f"{', '.join(spell_edit(own) for own in edits)}, times", [first.pictures]
    if concept is not None:
        made = calibrating.calibrated(dictionary, concept, torch.stack(first.pictures), numbers)
        known = _still_there(dictionary, made, concept, numbers, first)
        again = _drawn(one, made, edits, numbers, lambda i: told(len(numbers) + i), known)
        lines += _told_calibrated(made, concept, again.pictures, numbers)
        dictionary = made
        sets.append(again.pictures)
    pictures = torch.cat([picture for own in sets for picture in own])
    return Sweep(_sheet(sets, numbers, title), pictures, "\n".join(lines), dictionary)


def _drawn(
    one: Drawing, dictionary: Dictionary, edits: Sequence[AnyEdit], numbers: Sequence[float], told: Teller,
    known: dict[int, Tensor] | None = None,
) -> SweptPictures:  # fmt: skip
    """Draw at every number but those whose picture is known."""
    some = [factors.multiplied(edits, number) for number in numbers]
    made = [conditionings.edit(one.positive, dictionary, own) for own in some]
    there = known or {}
    pictures = [
        there[i] if i in there else draw(one._replace(positive=made[i][0]), told(i)) for i in range(len(numbers))
    ]
    return SweptPictures(pictures, [report for _, report in made])


def _still_there(
    dictionary: Dictionary, made: Dictionary, concept: int, numbers: Sequence[float], first: SweptPictures
) -> dict[int, Tensor]:
    """Return the pictures of the positions at which the strength is what it was, as at 0 and 1."""
    stays = [dictionary.strength(number, concept) == made.strength(number, concept) for number in numbers]
    return {i: picture for i, picture in enumerate(first.pictures) if stays[i]}


def _told_calibrated(made: Dictionary, concept: int, pictures: Sequence[Tensor], numbers: Sequence[float]) -> list[str]:
    """Say how far the slider is safe, and how evenly it moves the pictures now."""
    own, name, count = made.slider_map(concept), str(made.table.concepts[concept]), len(pictures[0])
    assert own is not None
    return [
        f"calibrated {name} on {count:d} picture{'s' if count > 1 else ''}: safe from {own.low:g} to {own.high:g}",
        "drawn again with it:",
        *_measured(pictures, numbers),
    ]


def _measured(pictures: Sequence[Tensor], numbers: Sequence[float]) -> list[str]:
    """Return a line on how evenly the pictures move, where the numbers can tell."""
    try:
        found = evenness(torch.stack(list(pictures)), numbers, pictures[list(numbers).index(0)])
    except ValueError:  # not among three numbers, or nothing that can be seen changed
        return []
    return [tell_evenness(found)]


def _sheet(sets: Sequence[Sequence[Tensor]], numbers: Sequence[float], title: str) -> Image.Image:
    """Draw a row for every picture; of two sets the second one's behind. Of many numbers some, evenly spread."""
    shown = spread(len(numbers), factors.MOST)
    cells = [[to_bytes(pictures[i]) for i in shown] for pictures in sets]
    count, marks = len(cells[0][0]), ["", "calibrated"] if len(sets) > 1 else [""]
    rows = [[cell[row] for cell in own] for own in cells for row in range(count)]
    named = [f"picture {row + 1} " if count > 1 else "" for row in range(count)]
    names = [f"{name}{mark}".strip() for mark in marks for name in named]
    return grid(rows, [f"{numbers[i]:.3g}" for i in shown], names, title)


def spread(count: int, most: int) -> list[int]:
    """Return at most so many of the indices below ``count``, evenly spread, the first and the last among them."""
    if count <= most:
        return list(range(count))
    return [round(index * (count - 1) / (most - 1)) for index in range(most)]
