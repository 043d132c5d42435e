"""A plot of shares with their intervals, a line a method and a panel a measure, drawn with Pillow alone."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw

from .sheet import FAINT, INK, PAPER, font, mixed, wrapped

Colour = tuple[int, int, int]
Share = tuple[float, float, float]
"""Estimate, and where it may lie at least and at most."""
WIDTH, LINE, PANEL = 1600, 74, 330
"""Pixels: twice what a README shows, so that it is sharp there."""
MARGIN, NAMES, BETWEEN = 56, 340, 44
FINE = 2
"""Drawn so many times larger and shrunk: Pillow draws without smoothing."""
TRACK = (232, 230, 224)
BAND = (240, 236, 252)
"""Behind the method that the plot is about."""
RULE = (206, 194, 244)
"""Where its discs stand, through all lines."""


class Dots(NamedTuple):
    """One method."""

    name: str
    colour: Colour
    open: Mapping[str, Share]
    """measure → share, drawn as a ring"""
    full: Mapping[str, Share]
    """measure → share, drawn as a disc; empty: there is none"""
    ours: bool = False


def dots(
    methods: Sequence[Dots], measures: Mapping[str, str], *, title: str, note: str, rings: str, discs: str
) -> Image.Image:
    """Draw methods under one another.

    Args:
        measures: measure → heading of its panel; three fit.
    """
    lines = wrapped(note, font(25), WIDTH - 2 * MARGIN)
    top = 226 + 34 * len(lines)
    size = (WIDTH, top + LINE * len(methods) + 96)
    fine = Image.new("RGB", (size[0] * FINE, size[1] * FINE), PAPER)
    _shapes(_Pen(fine), methods, list(measures), top)
    made = fine.resize(size, Image.Resampling.LANCZOS)
    pen = ImageDraw.Draw(made)
    pen.text((MARGIN, 44), title, INK, font(44))
    for index, line in enumerate(lines):
        pen.text((MARGIN, 108 + 34 * index), line, FAINT, font(25))
    _legend(made, top - 102, rings, discs)
    _headings(pen, list(measures.values()), top, top + LINE * len(methods))
    for index, method in enumerate(methods):
        _name(pen, method.name, top + LINE * index + LINE // 2)
    return made


def _headings(pen: ImageDraw.ImageDraw, headings: Sequence[str], top: int, bottom: int) -> None:
    for index, heading in enumerate(headings):
        pen.text((_left(index), top - 18), heading, INK, font(28), anchor="ls")
        for share, anchor in ((0, "lt"), (50, "mt"), (100, "rt")):
            place = _left(index) + PANEL * share / 100
            pen.text((place, bottom + 16), f"{share}%", FAINT, font(23), anchor=anchor)


def _name(pen: ImageDraw.ImageDraw, name: str, middle: int) -> None:
    rows = wrapped(name, font(28), NAMES)
    for row, line in enumerate(rows):
        pen.text((MARGIN, middle + 31 * row - 31 * (len(rows) - 1) // 2), line, INK, font(28), anchor="lm")


def _left(panel: int) -> int:
    return MARGIN + NAMES + BETWEEN + panel * (PANEL + BETWEEN)


class _Pen:
    """Draws in the pixels of the picture that comes of it."""

    def __init__(self, fine: Image.Image) -> None:
        self._pen = ImageDraw.Draw(fine)

    def bar(self, left: float, right: float, middle: float, height: float, colour: Colour) -> None:
        ends = left, middle - height / 2, max(right, left + height), middle + height / 2
        self._pen.rounded_rectangle([FINE * one for one in ends], FINE * height / 2, colour)

    def field(self, box: Sequence[float], colour: Colour) -> None:
        self._pen.rounded_rectangle([FINE * one for one in box], FINE * 12, colour)

    def rule(self, x: float, upper: float, lower: float, colour: Colour) -> None:
        self._pen.line([(FINE * x, FINE * upper), (FINE * x, FINE * lower)], colour, FINE * 2)

    def disc(self, x: float, y: float, radius: float, colour: Colour) -> None:
        self._pen.ellipse([FINE * (x - radius), FINE * (y - radius), FINE * (x + radius), FINE * (y + radius)], colour)


def _shapes(pen: _Pen, methods: Sequence[Dots], measures: Sequence[str], top: int) -> None:
    for index, method in enumerate(methods):
        if method.ours:
            upper = top + LINE * index
            pen.field((MARGIN - 24, upper + 2, WIDTH - MARGIN + 24, upper + LINE - 2), BAND)
            for panel, measure in enumerate(measures):
                pen.rule(_left(panel) + PANEL * method.full[measure][0], top, top + LINE * len(methods), RULE)
    for index, method in enumerate(methods):
        upper, back = top + LINE * index, BAND if method.ours else PAPER
        for panel, measure in enumerate(measures):
            if method.full:
                _mark(pen, method.open[measure], panel, upper + LINE / 2 - 13, method.colour, back)
                _mark(pen, method.full[measure], panel, upper + LINE / 2 + 13, method.colour, None)
            else:
                _mark(pen, method.open[measure], panel, upper + LINE / 2, method.colour, back)


def _mark(pen: _Pen, value: Share, panel: int, middle: float, colour: Colour, hollow: Colour | None) -> None:
    """Draw a share on its track: a band for the interval, and a disc, hollow if that is given a colour."""
    x = lambda share: _left(panel) + PANEL * share  # noqa: E731
    pale = mixed(hollow or PAPER, colour, 1 / 3)
    pen.bar(x(0), x(1), middle, 4, TRACK)
    estimate, low, high = value
    pen.bar(x(low), x(high), middle, 12, pale)
    pen.disc(x(estimate), middle, 10, colour)
    if hollow:
        pen.disc(x(estimate), middle, 6, hollow)


def _legend(made: Image.Image, top: int, rings: str, discs: str) -> None:
    fine = Image.new("RGB", (FINE * 26, FINE * 26), PAPER)
    left, pen = MARGIN, ImageDraw.Draw(made)
    for name, hollow in ((rings, True), (discs, False)):
        small = _Pen(fine)
        small.disc(13, 13, 10, INK)
        if hollow:
            small.disc(13, 13, 6, PAPER)
        made.paste(fine.resize((26, 26), Image.Resampling.LANCZOS), (left, top))
        pen.text((left + 38, top + 13), name, INK, font(25), anchor="lm")
        left += 38 + round(font(25).getlength(name)) + 48
