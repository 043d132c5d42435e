"""The head, its eyes and the expressions: each a function(pen, palette), in pixels from the head's centre."""

from .pen import WHITE, Color, Palette, Part, Pen, lighter, mix, symmetric

INK, MOUTH = (58, 36, 48), (112, 12, 36)
SKIN_LIGHT, SKIN_MEDIUM, SKIN_DARK = (255, 224, 202), (232, 176, 136), (156, 100, 70)
IRIS_COLORS = {"blue": (36, 140, 255), "green": (38, 186, 70), "brown": (142, 74, 22)}

_HEAD = symmetric(((0, -32), (20, -27), (30, -10), (31, 8), (25, 22), (12, 30)))


def skin_color(tone: float) -> Color:
    """Mix the skin colour of a tone from 0 (light) to just below 1 (dark)."""
    light, dark = (SKIN_LIGHT, SKIN_MEDIUM) if tone < 0.5 else (SKIN_MEDIUM, SKIN_DARK)
    return mix(light, dark, tone * 2 % 1)


def draw_head(pen: Pen, palette: Palette) -> None:
    """Draw the ears, the head, the cheeks and the nose."""
    for side in (1, -1):
        pen.ellipse(side * 31, 5, 5, 7, palette.skin)
        pen.ellipse(side * 31.5, 5, 2.5, 4, lighter(palette.skin, -0.2))
    pen.blob(_HEAD, palette.skin)
    for side in (1, -1):
        pen.ellipse(side * 21, 16, 5.5, 3.5, mix(palette.skin, (255, 90, 90), 0.3))
    pen.ellipse(0, 10.5, 2.6, 1.8, lighter(palette.skin, -0.22))


def draw_eyes(pen: Pen, palette: Palette) -> None:
    """Draw both eyes."""
    for x in (-14.5, 14.5):
        pen.ellipse(x, 2, 9.2, 9.6, INK)
        pen.ellipse(x, 3.4, 8.4, 8.6, WHITE)
        pen.ellipse(x, 3.4, 6.6, 7.2, lighter(palette.iris, -0.3))
        pen.ellipse(x, 4.2, 6.2, 6.4, palette.iris)
        pen.ellipse(x, 3.4, 2.8, 3.2, (24, 16, 24))
        pen.ellipse(x + 2.5, 0.2, 2, 2, WHITE)


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
        pen.curve(points, lighter(palette.hair, -0.45), 3)


EXPRESSIONS: dict[str, Part] = {"smile": _smile, "sad": _sad, "surprised": _surprised}
