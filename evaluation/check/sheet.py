"""A check as one picture: its lines with ticks and crosses, and below them the swaps drawn three ways."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from ...drawing.card import CardLine, card
from ...drawing.cells import Cell, cells
from ...drawing.sheet import PAPER
from ...hosts.sights import Trio
from .found import Found

WAYS = ("as the prompt says", "edited: {}", "written by hand")


def sheet(title: str, found: Sequence[Found], trios: Sequence[tuple[str, Trio]]) -> Image.Image:
    """Draw the lines, and a row of three pictures for each swap."""
    head = card(title, [CardLine(one.holds, one.what, one.told) for one in found])
    if not trios:
        return head
    shown = []
    for concept, trio in trios:
        captions = (WAYS[0], WAYS[1].format(concept), WAYS[2])
        shown += [Cell(picture, caption) for picture, caption in zip(trio, captions, strict=True)]
    below = cells(shown, "The same seed: without, edited, and the prompt rewritten", across=3)
    made = Image.new("RGB", (max(head.width, below.width), head.height + below.height), PAPER)
    made.paste(head, (0, 0))
    made.paste(below, (0, head.height))
    return made
