"""Which concepts an encoded prompt says, part by part and row by row, as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image

from ...drawing.bars import Panel, prompt_picture
from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.reading import prompt_report
from ...supsae_core.reading.prompt_report import PromptReport
from . import placed
from .conditionings import Conditioning, Taught, taught_places


class PromptRead(NamedTuple):
    """One batch row of one part of a conditioning."""

    title: str
    """empty if there is no other"""
    part: int
    row: int
    whole: bool
    """speaks of the whole picture, not of an area or a mask"""
    report: PromptReport


def read_prompt(conditioning: Conditioning, dictionary: Dictionary, taught: Taught | None = None) -> list[PromptRead]:
    """Read every batch row of every part, numbered from 1.

    Args:
        taught: what was encoded, if it is known: some words are only found with it.

    Raises:
        ValueError: if there is none, or one cannot be read.
    """
    places = [place for i, entry in enumerate(conditioning) for place in placed.read(dictionary, entry, i)]
    if not places:
        raise ValueError("This conditioning is empty. Connect CLIP Text Encode (Prompt).")
    if taught is not None:
        places, _ = taught_places(conditioning, dictionary, places, taught)
    found = []
    for place in places:
        rows = conditioning[place.entry][0][place.row].float().cpu()
        report = prompt_report.report_prompt(dictionary, rows, place.reading)
        title = f"part {place.entry + 1}, row {place.row + 1}" if len(places) > 1 or place.partial else ""
        title += ", for a part of the picture" * place.partial
        found.append(PromptRead(title, place.entry + 1, place.row + 1, not place.partial, report))
    return found


def as_text(found: list[PromptRead]) -> str:
    """Return the report as text, one paragraph a row."""
    return "\n\n".join(
        "\n".join([*([one.title] if one.title else []), *prompt_report.lines(one.report)]) for one in found
    )


def as_json(found: list[PromptRead]) -> str:
    """Return the report as JSON text; the help page of the node documents it."""
    rows = [
        {"part": one.part, "row": one.row, "whole_picture": one.whole, **prompt_report.to_json(one.report)}
        for one in found
    ]
    return json.dumps({"version": 1, "prompts": rows}, ensure_ascii=False, indent=1)


def as_picture(found: Sequence[PromptRead]) -> Image.Image:
    """Return the report as bars, one panel a row."""
    return prompt_picture([Panel(one.title, one.report) for one in found])
