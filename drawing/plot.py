"""A plot of lines over block numbers or the like, drawn with Pillow alone."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw

from .sheet import FAINT, INK, PAPER, font

SIZE = (860, 520)
LEFT, RIGHT, TOP, BOTTOM = 84, 28, 96, 72
"""Pixels around the axes."""
FINE = 3
"""Lines are drawn so many times larger and shrunk: Pillow draws them without smoothing."""
COLOURS = ((38, 98, 168), (204, 110, 40), (90, 142, 74), (128, 92, 160))
GRID = (228, 226, 220)


class Line(NamedTuple):
    """One line of a plot."""

    name: str
    values: tuple[float, ...]
    """one per place on the horizontal axis, as shares: 1 is 100 %"""
    ranges: tuple[tuple[float, float], ...] = ()
    """(low, high) per place, if known"""
    colour: tuple[int, int, int] | None = None
    """if it is not to be the next of ``COLOURS``"""


def plot(
    places: Sequence[float], lines: Sequence[Line], *, title: str, across: str, upwards: str, note: str = ""
) -> Image.Image:
    """Draw lines of shares over numbered places.

    Args:
        places: numbers on the horizontal axis, rising.
        lines: at most as many as there are colours.
        upwards: what the vertical axis measures; stands beside the legend.
        note: a line under the axis' name.
    """
    ticks = share_ticks([value for line in lines for value in line.values])
    frame = _Frame(places, ticks)
    fine = Image.new("RGB", (SIZE[0] * FINE, SIZE[1] * FINE), PAPER)
    _shapes(ImageDraw.Draw(fine), frame, lines)
    made = fine.resize(SIZE, Image.Resampling.LANCZOS)
    pen = ImageDraw.Draw(made)
    pen.text((LEFT, 16), title, INK, font(22))
    _legend(pen, lines, upwards)
    for tick in ticks:
        pen.text((LEFT - 12, frame.y(tick)), f"{tick:.0%}", INK, font(15), anchor="rm")
    for place in _labelled(places):
        pen.text((frame.x(place), SIZE[1] - BOTTOM + 10), f"{place:g}", INK, font(15), anchor="mt")
    pen.text((LEFT, SIZE[1] - 38), across, INK, font(16))
    pen.text((SIZE[0] - RIGHT, SIZE[1] - 38), note, FAINT, font(15), anchor="ra")
    return made


def share_ticks(values: Sequence[float]) -> list[float]:
    """Return where to put ticks: from 0 or below to 100 % or above, at most nine of them."""
    low, high = min(0.0, *values), max(1.0, *values)
    step = next(step for step in (0.2, 0.25, 0.5, 1.0, 2.0, 5.0, math.inf) if (high - low) / step <= 7)
    if math.isinf(step):
        step = 10.0 ** math.ceil(math.log10((high - low) / 7))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [index * step for index in range(first, last + 1)]


class _Frame:
    """Where a value stands in the picture."""

    def __init__(self, places: Sequence[float], ticks: Sequence[float]) -> None:
        self.places, self.ticks = places, ticks

    def x(self, place: float) -> float:
        span = self.places[-1] - self.places[0] or 1
        return LEFT + 14 + (place - self.places[0]) / span * (SIZE[0] - LEFT - RIGHT - 28)

    def y(self, value: float) -> float:
        low, high = self.ticks[0], self.ticks[-1]
        return SIZE[1] - BOTTOM - (value - low) / (high - low) * (SIZE[1] - TOP - BOTTOM)


def _shapes(pen: ImageDraw.ImageDraw, frame: _Frame, lines: Sequence[Line]) -> None:
    right, bottom = SIZE[0] - RIGHT, SIZE[1] - BOTTOM
    for tick in frame.ticks:
        _stroke(pen, [(LEFT, frame.y(tick)), (right, frame.y(tick))], GRID, 1)
    _stroke(pen, [(LEFT, TOP), (LEFT, bottom), (right, bottom)], INK, 1)
    for line, colour in _coloured(lines):
        for place, (low, high) in zip(frame.places, line.ranges, strict=False):
            _stroke(pen, [(frame.x(place), frame.y(low)), (frame.x(place), frame.y(high))], colour, 2)
        points = [(frame.x(place), frame.y(value)) for place, value in zip(frame.places, line.values, strict=True)]
        _stroke(pen, points, colour, 3)
        for x, y in points:
            _dot(pen, x, y, colour)


def _legend(pen: ImageDraw.ImageDraw, lines: Sequence[Line], upwards: str) -> None:
    left = LEFT
    for line, colour in _coloured(lines):
        pen.rectangle([left, 62, left + 18, 66], fill=colour)
        pen.text((left + 26, 54), line.name, INK, font(16))
        left += 26 + round(font(16).getlength(line.name)) + 28
    pen.text((SIZE[0] - RIGHT, 54), upwards, FAINT, font(15), anchor="ra")


def _coloured(lines: Sequence[Line]) -> list[tuple[Line, tuple[int, int, int]]]:
    return [(line, line.colour or colour) for line, colour in zip(lines, COLOURS, strict=False)]


def _labelled(places: Sequence[float]) -> list[float]:
    """Leave out numbers for which there is no room."""
    return list(places[:: max(1, math.ceil(len(places) / 24))])


def _stroke(pen: ImageDraw.ImageDraw, points: Sequence[tuple[float, float]], colour: tuple, width: int) -> None:
    pen.line([(FINE * x, FINE * y) for x, y in points], colour, FINE * width, joint="curve")


def _dot(pen: ImageDraw.ImageDraw, x: float, y: float, colour: tuple) -> None:
    pen.ellipse([FINE * (x - 4), FINE * (y - 4), FINE * (x + 4), FINE * (y + 4)], fill=colour)
