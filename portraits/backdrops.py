"""The backgrounds: each a function(pen, rng), in pixels from the picture's top left corner."""

from collections.abc import Callable

import numpy as np

from .pen import SIZE, WHITE, Color, Pen, lighter


def _beach(pen: Pen, rng: np.random.Generator) -> None:
    horizon, side = rng.uniform(64, 70), int(rng.choice([-1, 1]))
    _backdrop(pen, 0, (160, 226, 250))
    pen.ellipse(64 + side * 46, rng.uniform(18, 26), 13, 13, (255, 244, 170))
    _cloud(pen, 64 - side * rng.uniform(40, 50), rng.uniform(20, 32), WHITE)
    _backdrop(pen, horizon, (18, 160, 196))
    _backdrop(pen, horizon + 12, (64, 198, 212))
    boat = 64 - side * rng.uniform(48, 54)
    pen.polygon(((boat, horizon - 16), (boat, horizon), (boat + 10, horizon)), WHITE)
    hull = ((-9, 1), (11, 1), (6, 6), (-5, 6))
    pen.polygon(np.add(hull, (boat, horizon)), (232, 92, 60))
    pen.ellipse(64, horizon + 58, 110, 36, WHITE)
    pen.ellipse(64, horizon + 61, 110, 36, (244, 218, 158))


def _forest(pen: Pen, rng: np.random.Generator) -> None:
    _backdrop(pen, 0, (206, 236, 178))
    for x in np.arange(-4, 140, 22) + rng.uniform(-5, 5, 7):
        _tree(pen, x, rng.uniform(6, 18), 96, 20, (112, 180, 106))
    _backdrop(pen, 94, (88, 150, 66))
    for x in np.array([6, 30, 98, 122]) + rng.uniform(-4, 4, 4):
        _tree(pen, x, rng.uniform(24, 40), 100, 17, (30, 112, 62))


def _tree(pen: Pen, x: float, top: float, bottom: float, half: float, color: Color) -> None:
    pen.polygon(((x - 3, bottom - 12), (x + 3, bottom - 12), (x + 3, bottom + 8), (x - 3, bottom + 8)), (110, 74, 48))
    for start, width in ((0.4, 1.0), (0.2, 0.8), (0.0, 0.55)):
        foot = bottom - (0.4 - start) * 1.5 * (bottom - top)
        head = top + start * (bottom - top)
        pen.polygon(((x, head), (x + half * width, foot), (x - half * width, foot)), color)


def _city(pen: Pen, rng: np.random.Generator) -> None:
    _backdrop(pen, 0, (255, 214, 178))
    colors = ((122, 130, 158), (158, 120, 126), (96, 108, 142))
    for i, x in enumerate(np.arange(-6, 128, 24) + rng.uniform(-2, 2, 6)):
        _building(pen, x, rng.uniform(8, 36), colors[i % 3], rng)
    _backdrop(pen, 104, (196, 196, 202))
    _backdrop(pen, 110, (84, 86, 98))
    for x in (4, 104):
        pen.polygon(((x, 117), (x + 20, 117), (x + 20, 120), (x, 120)), (250, 240, 200))


def _building(pen: Pen, x: float, top: float, color: Color, rng: np.random.Generator) -> None:
    pen.polygon(((x, top), (x + 23, top), (x + 23, 106), (x, 106)), color)
    for row in np.arange(top + 6, 98, 13):
        for column in (x + 4, x + 13):
            lit = (255, 226, 120) if rng.random() < 0.75 else lighter(color, -0.25)
            pen.polygon(((column, row), (column + 6, row), (column + 6, row + 7), (column, row + 7)), lit)


def _snow(pen: Pen, rng: np.random.Generator) -> None:
    _backdrop(pen, 0, (196, 210, 236))
    for x, color in ((12, (146, 164, 200)), (116, (146, 164, 200)), (64, (170, 186, 216))):
        _mountain(pen, x + rng.uniform(-6, 6), rng.uniform(14, 30), color)
    pen.ellipse(20 + rng.uniform(-10, 10), 120, 70, 30, (236, 243, 252))
    pen.ellipse(110 + rng.uniform(-10, 10), 122, 70, 30, (250, 252, 255))
    for x, y in zip(range(6, 128, 13), rng.uniform(4, 84, 10), strict=True):
        pen.ellipse(x, y, 2, 2, WHITE)


def _mountain(pen: Pen, x: float, top: float, color: Color) -> None:
    pen.polygon(((x, top), (x + 62, 110), (x - 62, 110)), color)
    cap = ((0, 0), (22, 30), (14, 26), (8, 35), (0, 28), (-8, 35), (-14, 26), (-22, 30))
    pen.polygon(np.add(cap, (x, top)), WHITE)


def _cloud(pen: Pen, x: float, y: float, color: Color) -> None:
    for dx, dy, r in ((-9, 2, 6), (0, -2, 9), (10, 2, 6)):
        pen.ellipse(x + dx, y + dy, r * 1.2, r * 0.8, color)


def _backdrop(pen: Pen, top: float, color: Color) -> None:
    """Fill the picture from a height downwards."""
    pen.polygon(((-1, top), (SIZE + 1, top), (SIZE + 1, SIZE + 1), (-1, SIZE + 1)), color)


Backdrop = Callable[[Pen, np.random.Generator], None]

BACKGROUNDS: dict[str, Backdrop] = {"beach": _beach, "forest": _forest, "city": _city, "snow": _snow}
