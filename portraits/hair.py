"""Hair: each part a function(pen, palette), behind the body or before the face, in pixels from the head's centre."""

from .pen import Palette, Part, Pen, Points, lighter, mirror, symmetric

HAIR_COLORS = {"blond": (255, 214, 76), "red": (222, 66, 30), "black": (44, 40, 52), "blue": (44, 92, 232)}

# Behind the body

_SKULL = symmetric(((0, -37), (22, -32), (34, -14), (33, 6), (24, 12), (10, 14)))
_MANE = symmetric(((0, -37), (23, -32), (36, -14), (38, 10), (40, 34), (36, 46), (24, 48), (10, 46)))
_BUNCH = ((28, -4), (38, -16), (50, -14), (57, 0), (56, 18), (50, 33), (45, 38), (41, 26), (36, 10))


def _skull(pen: Pen, palette: Palette) -> None:
    pen.blob(_SKULL, lighter(palette.hair, -0.2))


def _mane(pen: Pen, palette: Palette) -> None:
    pen.blob(_MANE, lighter(palette.hair, -0.28))


def _bunches(pen: Pen, palette: Palette) -> None:
    _skull(pen, palette)
    for side in (_BUNCH, mirror(_BUNCH)):
        pen.blob(side, palette.hair)
        x = side[0][0]
        pen.curve(((x * 1.64, -6), (x * 1.8, 6), (x * 1.74, 22)), lighter(palette.hair, 0.3), 3)
        pen.ellipse(x * 1.24, -6, 4.5, 5.5, (255, 250, 240))


# Before the face

_CAP = ((33, 6), (35, -10), (31, -25), (19, -35), (0, -38), (-19, -35), (-31, -25), (-35, -10), (-33, 6))
_SWEPT = (*_CAP, (-29, 0), (-27, -11), (-20, -13), (-8, -17), (4, -22), (13, -13), (22, -11), (28, -10), (29.5, 0))
_PARTED = (*_CAP, (-30, 2), (-26, -9), (-12, -14), (0, -25), (12, -14), (26, -9), (30, 2))
_BANGS = (*_CAP, (-29, 0), (-27, -8), (-20, -12), (-10, -11), (0, -13), (10, -11), (20, -12), (27, -8), (29, 0))
_LOCK = ((29, -24), (36, -12), (39, 8), (43, 28), (46, 44), (45, 56), (36, 50), (30, 53), (28, 40), (29, 18), (28, 0))


def _short_front(pen: Pen, palette: Palette) -> None:
    pen.polygon(((-13, -34), (-6, -44), (-1, -40), (7, -44), (13, -34)), palette.hair)
    _fringe(pen, palette, _SWEPT)


def _long_front(pen: Pen, palette: Palette) -> None:
    for side in (_LOCK, mirror(_LOCK)):
        pen.blob(side, palette.hair)
        pen.curve(tuple((x * 0.9, y) for x, y in side[2:5]), lighter(palette.hair, 0.3), 3)
    _fringe(pen, palette, _PARTED)


def _bunches_front(pen: Pen, palette: Palette) -> None:
    _fringe(pen, palette, _BANGS)


def _fringe(pen: Pen, palette: Palette, outline: Points) -> None:
    pen.blob(outline, palette.hair)
    pen.curve(((-24, -22), (-16, -28), (-5, -31)), lighter(palette.hair, 0.35), 4)


HAIR_BEHIND: dict[str, Part] = {"short": _skull, "long": _mane, "pigtails": _bunches}
HAIR_FRONT: dict[str, Part] = {"short": _short_front, "long": _long_front, "pigtails": _bunches_front}
