"""Eyewear and hats: each a function(pen), in pixels from the head's centre, in colours of its own."""

from collections.abc import Callable

import numpy as np

from .pen import CIRCLE, Pen, symmetric


def _nothing(pen: Pen) -> None:
    pass


def _glasses(pen: Pen) -> None:
    frame = (36, 30, 40)
    for side in (1, -1):
        x, y = side * 14.5, 3.5
        pen.line(CIRCLE[np.arange(41) % 40] * 12.2 + (x, y), frame, 3)
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
    pen.blob(symmetric(((0, -57), (24, -58), (26, -55), (25, -40), (27, -24), (14, -18))), black)
    pen.polygon(((-25, -37), (0, -34), (25, -37), (27, -26), (0, -23), (-27, -26)), (226, 40, 60))
    pen.blob(symmetric(((0, -25), (22, -28), (38, -29), (38, -24), (22, -19), (8, -17))), black)
    pen.curve(((-18, -53), (-17, -47), (-17, -43)), (104, 102, 118), 4)


def _beanie(pen: Pen) -> None:
    wool, cuff = (150, 62, 206), (186, 116, 232)
    pen.ellipse(0, -51, 9, 8.5, (232, 204, 250))
    pen.blob(symmetric(((0, -46), (20, -42), (33, -27), (34, -19), (10, -19))), wool)
    pen.blob(symmetric(((0, -31), (20, -31), (34, -28), (36, -22), (34, -16), (18, -19))), cuff)
    for x in (-22, -8, 8, 22):
        pen.line(((x, -28), (x, -22.5)), wool, 2.5)


Accessory = Callable[[Pen], None]

EYEWEAR: dict[str, Accessory] = {"none": _nothing, "glasses": _glasses, "eyepatch": _eyepatch}
HATS: dict[str, Accessory] = {"none": _nothing, "crown": _crown, "top hat": _top_hat, "beanie": _beanie}
