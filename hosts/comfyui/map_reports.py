"""What Concept Map and Block Map show of what they found: pictures, sentences, tables, JSON."""

from __future__ import annotations

import json

import torch
from PIL import Image
from torch import Tensor

from ...drawing.grid import grid
from ...drawing.overlay import overlay
from ...drawing.plot import Line, plot
from .mapping import Mapped, Wanted
from .patching import SIDES, BlockMap, Point
from .pictures import to_bytes

# --- Concept Map ---------------------------------------------------------------------------------------------------


def over(found: Mapped) -> Tensor:
    """Return the pictures with the map over them, as an IMAGE."""
    return torch.from_numpy(overlay(found.pictures.float().cpu().numpy(), found.mask.numpy()))


def said(wanted: Wanted, found: Mapped) -> str:
    """Return the raw values in a sentence."""
    mean, low, high = (float(one) for one in (found.raw.mean(), found.raw.amin(), found.raw.amax()))
    if wanted.method == "attention":
        return (
            f"{wanted.concept}: its words get {mean:.2%} of an image token's attention on average, {low:.2%} at least "
            f"and {high:.2%} at most."
        )
    return (
        f"{wanted.concept}: with something else in its place the foreseen latent differs by {mean:.3f} on average, "
        f"{low:.3f} at least and {high:.3f} at most."
    )


# --- Block Map -----------------------------------------------------------------------------------------------------


def plotted(found: BlockMap, title: str, depth: int) -> Image.Image:
    """Draw the changes over the blocks."""
    lines = [Line(side, tuple(point.change for point in found.points[side])) for side in SIDES]
    return plot(
        found.places, lines, title=f"{title}, edited…", across=f"block ({depth}: behind the last)",
        upwards="change of the picture", note="100 %: the whole edit, 0 %: none",
    )  # fmt: skip


def pictured(found: BlockMap, depth: int) -> Image.Image:
    """Draw the first picture of every place on a sheet, the unedited one in front."""
    first = to_bytes(found.unedited)[0]
    rows = [[first, *(to_bytes(one)[0] for one in found.pictures[side])] for side in SIDES]
    columns = ["unedited", *(str(place) if place < depth else f"{place} (end)" for place in found.places)]
    return grid(rows, columns, list(SIDES), "Edited from, and only before, block")


def as_text(found: BlockMap) -> str:
    """Return the numbers as a table."""
    head = ["block", *SIDES]
    rows = [[str(place), *(_spelled(found.points[side][i]) for side in SIDES)] for i, place in enumerate(found.places)]
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    table = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in [head, *rows]
    ]
    return "\n".join([*table, "change of the picture (and how far it went the edit's own way), of the whole edit's"])


def _spelled(point: Point) -> str:
    return f"{point.change:.0%} ({point.towards:.0%})"


def as_json(found: BlockMap) -> str:
    """Return the numbers as JSON text; the help page of the node documents it."""
    sides = {
        side: [
            {"block": place, "change": round(point.change, 4), "towards": round(point.towards, 4)}
            for place, point in zip(found.places, found.points[side], strict=True)
        ]
        for side in SIDES
    }
    return json.dumps({"version": 1, "blocks": found.places[-1], "sides": sides}, indent=1)
