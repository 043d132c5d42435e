"""Pictures with captions of their own: where they stand, how large, and how a fault is framed."""

import numpy as np
import pytest

from supsae.drawing.cells import CAPTION, Cell, cells
from supsae.drawing.sheet import GAP, MARGIN, MARKS


def cell(shade, mark="", size=(96, 96)):
    return Cell(np.full((*size, 3), shade, np.uint8), "hair: red", mark)


@pytest.mark.parametrize(
    ("size", "shown"),
    [((64, 64), (192, 192)), ((128, 64), (256, 128)), ((1024, 512), (512, 256)), ((256, 256), (256, 256))],
)
def test_small_pictures_are_enlarged_by_whole_numbers_and_large_ones_shrunk(size, shown):
    made = cells([cell(100, size=size)] * 5, "t", across=4)
    height, width = shown
    top = MARGIN + 42
    # four beside one another, two lines of them
    assert made.size == (2 * MARGIN + 4 * (width + GAP) - GAP, top + 2 * (height + CAPTION + GAP) - GAP + MARGIN)


def test_pictures_stand_line_by_line_and_faults_are_framed():
    made = np.asarray(cells([cell(10), cell(20, "missed"), cell(30)], "title", across=2))
    side, top = 192, MARGIN + 42
    places = [(0, 0, 10), (0, 1, 20), (1, 0, 30)]
    for line, column, shade in places:
        down, left = top + line * (side + CAPTION + GAP), MARGIN + column * (side + GAP)
        assert (made[down : down + side, left : left + side] == shade).all()
    assert tuple(made[top - 2, MARGIN + side + GAP + 50]) == MARKS["missed"]
    assert tuple(made[top - 2, MARGIN + 50]) not in MARKS.values()
