"""Pictures with captions of their own: where they stand, how large, and how a fault is framed."""

import numpy as np
import pytest

from supsae.drawing.cells import CAPTION, LINE, Cell, cells
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


def test_long_captions_go_on_in_further_lines_and_never_into_their_neighbours():
    long = cell(100)._replace(caption="a serious face or a clown with a red nose: a clown with a red nose")
    made = np.asarray(cells([long, cell(50)._replace(caption="")], "t", across=2))
    side, top = 192, MARGIN + 42
    # at 16 pixels that is some 480 wide: three lines of 192
    assert made.shape[0] == top + side + CAPTION + 2 * LINE + MARGIN
    assert (made[top + side + 1 :, MARGIN + side + GAP :] == made[-1, -1]).all()


def test_a_word_wider_than_its_picture_is_cut_off():
    made = np.asarray(cells([cell(100)._replace(caption="w" * 60), cell(50)._replace(caption="")], "t", across=2))
    assert (made[MARGIN + 42 + 193 :, MARGIN + 192 + GAP :] == made[-1, -1]).all()
