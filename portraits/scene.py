"""Draw the cartoon portraits of the embedded Portraits world from named factors.

Shapes are given in pixels of the final picture. A person's shapes are relative to the head's centre, x to the right and
y down; a backdrop's shapes are relative to the picture's top left corner. The person is drawn on white and cut out with
a margin, which gives the white sticker edge that keeps every hair colour apart from every background.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from math import cos, radians, sin
from pathlib import Path

import numpy as np
import yaml
from PIL import Image, ImageDraw, ImageFilter

SIZE = 128
OVERSAMPLING = 4
EDGE = 5  # odd filter width in pixels: the sticker edge is (EDGE - 1) / 2 wide

Color = tuple[int, ...]
Points = tuple[tuple[float, float], ...]

INK, MOUTH = (58, 36, 48), (112, 12, 36)
WHITE = (255, 255, 255)
SKIN_LIGHT, SKIN_MEDIUM, SKIN_DARK = (255, 224, 202), (232, 176, 136), (156, 100, 70)
HAIR_COLORS = {"blond": (255, 214, 76), "red": (222, 66, 30), "black": (44, 40, 52), "blue": (44, 92, 232)}
IRIS_COLORS = {"blue": (36, 140, 255), "green": (38, 186, 70), "brown": (142, 74, 22)}


def _read_factors() -> dict[str, tuple[str, ...]]:
    table = yaml.safe_load(Path(__file__).with_name("concepts.yaml").read_text(encoding="utf-8"))
    return {str(category): tuple(str(value) for value in values) for category, values in table.items()}


FACTORS = _read_factors()


@dataclass(frozen=True)
class Nuisance:
    """Everything in a picture that no factor names."""

    x: float = 0.0
    """Shift of the head to the right, pixels."""
    y: float = 0.0
    """Shift of the head downwards, pixels."""
    scale: float = 1.0
    """Size of the person relative to the usual one."""
    tilt: float = 0.0
    """Clockwise rotation of the head, degrees."""
    skin: float = 0.3
    """Skin tone from 0 (light) to 1 (dark)."""
    hair_light: float = 0.0
    """Lightness added to the hair, fraction of full range."""
    clothes_light: float = 0.0
    """Lightness added to the clothes, fraction of full range."""
    layout: int = 0
    """Seed of the arrangement of the background."""

    @classmethod
    def sample(cls, rng: np.random.Generator) -> Nuisance:
        """Draw every field uniformly from its range."""
        return cls(
            x=rng.uniform(-3, 3),
            y=rng.uniform(-3, 3),
            scale=rng.uniform(0.94, 1.06),
            tilt=rng.uniform(-4, 4),
            skin=rng.uniform(0, 1),
            hair_light=rng.uniform(-0.05, 0.05),
            clothes_light=rng.uniform(-0.05, 0.05),
            layout=int(rng.integers(2**31)),
        )


@dataclass(frozen=True)
class Palette:
    """The colours of one person."""

    skin: Color
    hair: Color
    iris: Color
    clothes_light: float


class Pen:
    """Draws shapes, moved, scaled and rotated, on an oversampled picture and on its silhouette."""

    def __init__(
        self,
        picture: Image.Image,
        silhouette: Image.Image | None = None,
        *,
        x: float = 0.0,
        y: float = 0.0,
        scale: float = 1.0,
        tilt: float = 0.0,
    ) -> None:
        self.draw = ImageDraw.Draw(picture)
        self.mask = ImageDraw.Draw(silhouette) if silhouette else None
        self.origin = np.array([x, y]) * OVERSAMPLING
        self.scale = scale * OVERSAMPLING
        c, s = cos(radians(tilt)) * self.scale, sin(radians(tilt)) * self.scale
        self.matrix = np.array([[c, s], [-s, c]])

    def polygon(self, points: Points | np.ndarray, color: Color) -> None:
        """Fill a closed outline."""
        xy = (np.asarray(points) @ self.matrix + self.origin).ravel().tolist()
        self.draw.polygon(xy, fill=color)
        if self.mask:
            self.mask.polygon(xy, fill=255)

    def line(self, points: Points | np.ndarray, color: Color, width: float) -> None:
        """Draw an open line with round ends."""
        xy = np.asarray(points) @ self.matrix + self.origin
        self.draw.line(xy.ravel().tolist(), fill=color, width=round(width * self.scale), joint="curve")
        radius = width * self.scale / 2
        for x, y in (xy[0], xy[-1]):
            self.draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=color)

    def ellipse(self, x: float, y: float, rx: float, ry: float, color: Color) -> None:
        """Fill an ellipse."""
        self.polygon(_CIRCLE * (rx, ry) + (x, y), color)

    def blob(self, points: Points, color: Color) -> None:
        """Fill a smooth closed outline through the points."""
        self.polygon(_spline(points, closed=True), color)

    def curve(self, points: Points, color: Color, width: float) -> None:
        """Draw a smooth line through the points."""
        self.line(_spline(points, closed=False), color, width)


_ANGLES = np.linspace(0, 2 * np.pi, 40, endpoint=False)
_CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)


@cache
def _spline(points: Points, *, closed: bool, steps: int = 8) -> np.ndarray:
    """Sample the uniform Catmull-Rom spline through the points (Catmull and Rom, 1974)."""
    p = np.array(points, dtype=float)
    p = np.concatenate([p[-1:], p, p[:2]] if closed else [p[:1], p, p[-1:]])
    a, b, c, d = p[:-3, None], p[1:-2, None], p[2:-1, None], p[3:, None]
    t = np.linspace(0, 1, steps, endpoint=not closed)[None, :, None]
    curve = b + t / 2 * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    return curve.reshape(-1, 2)


def _mirror(points: Points) -> Points:
    return tuple((-x, y) for x, y in points)


def _symmetric(right: Points) -> Points:
    """Close an outline given by its right half, from top to bottom."""
    return right + _mirror(right)[::-1]


def _mix(a: Color, b: Color, share: float) -> Color:
    return tuple(round(p + (q - p) * share) for p, q in zip(a, b, strict=True))


def _lighter(color: Color, amount: float) -> Color:
    """Move a colour towards white, or for a negative amount towards black."""
    return _mix(color, WHITE if amount > 0 else (0, 0, 0), abs(amount))


# Backgrounds: function(pen, rng)


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
            lit = (255, 226, 120) if rng.random() < 0.75 else _lighter(color, -0.25)
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


# Hair behind the body: function(pen, palette)

_SKULL = _symmetric(((0, -37), (22, -32), (34, -14), (33, 6), (24, 12), (10, 14)))
_MANE = _symmetric(((0, -37), (23, -32), (36, -14), (38, 10), (40, 34), (36, 46), (24, 48), (10, 46)))
_BUNCH = ((28, -4), (38, -16), (50, -14), (57, 0), (56, 18), (50, 33), (45, 38), (41, 26), (36, 10))


def _skull(pen: Pen, palette: Palette) -> None:
    pen.blob(_SKULL, _lighter(palette.hair, -0.2))


def _mane(pen: Pen, palette: Palette) -> None:
    pen.blob(_MANE, _lighter(palette.hair, -0.28))


def _bunches(pen: Pen, palette: Palette) -> None:
    _skull(pen, palette)
    for side in (_BUNCH, _mirror(_BUNCH)):
        pen.blob(side, palette.hair)
        x = side[0][0]
        pen.curve(((x * 1.64, -6), (x * 1.8, 6), (x * 1.74, 22)), _lighter(palette.hair, 0.3), 3)
        pen.ellipse(x * 1.24, -6, 4.5, 5.5, (255, 250, 240))


# Hair in front of the face: function(pen, palette)

_CAP = ((33, 6), (35, -10), (31, -25), (19, -35), (0, -38), (-19, -35), (-31, -25), (-35, -10), (-33, 6))
_SWEPT = (*_CAP, (-29, 0), (-27, -11), (-20, -13), (-8, -17), (4, -22), (13, -13), (22, -11), (28, -10), (29.5, 0))
_PARTED = (*_CAP, (-30, 2), (-26, -9), (-12, -14), (0, -25), (12, -14), (26, -9), (30, 2))
_BANGS = (*_CAP, (-29, 0), (-27, -8), (-20, -12), (-10, -11), (0, -13), (10, -11), (20, -12), (27, -8), (29, 0))
_LOCK = ((29, -24), (36, -12), (39, 8), (43, 28), (46, 44), (45, 56), (36, 50), (30, 53), (28, 40), (29, 18), (28, 0))


def _short_front(pen: Pen, palette: Palette) -> None:
    pen.polygon(((-13, -34), (-6, -44), (-1, -40), (7, -44), (13, -34)), palette.hair)
    _fringe(pen, palette, _SWEPT)


def _long_front(pen: Pen, palette: Palette) -> None:
    for side in (_LOCK, _mirror(_LOCK)):
        pen.blob(side, palette.hair)
        pen.curve(tuple((x * 0.9, y) for x, y in side[2:5]), _lighter(palette.hair, 0.3), 3)
    _fringe(pen, palette, _PARTED)


def _bunches_front(pen: Pen, palette: Palette) -> None:
    _fringe(pen, palette, _BANGS)


def _fringe(pen: Pen, palette: Palette, outline: Points) -> None:
    pen.blob(outline, palette.hair)
    pen.curve(((-24, -22), (-16, -28), (-5, -31)), _lighter(palette.hair, 0.35), 4)


# Clothing: function(pen, palette)

_TORSO = _symmetric(((0, 32), (16, 31), (36, 35), (47, 44), (51, 58), (52, 72)))
_BODICE = _symmetric(((0, 47), (10, 43), (20, 42), (31, 47), (35, 58), (37, 72)))


def _suit(pen: Pen, palette: Palette) -> None:
    cloth = _lighter((54, 60, 80), palette.clothes_light + 0.01)
    pen.blob(_TORSO, cloth)
    pen.polygon(((-17, 30), (17, 30), (6, 70), (-6, 70)), (252, 252, 255))
    _neck(pen, palette)
    for side in (1, -1):
        lapel = ((12, 28), (25, 36), (18, 48), (5, 72), (13, 40))
        pen.polygon(np.multiply(lapel, (side, 1)), _lighter(cloth, -0.3))
        collar = ((12, 29), (0, 39), (9, 45), (15, 36))
        pen.polygon(np.multiply(collar, (side, 1)), WHITE)
    pen.polygon(((-5, 39), (5, 39), (3, 45), (7, 72), (-7, 72), (-3, 45)), (220, 34, 44))


def _hoodie(pen: Pen, palette: Palette) -> None:
    cloth = _lighter((92, 200, 60), palette.clothes_light)
    pen.ellipse(0, 32, 30, 11, _lighter(cloth, -0.35))
    pen.blob(_TORSO, cloth)
    _neck(pen, palette)
    collar = ((-25, 31), (-15, 38), (0, 43), (15, 38), (25, 31))
    pen.curve(collar, _lighter(cloth, -0.3), 7)
    for side in (1, -1):
        pen.line(((side * 8, 43), (side * 9, 55)), WHITE, 3)


def _stripes(pen: Pen, palette: Palette) -> None:
    pen.blob(_TORSO, (250, 250, 252))
    navy = _lighter((28, 44, 112), palette.clothes_light)
    outline = _spline(_TORSO, closed=True)
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
    cloth = _lighter((255, 104, 176), palette.clothes_light)
    pen.blob(_TORSO, palette.skin)
    _neck(pen, palette)
    pen.blob(_BODICE, cloth)
    for side in (1, -1):
        pen.line(((side * 17, 33), (side * 18, 48)), cloth, 6)
        pen.line(((side * 37, 50), (side * 38, 66)), _lighter(palette.skin, -0.25), 2)


def _neck(pen: Pen, palette: Palette) -> None:
    pen.polygon(((-9, 24), (9, 24), (10, 34), (0, 39), (-10, 34)), _lighter(palette.skin, -0.18))


# Face

_HEAD = _symmetric(((0, -32), (20, -27), (30, -10), (31, 8), (25, 22), (12, 30)))


def _head(pen: Pen, palette: Palette) -> None:
    for side in (1, -1):
        pen.ellipse(side * 31, 5, 5, 7, palette.skin)
        pen.ellipse(side * 31.5, 5, 2.5, 4, _lighter(palette.skin, -0.2))
    pen.blob(_HEAD, palette.skin)
    for side in (1, -1):
        pen.ellipse(side * 21, 16, 5.5, 3.5, _mix(palette.skin, (255, 90, 90), 0.3))
    pen.ellipse(0, 10.5, 2.6, 1.8, _lighter(palette.skin, -0.22))


def _eyes(pen: Pen, palette: Palette) -> None:
    for x in (-14.5, 14.5):
        pen.ellipse(x, 2, 9.2, 9.6, INK)
        pen.ellipse(x, 3.4, 8.4, 8.6, WHITE)
        pen.ellipse(x, 3.4, 6.6, 7.2, _lighter(palette.iris, -0.3))
        pen.ellipse(x, 4.2, 6.2, 6.4, palette.iris)
        pen.ellipse(x, 3.4, 2.8, 3.2, (24, 16, 24))
        pen.ellipse(x + 2.5, 0.2, 2, 2, WHITE)


# Expressions: function(pen, palette)


def _smile(pen: Pen, palette: Palette) -> None:
    _brows(pen, palette, inner=-10, outer=-8.5)
    pen.blob(((-14, 14.5), (0, 17), (14, 14.5), (9.5, 23.5), (0, 27.5), (-9.5, 23.5)), MOUTH)
    pen.blob(((-12, 15.8), (0, 18), (12, 15.8), (8, 20.6), (0, 22.4), (-8, 20.6)), WHITE)


def _sad(pen: Pen, palette: Palette) -> None:
    _brows(pen, palette, inner=-13, outer=-6.5)
    pen.curve(((-11, 25.5), (-7, 20.5), (0, 18.5), (7, 20.5), (11, 25.5)), MOUTH, 3.8)


def _surprised(pen: Pen, palette: Palette) -> None:
    _brows(pen, palette, inner=-14, outer=-12.5)
    pen.ellipse(0, 20.5, 9.4, 8.4, MOUTH)


def _brows(pen: Pen, palette: Palette, *, inner: float, outer: float) -> None:
    for side in (1, -1):
        points = ((side * 8, inner), (side * 15, (inner + outer) / 2 - 1.2), (side * 21, outer))
        pen.curve(points, _lighter(palette.hair, -0.45), 3)


# Eyewear and hats: function(pen)


def _nothing(pen: Pen) -> None:
    pass


def _glasses(pen: Pen) -> None:
    frame = (36, 30, 40)
    for side in (1, -1):
        x, y = side * 14.5, 3.5
        pen.line(_CIRCLE[np.arange(41) % 40] * 12.2 + (x, y), frame, 3)
        pen.line(((side * 26, 1), (side * 33, -2)), frame, 3)
    pen.curve(((-3, 2), (0, 0.5), (3, 2)), frame, 3)


def _eyepatch(pen: Pen) -> None:
    black = (22, 20, 26)
    pen.curve(((31, -19), (10, -10), (-10, -2), (-32, 7)), black, 3)
    pen.blob(((-27, -7), (-14, -9.5), (-3, -7), (-3.5, 6), (-14, 16), (-25.5, 7)), black)
    pen.curve(((-22, -3), (-16, -4.5), (-10, -4)), (90, 86, 100), 2)


def _crown(pen: Pen) -> None:
    gold, dark = (255, 178, 10), (206, 118, 0)
    spikes = ((-28, -22), (-32, -46), (-16, -34), (0, -52), (16, -34), (32, -46), (28, -22), (0, -18))
    pen.polygon(spikes, gold)
    pen.curve(((-27, -24), (0, -20), (27, -24)), dark, 5)
    for x, y in ((-32, -47), (0, -53), (32, -47)):
        pen.ellipse(x, y, 4, 4, gold)
    for x, y, color in ((0, -32, (230, 30, 70)), (-17, -29, (30, 190, 200)), (17, -29, (30, 190, 200))):
        pen.ellipse(x, y, 3.8, 4.2, color)


def _top_hat(pen: Pen) -> None:
    black = (28, 26, 34)
    pen.blob(_symmetric(((0, -57), (24, -58), (26, -55), (25, -40), (27, -24), (14, -18))), black)
    pen.polygon(((-25, -37), (0, -34), (25, -37), (27, -26), (0, -23), (-27, -26)), (226, 40, 60))
    pen.blob(_symmetric(((0, -25), (22, -28), (38, -29), (38, -24), (22, -19), (8, -17))), black)
    pen.curve(((-18, -53), (-17, -47), (-17, -43)), (104, 102, 118), 4)


def _beanie(pen: Pen) -> None:
    wool, cuff = (150, 62, 206), (186, 116, 232)
    pen.ellipse(0, -51, 9, 8.5, (232, 204, 250))
    pen.blob(_symmetric(((0, -46), (20, -42), (33, -27), (34, -19), (10, -19))), wool)
    pen.blob(_symmetric(((0, -31), (20, -31), (34, -28), (36, -22), (34, -16), (18, -19))), cuff)
    for x in (-22, -8, 8, 22):
        pen.line(((x, -28), (x, -22.5)), wool, 2.5)


Backdrop = Callable[[Pen, np.random.Generator], None]
Part = Callable[[Pen, Palette], None]
Accessory = Callable[[Pen], None]

BACKGROUNDS: dict[str, Backdrop] = {"beach": _beach, "forest": _forest, "city": _city, "snow": _snow}
HAIR_BEHIND: dict[str, Part] = {"short": _skull, "long": _mane, "pigtails": _bunches}
HAIR_FRONT: dict[str, Part] = {"short": _short_front, "long": _long_front, "pigtails": _bunches_front}
CLOTHING: dict[str, Part] = {"suit": _suit, "hoodie": _hoodie, "stripes": _stripes, "dress": _dress}
EXPRESSIONS: dict[str, Part] = {"smile": _smile, "sad": _sad, "surprised": _surprised}
EYEWEAR: dict[str, Accessory] = {"none": _nothing, "glasses": _glasses, "eyepatch": _eyepatch}
HATS: dict[str, Accessory] = {"none": _nothing, "crown": _crown, "top hat": _top_hat, "beanie": _beanie}


def sample_factors(rng: np.random.Generator) -> dict[str, str]:
    """Draw one value of every category, uniformly and independently."""
    return {category: values[rng.integers(len(values))] for category, values in FACTORS.items()}


def draw(factors: Mapping[str, str], nuisance: Nuisance) -> Image.Image:
    """Draw the portrait with one value per category.

    Returns an RGB picture of SIZE x SIZE pixels; the same inputs give the same bytes.
    Raises ValueError when a category is missing or unknown or has an unknown value.
    """
    _check(factors)
    background = _canvas("RGB")
    BACKGROUNDS[factors["background"]](Pen(background), np.random.default_rng(nuisance.layout))
    person, silhouette = _canvas("RGB"), _canvas("L", 0)
    _person(person, silhouette, factors, nuisance)
    mask = silhouette.reduce(OVERSAMPLING).filter(ImageFilter.MaxFilter(EDGE))
    return Image.composite(person.reduce(OVERSAMPLING), background.reduce(OVERSAMPLING), mask)


def _check(factors: Mapping[str, str]) -> None:
    if factors.keys() != FACTORS.keys():
        raise ValueError(f"factors: got the categories {sorted(factors)}, expected exactly {sorted(FACTORS)}")
    for category, value in factors.items():
        if value not in FACTORS[category]:
            raise ValueError(f"factors: {category} is {value!r}, expected one of {list(FACTORS[category])}")


def _canvas(mode: str, color: int | str = "white") -> Image.Image:
    return Image.new(mode, (SIZE * OVERSAMPLING, SIZE * OVERSAMPLING), color)


def _person(picture: Image.Image, silhouette: Image.Image, factors: Mapping[str, str], nuisance: Nuisance) -> None:
    """Draw the person from back to front."""
    palette = _palette(factors, nuisance)
    place = {"x": SIZE / 2 + nuisance.x, "y": 69 + nuisance.y, "scale": nuisance.scale}
    body = Pen(picture, silhouette, **place)
    head = Pen(picture, silhouette, **place, tilt=nuisance.tilt)
    HAIR_BEHIND[factors["haircut"]](head, palette)
    CLOTHING[factors["clothing"]](body, palette)
    _head(head, palette)
    _eyes(head, palette)
    HAIR_FRONT[factors["haircut"]](head, palette)
    EXPRESSIONS[factors["expression"]](head, palette)
    EYEWEAR[factors["eyewear"]](head)
    HATS[factors["hat"]](head)


def _palette(factors: Mapping[str, str], nuisance: Nuisance) -> Palette:
    light, dark = (SKIN_LIGHT, SKIN_MEDIUM) if nuisance.skin < 0.5 else (SKIN_MEDIUM, SKIN_DARK)
    return Palette(
        skin=_mix(light, dark, nuisance.skin * 2 % 1),
        hair=_lighter(HAIR_COLORS[factors["hair"]], nuisance.hair_light),
        iris=IRIS_COLORS[factors["eyes"]],
        clothes_light=nuisance.clothes_light,
    )
