"""Pictures of what a run found: everyone's shares, and the first cases."""

from collections.abc import Sequence

from PIL import Image

from ...drawing.codes import cosine_picture
from ...drawing.dots import Dots, Share, dots
from ...drawing.sheet import Column, font, sheet, wrapped
from ..intervals import Interval
from ..pictures.methods import OURS
from ..results import Example, Results
from .methods import Json, pairs, tone

COLOURS = {"edited": (91, 63, 214), "rewrite": (120, 118, 126), "before": (176, 172, 162), "baseline": (192, 122, 43)}
"""Class of a method → its colour."""
MEASURES = {"success": "value asked for is read", "kept": "all else is kept", "both": "both"}
ON_SHEET = 8
"""Examples on the contact sheet."""
ROW_NAME = 124
"""Pixels for the name of a row of the contact sheet."""


def plots(found: Results) -> dict[str, Image.Image]:
    """Return the plots of the parts that were run, by name."""
    sections = found.results["sections"]
    made = {"headline": headline(sections["headline"])} if "headline" in sections else {}
    shown = found.examples.get("headline") or found.examples.get("proxies")
    if shown:
        made["examples"] = examples(shown)
    return {**made, "cosines": cosine_picture(found.dictionary)}


def headline(section: Json) -> Image.Image:
    """Draw success, kept and both of everyone, without and with the lock."""
    lines = [
        Dots(name, COLOURS[tone(name)], _shares(free), _shares(held), name == OURS)
        for name, free, held in pairs(section["rows"])
    ]
    counts = sorted({row["count"] for row in section["rows"].values()})
    unseen = section["split"] == "unseen pairs"
    into = "into pairs of concepts that the dictionary never saw together" if unseen else "of concepts"
    note = (
        f"{counts[-1]} swaps {into} on Portraits{f' ({counts[0]} for the baselines)' if len(counts) > 1 else ''}, free "
        "wording, strength 1, the same seeds for all. Bands: 95 % intervals."
    )
    title = "What was asked, and nothing else"
    return dots(lines, MEASURES, title=title, note=note, rings="without the lock", discs="with the lock")


def _shares(row: Json | None) -> dict[str, Share]:
    return {name: Interval.parse(row[name])[:3] for name in MEASURES} if row else {}


def examples(shown: Sequence[Example]) -> Image.Image:
    """Draw the first cases, a row a way that they were drawn in."""
    ways, columns = list(shown[0].pictures), []
    for one in shown[:ON_SHEET]:
        kind, _, wanted = one.title.partition(": ")
        pictures = tuple(one.pictures[way] for way in ways)
        faults = tuple(one.faults[way] for way in ways)
        columns.append(Column(kind, wanted, pictures, faults))
    note = f"The first {len(columns)} cases, none picked. All pictures of a column start from the same noise."
    if any(any(one.faults.values()) for one in shown[:ON_SHEET]):
        note += " Red frame: the asked-for value was not read. Amber frame: something else changed."
    rows = ["\n".join(wrapped(way, font(18), ROW_NAME)) for way in ways]
    return sheet(columns, rows, "One edit, every method", note, across=len(columns))
