"""What Concept Map and Block Map show of what they found: pictures, sentences, tables, JSON."""

from __future__ import annotations

import json

import torch
from PIL import Image
from torch import Tensor

from ...drawing.grid import grid
from ...drawing.overlay import overlay
from ...drawing.plot import Line, plot
from ...supsae_core.reading.prompt_report import aligned
from .mapping import Mapped, Wanted
from .patching import SIDES, BlockMap
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
    columns = [["block", *map(str, found.places)]]
    columns += [[side, *(f"{one.change:.0%} ({one.towards:.0%})" for one in found.points[side])] for side in SIDES]
    lines = aligned(list(zip(*columns, strict=True)))
    return "\n".join([*lines, "change of the picture (and how far it went the edit's own way), of the whole edit's"])


def as_json(found: BlockMap) -> str:
    """Return the numbers as JSON text; the help page of the node documents it."""
    sides = {}
    for side in SIDES:
        measured = ({name: round(value, 4) for name, value in one._asdict().items()} for one in found.points[side])
        sides[side] = [{"block": place, **one} for place, one in zip(found.places, measured, strict=True)]
    return json.dumps({"version": 1, "blocks": found.places[-1], "sides": sides}, indent=1)
