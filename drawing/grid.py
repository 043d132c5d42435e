"""Pictures in a grid with a caption over every column and beside every row, drawn with Pillow alone."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from .sheet import GAP, INK, MARGIN, PAPER, font

LEAST, MOST = 256, 4096
"""Pixels: pictures are enlarged to the first, and a grid that is wider than the second is shrunk."""


def grid(rows: Sequence[Sequence[np.ndarray]], columns: Sequence[str], names: Sequence[str], title: str) -> Image.Image:
    """Draw pictures (h, w, 3) of bytes, all of one size."""
    width, height = _cell(rows[0][0].shape[0], rows[0][0].shape[1], len(columns))
    beside = max(round(font(18).getlength(name)) for name in names)
    beside += GAP if beside else 0
    left, top = MARGIN + beside, MARGIN + 42 + 34
    size = (left + len(columns) * (width + GAP) - GAP + MARGIN, top + len(rows) * (height + GAP) - GAP + MARGIN)
    made = Image.new("RGB", (max(size[0], round(font(24).getlength(title)) + 2 * MARGIN), size[1]), PAPER)
    pen = ImageDraw.Draw(made)
    pen.text((MARGIN, MARGIN - 8), title, INK, font(24))
    for index, caption in enumerate(columns):
        pen.text((left + index * (width + GAP) + width // 2, top - 14), caption, INK, font(20), anchor="ms")
    for row, (pictures, name) in enumerate(zip(rows, names, strict=True)):
        down = top + row * (height + GAP)
        pen.text((MARGIN, down + height // 2), name, INK, font(18), anchor="lm")
        for index, picture in enumerate(pictures):
            shown = Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS)
            made.paste(shown, (left + index * (width + GAP), down))
    return made


def _cell(height: int, width: int, columns: int) -> tuple[int, int]:
    """Return the size to draw a picture at: whole multiples of small ones, as large as there is room for big ones."""
    scale = float(max(1, -(-LEAST // max(height, width))))
    scale = min(scale, (MOST / columns - GAP) / width)
    return max(1, round(width * scale)), max(1, round(height * scale))
