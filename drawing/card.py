"""A card of lines, each with a tick, a cross or a dash before it; drawn with Pillow alone."""

from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw

from .pairs import RIGHT, STROKES, TICK, WRONG
from .sheet import FAINT, INK, MARGIN, PAPER, font, wrapped

WIDTH, NAMES, LINE = 1000, 184, 26
"""Pixels: of the card, of the column of names, between two lines."""


class CardLine(NamedTuple):
    """One line."""

    holds: bool | None
    """a tick, a cross, a dash"""
    name: str
    text: str


def card(title: str, lines: Sequence[CardLine]) -> Image.Image:
    """Draw a title and lines below it, broken where they are too long."""
    left = MARGIN + TICK + 12
    room = WIDTH - left - NAMES - MARGIN
    heads, texts = (
        wrapped(title, font(24), WIDTH - 2 * MARGIN),
        [wrapped(_spelled(one.text), font(17), room) for one in lines],
    )
    top = MARGIN - 8 + 32 * len(heads) + 12
    made = Image.new("RGB", (WIDTH, top + LINE * sum(map(len, texts)) + 6 * len(texts) + MARGIN // 2), PAPER)
    pen = ImageDraw.Draw(made)
    for number, text in enumerate(heads):
        pen.text((MARGIN, MARGIN - 8 + 32 * number), text, INK, font(24))
    for one, some in zip(lines, texts, strict=True):
        _mark(pen, one.holds, MARGIN, top + 3)
        pen.text((left, top), one.name, INK, font(17))
        for text in some:
            pen.text((left + NAMES, top), text, FAINT if one.holds is None else INK, font(17))
            top += LINE
        top += 6
    return made


def _spelled(text: str) -> str:
    """Return a text without the dash that Pillow's own font lacks."""
    return text.replace("–", "-")


def _mark(pen: ImageDraw.ImageDraw, holds: bool | None, left: int, top: int) -> None:
    if holds is None:
        pen.line([(left + 2, top + TICK // 2), (left + TICK - 2, top + TICK // 2)], FAINT, width=3)
        return
    for stroke in STROKES[holds]:
        pen.line([(left + x, top + y) for x, y in stroke], RIGHT if holds else WRONG, width=3, joint="curve")
