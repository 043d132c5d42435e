"""The pen and the colours that draw Portraits, in pixels of the final picture, x to the right and y down."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import cos, radians, sin

import numpy as np
from einops import rearrange
from PIL import Image, ImageDraw

SIZE = 128
OVERSAMPLING = 4

Color = tuple[int, ...]
Points = tuple[tuple[float, float], ...]

WHITE = (255, 255, 255)


@dataclass(frozen=True)
class Palette:
    """The colours of one person."""

    skin: Color
    hair: Color
    iris: Color
    clothes_light: float


def canvas(mode: str, color: int | str = "white", *, width: int = SIZE) -> Image.Image:
    """Make an oversampled picture of one colour."""
    return Image.new(mode, (width * OVERSAMPLING, SIZE * OVERSAMPLING), color)


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
        self.polygon(CIRCLE * (rx, ry) + (x, y), color)

    def blob(self, points: Points, color: Color) -> None:
        """Fill a smooth closed outline through the points."""
        self.polygon(spline(points, closed=True), color)

    def curve(self, points: Points, color: Color, width: float) -> None:
        """Draw a smooth line through the points."""
        self.line(spline(points, closed=False), color, width)


_ANGLES = np.linspace(0, 2 * np.pi, 40, endpoint=False)
CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)


@cache
def spline(points: Points, *, closed: bool, steps: int = 8) -> np.ndarray:
    """Sample the uniform Catmull-Rom spline through the points (Catmull and Rom, 1974)."""
    p = np.array(points, dtype=float)
    p = np.concatenate([p[-1:], p, p[:2]] if closed else [p[:1], p, p[-1:]])
    a, b, c, d = (rearrange(one, "piece xy -> piece 1 xy") for one in (p[:-3], p[1:-2], p[2:-1], p[3:]))
    t = rearrange(np.linspace(0, 1, steps, endpoint=not closed), "step -> step 1")
    curve = b + t / 2 * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    return rearrange(curve, "piece step xy -> (piece step) xy")


def mirror(points: Points) -> Points:
    """Swap left and right."""
    return tuple((-x, y) for x, y in points)


def symmetric(right: Points) -> Points:
    """Close an outline given by its right half, from top to bottom."""
    return right + mirror(right)[::-1]


def mix(a: Color, b: Color, share: float) -> Color:
    """Move a colour towards another by a share from 0 to 1."""
    return tuple(round(p + (q - p) * share) for p, q in zip(a, b, strict=True))


def lighter(color: Color, amount: float) -> Color:
    """Move a colour towards white, or for a negative amount towards black."""
    return mix(color, WHITE if amount > 0 else (0, 0, 0), abs(amount))


Part = Callable[[Pen, Palette], None]
