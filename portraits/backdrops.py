"""The backgrounds: each a function(pen, rng, width), in pixels from the picture's top left corner."""

from collections.abc import Callable, Sequence

import numpy as np

from .pen import SIZE, WHITE, Color, Pen, lighter


def _beach(pen: Pen, rng: np.random.Generator, width: int) -> None:
    horizon, side = rng.uniform(64, 70), int(rng.choice([-1, 1]))
    middle, more = width / 2, (width - SIZE) / 2
    _backdrop(pen, 0, (160, 226, 250))
    pen.ellipse(middle + side * (46 + more), rng.uniform(18, 26), 13, 13, (255, 244, 170))
    _cloud(pen, middle - side * (rng.uniform(40, 50) + more), rng.uniform(20, 32), WHITE)
    _backdrop(pen, horizon, (18, 160, 196))
    _backdrop(pen, horizon + 12, (64, 198, 212))
    boat = middle - side * (rng.uniform(48, 54) + more)
    pen.polygon(((boat, horizon - 16), (boat, horizon), (boat + 10, horizon)), WHITE)
    hull = ((-9, 1), (11, 1), (6, 6), (-5, 6))
    pen.polygon(np.add(hull, (boat, horizon)), (232, 92, 60))
    pen.ellipse(middle, horizon + 58, 110 + more, 36, WHITE)
    pen.ellipse(middle, horizon + 61, 110 + more, 36, (244, 218, 158))


def _forest(pen: Pen, rng: np.random.Generator, width: int) -> None:
    _backdrop(pen, 0, (206, 236, 178))
    for x in _moved(range(-4, width + 12, 22), 5, rng):
        _tree(pen, x, rng.uniform(6, 18), 96, 20, (112, 180, 106))
    _backdrop(pen, 94, (88, 150, 66))
    for x in _moved([x + left for left in range(0, width, SIZE) for x in (6, 30, 98, 122)], 4, rng):
        _tree(pen, x, rng.uniform(24, 40), 100, 17, (30, 112, 62))


def _tree(pen: Pen, x: float, top: float, bottom: float, half: float, color: Color) -> None:
    pen.polygon(((x - 3, bottom - 12), (x + 3, bottom - 12), (x + 3, bottom + 8), (x - 3, bottom + 8)), (110, 74, 48))
    for start, width in ((0.4, 1.0), (0.2, 0.8), (0.0, 0.55)):
        foot = bottom - (0.4 - start) * 1.5 * (bottom - top)
        head = top + start * (bottom - top)
        pen.polygon(((x, head), (x + half * width, foot), (x - half * width, foot)), color)


def _city(pen: Pen, rng: np.random.Generator, width: int) -> None:
    _backdrop(pen, 0, (255, 214, 178))
    colors = ((122, 130, 158), (158, 120, 126), (96, 108, 142))
    for i, x in enumerate(_moved(range(-6, width, 24), 2, rng)):
        _building(pen, x, rng.uniform(8, 36), colors[i % 3], rng)
    _backdrop(pen, 104, (196, 196, 202))
    _backdrop(pen, 110, (84, 86, 98))
    for x in range(4, width, 100):
        pen.polygon(((x, 117), (x + 20, 117), (x + 20, 120), (x, 120)), (250, 240, 200))


def _building(pen: Pen, x: float, top: float, color: Color, rng: np.random.Generator) -> None:
    pen.polygon(((x, top), (x + 23, top), (x + 23, 106), (x, 106)), color)
    for row in np.arange(top + 6, 98, 13):
        for column in (x + 4, x + 13):
            lit = (255, 226, 120) if rng.random() < 0.75 else lighter(color, -0.25)
            pen.polygon(((column, row), (column + 6, row), (column + 6, row + 7), (column, row + 7)), lit)


def _snow(pen: Pen, rng: np.random.Generator, width: int) -> None:
    _backdrop(pen, 0, (196, 210, 236))
    for left in range(0, width, SIZE):
        for x, color in ((12, (146, 164, 200)), (116, (146, 164, 200)), (64, (170, 186, 216))):
            _mountain(pen, left + x + rng.uniform(-6, 6), rng.uniform(14, 30), color)
    for left in range(0, width, SIZE):
        pen.ellipse(left + 20 + rng.uniform(-10, 10), 120, 70, 30, (236, 243, 252))
        pen.ellipse(left + 110 + rng.uniform(-10, 10), 122, 70, 30, (250, 252, 255))
    flakes = range(6, width, 13)
    for x, y in zip(flakes, rng.uniform(4, 84, len(flakes)), strict=True):
        pen.ellipse(x, y, 2, 2, WHITE)


def _mountain(pen: Pen, x: float, top: float, color: Color) -> None:
    pen.polygon(((x, top), (x + 62, 110), (x - 62, 110)), color)
    cap = ((0, 0), (22, 30), (14, 26), (8, 35), (0, 28), (-8, 35), (-14, 26), (-22, 30))
    pen.polygon(np.add(cap, (x, top)), WHITE)


def _cloud(pen: Pen, x: float, y: float, color: Color) -> None:
    for dx, dy, r in ((-9, 2, 6), (0, -2, 9), (10, 2, 6)):
        pen.ellipse(x + dx, y + dy, r * 1.2, r * 0.8, color)


def _backdrop(pen: Pen, top: float, color: Color) -> None:
    """Fill a picture of any width from a height downwards."""
    pen.polygon(((-1, top), (2 * SIZE + 1, top), (2 * SIZE + 1, SIZE + 1), (-1, SIZE + 1)), color)


def _moved(places: Sequence[int], most: float, rng: np.random.Generator) -> np.ndarray:
    """Move every place to the left or right, by at most ``most`` pixels."""
    return np.array(places) + rng.uniform(-most, most, len(places))


Backdrop = Callable[[Pen, np.random.Generator, int], None]

BACKGROUNDS: dict[str, Backdrop] = {"beach": _beach, "forest": _forest, "city": _city, "snow": _snow}
