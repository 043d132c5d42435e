"""One picture for every strength of some edits, from one seed, on one sheet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor

from ...drawing.grid import grid
from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.editing import factors
from ...supsae_core.editing.edits import AnyEdit, spell_edit
from ...supsae_core.editing.evenness import evenness, tell_evenness
from . import conditionings
from .pictures import Drawing, draw, drawing_progress, to_bytes


class Sweep(NamedTuple):
    """What a sweep made."""

    sheet: Image.Image
    pictures: Tensor
    """(strengths × B, H, W, 3), strength by strength"""
    report: str
    """of the largest number"""


def sweep(one: Drawing, dictionary: Dictionary, edits: Sequence[AnyEdit], numbers: Sequence[float]) -> Sweep:
    """Draw the picture at every multiple of the edits' strengths.

    Raises:
        ValueError: if a strength leaves its range, or an edit finds nothing to change; before anything is drawn.
    """
    some = [factors.multiplied(edits, number) for number in numbers]
    made = [conditionings.edit(one.positive, dictionary, own) for own in some]
    told = drawing_progress(one, len(numbers))
    pictures = [draw(one._replace(positive=made[i][0]), told(i)) for i in range(len(numbers))]
    sheet = _sheet(pictures, numbers, f"{', '.join(spell_edit(own) for own in edits)}, times")
    strongest = max(range(len(numbers)), key=lambda i: abs(numbers[i]))
    report = f"times {numbers[strongest]:g}:\n{made[strongest][1]}"
    return Sweep(sheet, torch.cat(pictures), "\n".join([report, *_measured(pictures, numbers)]))


def _measured(pictures: Sequence[Tensor], numbers: Sequence[float]) -> list[str]:
    """Return a line on how evenly the pictures move, where the numbers can tell."""
    try:
        found = evenness(torch.stack(list(pictures)), numbers, pictures[list(numbers).index(0)])
    except ValueError:  # not among three numbers, or nothing that can be seen changed
        return []
    return [tell_evenness(found)]


def _sheet(pictures: Sequence[Tensor], numbers: Sequence[float], title: str) -> Image.Image:
    cells = [to_bytes(own) for own in pictures]
    rows = [[cell[row] for cell in cells] for row in range(len(cells[0]))]
    names = [f"picture {row + 1}" if len(rows) > 1 else "" for row in range(len(rows))]
    return grid(rows, [f"{number:g}" for number in numbers], names, title)
