"""Two pictures of every seed side by side, with a tick or a cross under each, drawn with Pillow alone."""

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from .cells import shown_size
from .sheet import FAINT, GAP, INK, MARGIN, MARKS, PAPER, font, shortened

LARGE = 256
"""Pixels of the longer side of a picture: larger ones are shrunk."""
HEAD, CAPTION, TICK = 26, 32, 16
"""Pixels above a pair for its title, below it, and of a tick's side."""
INSIDE = 4
"""Pixels between the two of a pair."""
RIGHT, WRONG = (38, 134, 84), MARKS["missed"]
STROKES = {True: [[(1, 8), (6, 13), (15, 3)]], False: [[(3, 3), (13, 13)], [(13, 3), (3, 13)]]}
"""Whether a picture is as asked → lines of its mark, in pixels of ``TICK``."""


class Half(NamedTuple):
    """One of the two pictures of a pair."""

    picture: np.ndarray
    """(h, w, 3) bytes, as ``thumbnail`` makes them"""
    caption: str = ""
    right: bool | None = None
    """whether it is as asked; None if nobody can tell"""


class PicturePair(NamedTuple):
    """What stands beside each other."""

    title: str
    before: Half
    after: Half


def thumbnail(picture: np.ndarray) -> np.ndarray:
    """Return a picture (H, W, 3) of bytes at the size that a sheet has room for: small ones in whole multiples."""
    high, wide = picture.shape[:2]
    size = shown_size(high, wide, LARGE)
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))


def pairs(some: Sequence[PicturePair], title: str, *, across: int | None = None) -> Image.Image:
    """Draw pairs of pictures, all of one size, from left to right and line by line.

    Args:
        across: pairs of a line; as many as make the sheet about as wide as high if it is not told.
    """
    high, wide = some[0].before.picture.shape[:2]
    width, height = 2 * wide + INSIDE, HEAD + high + CAPTION
    across = min(across or max(1, round(sqrt(len(some) * height / width))), len(some))
    lines, top = -(-len(some) // across), MARGIN + 36
    size = (2 * MARGIN + across * (width + 2 * GAP) - 2 * GAP, top + lines * (height + GAP) - GAP + MARGIN)
    made = Image.new("RGB", (max(size[0], round(font(24).getlength(title)) + 2 * MARGIN), size[1]), PAPER)
    pen = ImageDraw.Draw(made)
    pen.text((MARGIN, MARGIN - 8), title, INK, font(24))
    for index, pair in enumerate(some):
        line, column = divmod(index, across)
        left, down = MARGIN + column * (width + 2 * GAP), top + line * (height + GAP)
        pen.text((left + 2, down + 2), shortened(pair.title, font(17), width), FAINT, font(17))
        for place, half in enumerate((pair.before, pair.after)):
            _half(made, pen, half, left + place * (wide + INSIDE), down + HEAD)
    return made


def _half(made: Image.Image, pen: ImageDraw.ImageDraw, half: Half, left: int, top: int) -> None:
    high, wide = half.picture.shape[:2]
    made.paste(Image.fromarray(half.picture), (left, top))
    below, beside = top + high + 6, left + 2
    if half.right is not None:
        for stroke in STROKES[half.right]:
            points = [(beside + x, below + y) for x, y in stroke]
            pen.line(points, RIGHT if half.right else WRONG, width=3, joint="curve")
        beside += TICK + 6
    pen.text((beside, below - 4), shortened(half.caption, font(20), left + wide - beside), INK, font(20))
