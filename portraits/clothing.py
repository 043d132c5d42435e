"""Clothes, down to the picture's lower edge: each a function(pen, palette), in pixels from the head's centre."""

import numpy as np

from .pen import WHITE, Palette, Part, Pen, lighter, spline, symmetric

_TORSO = symmetric(((0, 32), (16, 31), (36, 35), (47, 44), (51, 58), (52, 72)))
_BODICE = symmetric(((0, 47), (10, 43), (20, 42), (31, 47), (35, 58), (37, 72)))


def _suit(pen: Pen, palette: Palette) -> None:
    cloth = lighter((54, 60, 80), palette.clothes_light + 0.01)
    pen.blob(_TORSO, cloth)
    pen.polygon(((-17, 30), (17, 30), (6, 70), (-6, 70)), (252, 252, 255))
    _neck(pen, palette)
    for side in (1, -1):
        lapel = ((12, 28), (25, 36), (18, 48), (5, 72), (13, 40))
        pen.polygon(np.multiply(lapel, (side, 1)), lighter(cloth, -0.3))
        collar = ((12, 29), (0, 39), (9, 45), (15, 36))
        pen.polygon(np.multiply(collar, (side, 1)), WHITE)
    pen.polygon(((-5, 39), (5, 39), (3, 45), (7, 72), (-7, 72), (-3, 45)), (220, 34, 44))


def _hoodie(pen: Pen, palette: Palette) -> None:
    cloth = lighter((92, 200, 60), palette.clothes_light)
    pen.ellipse(0, 32, 30, 11, lighter(cloth, -0.35))
    pen.blob(_TORSO, cloth)
    _neck(pen, palette)
    collar = ((-25, 31), (-15, 38), (0, 43), (15, 38), (25, 31))
    pen.curve(collar, lighter(cloth, -0.3), 7)
    for side in (1, -1):
        pen.line(((side * 8, 43), (side * 9, 55)), WHITE, 3)


def _stripes(pen: Pen, palette: Palette) -> None:
    pen.blob(_TORSO, (250, 250, 252))
    navy = lighter((28, 44, 112), palette.clothes_light)
    outline = spline(_TORSO, closed=True)
    for top in (39, 49, 59):
        pen.polygon(_within(outline, top, top + 5.5), navy)
    _neck(pen, palette)
    pen.curve(((-16, 32), (0, 41), (16, 32)), navy, 4)


def _within(outline: np.ndarray, top: float, bottom: float) -> np.ndarray:
    """Cut a horizontal band out of the torso's outline."""
    right = outline[: len(outline) // 2]
    x = np.interp((top, bottom), right[:, 1], right[:, 0])
    return np.array([(-x[0], top), (x[0], top), (x[1], bottom), (-x[1], bottom)])


def _dress(pen: Pen, palette: Palette) -> None:
    cloth = lighter((255, 104, 176), palette.clothes_light)
    pen.blob(_TORSO, palette.skin)
    _neck(pen, palette)
    pen.blob(_BODICE, cloth)
    for side in (1, -1):
        pen.line(((side * 17, 33), (side * 18, 48)), cloth, 6)
        pen.line(((side * 37, 50), (side * 38, 66)), lighter(palette.skin, -0.25), 2)


def _neck(pen: Pen, palette: Palette) -> None:
    pen.polygon(((-9, 24), (9, 24), (10, 34), (0, 39), (-10, 34)), lighter(palette.skin, -0.18))


CLOTHING: dict[str, Part] = {"suit": _suit, "hoodie": _hoodie, "stripes": _stripes, "dress": _dress}
