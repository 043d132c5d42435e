"""One picture as the prompt says it, one with each concept of a dictionary, and whether each took."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor

from ...drawing.cells import Cell, cells
from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.editing.edits import Turn
from ...supsae_core.editing.outcome import TOOK, VERDICTS, WEAK
from . import conditionings, edit_reports
from .comparing import compare
from .conditionings import Conditioning
from .pictures import Drawing, draw, drawing_progress, to_bytes

MOST = 24
"""Concepts that are drawn at once."""
MARK = {TOOK: "", WEAK: "moved"}
"""Verdict → how its picture is framed; else as one that is missed."""
LEFT = "cannot be tried"


class Tried(NamedTuple):
    """One concept."""

    name: str
    verdict: str
    """one of ``outcome.VERDICTS``, ``LEFT`` if nothing was drawn"""
    reason: str
    """why it did not simply take"""
    positive: Conditioning
    seen: bool = False
    """whether a reader looked for it in the picture"""


class Strip(NamedTuple):
    """What came of all of them."""

    sheet: Image.Image
    pictures: Tensor
    """((1 + n) · B, H, W, 3): unedited, then concept by concept"""
    report: str


def try_concepts(one: Drawing, dictionary: Dictionary, asked: str, strength: float) -> Strip:
    """Draw the picture without and with each concept.

    Args:
        asked: categories or concepts, a comma between two; all if empty.
        strength: of every edit.

    Raises:
        ValueError: if a name is not the dictionary's, or more than ``MOST`` are asked for; before anything is drawn.
    """
    names, more = chosen(dictionary, asked)
    tried = [_tried(one.positive, dictionary, name, strength) for name in names]
    drawn = [one_tried for one_tried in tried if one_tried.verdict != LEFT]
    told = drawing_progress(one, 1 + len(drawn))
    before = draw(one, told(0))
    pictures = [draw(one._replace(positive=own.positive), told(index)) for index, own in enumerate(drawn, 1)]
    seen = drawn
    if strength >= 1:  # at less a picture need not show it
        seen = [_in_picture(own, before, picture, dictionary) for own, picture in zip(drawn, pictures, strict=True)]
    shown = [Cell(to_bytes(before)[0], "as the prompt says")]
    shown += [
        Cell(to_bytes(picture)[0], own.name, MARK.get(own.verdict, "missed"))
        for own, picture in zip(seen, pictures, strict=True)
    ]
    said = {own.name: own for own in seen}
    report = _report([said.get(own.name, own) for own in tried], more)
    return Strip(cells(shown, report.splitlines()[0]), torch.cat([before, *pictures]), report)


def chosen(dictionary: Dictionary, asked: str) -> tuple[list[str], int]:
    """Return the concepts that are asked for, and of all how many more there are.

    Raises:
        ValueError: if a name is neither a category nor a concept, or too many are named.
    """
    table, found = dictionary.table, dict[int, None]()
    for name in filter(None, (part.strip() for part in asked.replace("\n", ",").split(","))):
        found |= dict.fromkeys([table.index(name)] if ":" in name else table.category(name))
    every = list(found) or [index for index in range(len(table)) if dictionary.writes[index] is not None]
    if found and len(every) > MOST:
        raise ValueError(f"{len(every)} concepts are asked for, and {MOST} are drawn at once. Name fewer.")
    return [str(table.concepts[index]) for index in every[:MOST]], len(every) - MOST


def _tried(positive: Conditioning, dictionary: Dictionary, name: str, strength: float) -> Tried:
    """Edit the prompt and read it again; its worst place counts."""
    try:
        made = conditionings.edit_places(positive, dictionary, [Turn(name, strength)])
    except ValueError as error:
        return Tried(name, LEFT, str(error), positive)
    again = edit_reports.read_again(dictionary, made.edited)
    outcomes = [outcome for one in again for outcome in one.outcomes]
    if not outcomes:
        return Tried(name, TOOK, "the prompt says it already", made.conditioning)
    worst = max(outcomes, key=lambda one: VERDICTS.index(one.verdict))
    return Tried(name, worst.verdict, worst.reason, made.conditioning)


def _in_picture(own: Tried, before: Tensor, after: Tensor, dictionary: Dictionary) -> Tried:
    """Hold a verdict against the pictures, where a reader has a name for what was asked."""
    category, value = own.name.split(": ", 1)
    pictures, looked = compare(before, after, dictionary).pictures, 0
    for number, some in enumerate(pictures, 1):
        seen = next((one for one in some if one.category == category and value in one.values), None)
        looked += seen is not None
        if seen is None or seen.after == value:
            continue
        shows = f"picture {number:d} shows {seen.after}" if len(pictures) > 1 else f"the picture shows {seen.after}"
        return own._replace(verdict=VERDICTS[-1], reason=shows, seen=True)
    return own._replace(seen=looked == len(pictures))


def _told(one: Tried) -> str:
    if one.verdict == WEAK:
        return f"{one.name}: weak, {one.reason}"
    return f"{one.name}: {one.verdict}, {one.reason}" if one.reason else f"{one.name}: {one.verdict}"


def _report(tried: Sequence[Tried], more: int) -> str:
    """Say in a sentence how many took, in pictures that were read and in prompts alone, and of the others why not."""
    took = [one for one in tried if one.verdict == TOOK]
    unseen = sum(not one.seen for one in took)
    sure = len(took) - unseen
    lines = [f"{sure} of {len(tried)} concepts took."] if sure or not unseen else []
    if unseen:
        told = f"The edited prompt says {unseen:d} of {len(tried)} concepts: look whether their pictures show them."
        lines = [" ".join([*lines, told])]
    for one in tried:
        if one.verdict != TOOK:
            lines.append(_told(one))
    if more > 0:
        lines.append(f"{more} more were not tried: name categories or concepts to see others.")
    return "\n".join(lines)
