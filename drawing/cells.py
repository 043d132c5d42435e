"""Pictures in lines of so many, each with a caption of its own, drawn with Pillow alone."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from .sheet import GAP, INK, MARGIN, MARKS, PAPER, font, shortened, wrapped

SMALL, LARGE = 192, 512
"""Pixels of a picture's longer side: smaller ones are enlarged by whole numbers, larger ones shrunk."""
CAPTION, LINE = 26, 18
"""Pixels below a picture for its caption, and of every further line of it."""


class Cell(NamedTuple):
    """One picture."""

    picture: np.ndarray
    """(h, w, 3) bytes"""
    caption: str
    mark: str = ""
    """key of ``MARKS``, whose colour frames it; empty for none"""


def cells(some: Sequence[Cell], title: str, *, across: int = 4) -> Image.Image:
    """Draw pictures of one size from left to right, line by line."""
    high, wide = some[0].picture.shape[:2]
    width, height = shown_size(high, wide, LARGE)
    across = min(across, len(some))
    lines, top = -(-len(some) // across), MARGIN + 42
    captions = [wrapped(one.caption, font(16), width) for one in some]
    below = CAPTION + LINE * (max(len(one) for one in captions) - 1)
    size = (2 * MARGIN + across * (width + GAP) - GAP, top + lines * (height + below + GAP) - GAP + MARGIN)
    made = Image.new("RGB", (max(size[0], round(font(24).getlength(title)) + 2 * MARGIN), size[1]), PAPER)
    pen = ImageDraw.Draw(made)
    pen.text((MARGIN, MARGIN - 8), title, INK, font(24))
    for index, cell in enumerate(some):
        line, column = divmod(index, across)
        left, down = MARGIN + column * (width + GAP), top + line * (height + below + GAP)
        shown = Image.fromarray(cell.picture).resize((width, height), Image.Resampling.LANCZOS)
        made.paste(shown, (left, down))
        if cell.mark:
            pen.rectangle((left - 4, down - 4, left + width + 3, down + height + 3), outline=MARKS[cell.mark], width=4)
        for row, text in enumerate(captions[index]):
            middle = (left + width // 2, down + height + 18 + LINE * row)
            pen.text(middle, shortened(text, font(16), width), MARKS.get(cell.mark, INK), font(16), anchor="ms")
    return made


def shown_size(high: int, wide: int, most: int) -> tuple[int, int]:
    """Return the width and height that a picture is drawn at, its longer side ``most`` at most."""
    side = max(high, wide)
    scale = -(-SMALL // side) if side < SMALL else min(1.0, most / side)
    return round(wide * scale), round(high * scale)
