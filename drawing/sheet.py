"""Pictures beside one another on a sheet, with captions; drawn with Pillow alone."""

import base64
import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

PAPER, INK, FAINT = (250, 249, 246), (36, 36, 42), (128, 126, 132)
MARKS = {"missed": (214, 48, 62), "moved": (232, 158, 30)}
"""What may be wrong with a picture → colour of its frame."""
SIDE, GAP, MARGIN = 192, 14, 36
LABELS = 132
"""Pixels left of the rows for their names."""


class Column(NamedTuple):
    """One case on a sheet."""

    title: str
    subtitle: str
    pictures: tuple[np.ndarray, ...]
    """(h, w, 3) bytes, one a row of the sheet"""
    marks: tuple[str, ...]
    """key of ``MARKS`` or empty, one a picture"""


def sheet(columns: Sequence[Column], rows: Sequence[str], title: str, note: str, *, across: int = 8) -> Image.Image:
    """Draw columns of pictures in bands of ``across``, a title above and a note below."""
    across = min(across, len(columns))
    bands = [columns[start : start + across] for start in range(0, len(columns), across)]
    width = MARGIN + LABELS + across * (SIDE + GAP) - GAP + MARGIN
    width = max(width, round(font(30).getlength(title)) + 2 * MARGIN)
    note_lines = wrapped(note, font(16), width - 2 * MARGIN)
    band_height = 62 + len(rows) * (SIDE + GAP) + 20
    height = 84 + len(bands) * band_height + 24 * len(note_lines) + MARGIN
    made = Image.new("RGB", (width, height), PAPER)
    pen = ImageDraw.Draw(made)
    pen.text((MARGIN, 28), title, INK, font(30))
    for index, band in enumerate(bands):
        _band(made, band, rows, 84 + index * band_height)
    for index, line in enumerate(note_lines):
        pen.text((MARGIN, 84 + len(bands) * band_height + 24 * index), line, FAINT, font(16))
    return made


def side_by_side(pictures: Sequence[np.ndarray], captions: Sequence[str]) -> Image.Image:
    """Draw pictures of one size in a row at twice their size, a caption under each."""
    high, wide = (2 * one for one in pictures[0].shape[:2])
    lines = [wrapped(caption, font(17), wide) for caption in captions]
    height = high + 2 * GAP + 24 * max(map(len, lines)) + GAP
    made = Image.new("RGB", (GAP + len(pictures) * (wide + GAP), height), PAPER)
    pen = ImageDraw.Draw(made)
    for index, (picture, caption) in enumerate(zip(pictures, lines, strict=True)):
        left = GAP + index * (wide + GAP)
        _paste(made, picture, left, GAP, (wide, high))
        for row, line in enumerate(caption):
            pen.text((left + 2, 2 * GAP + high + 24 * row), line, INK, font(17))
    return made


def inlined(picture: Image.Image, kind: str) -> str:
    """Return a picture as a data address, ``JPEG`` or ``PNG``."""
    store = io.BytesIO()
    options = {"JPEG": {"quality": 92, "subsampling": 0}, "PNG": {"optimize": True}}[kind]
    picture.save(store, kind, **options)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(store.getvalue()).decode()}"


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return Pillow's own font, which every machine has; it knows no arrows."""
    try:
        return ImageFont.load_default(size)
    except TypeError:  # Pillow before 10.1 has one size
        return ImageFont.load_default()


def mixed(one: tuple[int, int, int], other: tuple[int, int, int], share: float) -> tuple[int, int, int]:
    """Return a colour with a share of another one in it."""
    r, g, b = (round(a + share * (z - a)) for a, z in zip(one, other, strict=True))
    return r, g, b


def wrapped(text: str, face: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> list[str]:
    """Break a text into lines of at most a width in pixels, between words; a longer word stands alone."""
    lines: list[str] = []
    for word in text.split():
        if lines and face.getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines or [""]


def _band(made: Image.Image, band: Sequence[Column], rows: Sequence[str], top: int) -> None:
    pen = ImageDraw.Draw(made)
    for row, name in enumerate(rows):
        middle = top + 62 + row * (SIDE + GAP) + SIDE // 2
        for line, text in enumerate(name.split("\n")):
            pen.text((MARGIN, middle - 12 * len(name.split("\n")) + 24 * line), text, INK, font(18))
    for index, column in enumerate(band):
        left = MARGIN + LABELS + index * (SIDE + GAP)
        pen.text((left + 2, top + 8), shortened(column.title, font(15), SIDE), FAINT, font(15))
        pen.text((left + 2, top + 28), shortened(column.subtitle, font(20), SIDE), INK, font(20))
        for row, (picture, mark) in enumerate(zip(column.pictures, column.marks, strict=True)):
            _paste(made, picture, left, top + 62 + row * (SIDE + GAP), (SIDE, SIDE), mark)


def _paste(made: Image.Image, picture: np.ndarray, left: int, top: int, size: tuple[int, int], mark: str = "") -> None:
    """Paste at a size (wide, high), with round corners, and a coloured frame if something is wrong."""
    wide, high = size
    shown = Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS)
    mask = Image.new("L", (4 * wide, 4 * high), 0)
    ImageDraw.Draw(mask).rounded_rectangle([0, 0, 4 * wide - 1, 4 * high - 1], radius=4 * high // 16, fill=255)
    if mark:
        box = [left - 4, top - 4, left + wide + 3, top + high + 3]
        ImageDraw.Draw(made).rounded_rectangle(box, radius=high // 16 + 4, fill=MARKS[mark])
    made.paste(shown, (left, top), mask.resize(size, Image.Resampling.LANCZOS))


def shortened(text: str, face: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """Cut a text off where it is wider than so many pixels."""
    if face.getlength(text) <= width:
        return text
    while text and face.getlength(text + "…") > width:
        text = text[:-1]
    return text.rstrip() + "…"
