"""A check as one picture: its lines with ticks and crosses, and below them the swaps drawn three ways."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from ...drawing.card import CardLine, card
from ...drawing.cells import Cell, cells
from ...drawing.sheet import PAPER
from ...hosts.sights import Trio
from .found import CheckLine


def swaps(trios: Sequence[tuple[str, Trio]]) -> Image.Image | None:
    """Draw a row of three pictures for each swap, of a concept's name and its pictures; None if there are none."""
    shown = []
    for concept, trio in trios:
        captions = ("as the prompt says", f"edited: {concept}", "written by hand")
        shown += [Cell(picture, caption) for picture, caption in zip(trio, captions, strict=True)]
    return cells(shown, "The same seed: without, edited, and the prompt rewritten", across=3) if shown else None


def sheet(title: str, found: Sequence[CheckLine], below: Image.Image | None) -> Image.Image:
    """Draw the lines, and the swaps below them."""
    head = card(title, [CardLine(one.holds, one.what, one.told) for one in found])
    if below is None:
        return head
    made = Image.new("RGB", (max(head.width, below.width), head.height + below.height), PAPER)
    made.paste(head, (0, 0))
    made.paste(below, (0, head.height))
    return made
