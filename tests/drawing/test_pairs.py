"""Pairs of pictures: where they stand, and how what is as asked is told from what is not."""

import numpy as np
import pytest

from supsae.drawing.pairs import CAPTION, HEAD, INSIDE, RIGHT, WRONG, Half, PicturePair, pairs
from supsae.drawing.sheet import GAP, MARGIN

SIDE = 192


def half(shade, right=None):
    return Half(np.full((SIDE, SIDE, 3), shade, np.uint8), "red", right)


def has(part, colour):
    return bool((part == colour).all(-1).any())


def test_pairs_stand_line_by_line():
    shades = [(10, 20), (30, 40), (50, 60)]
    made = np.asarray(pairs([PicturePair("seed 1", half(a), half(b)) for a, b in shades], "t", across=2))
    for index, own in enumerate(shades):
        line, column = divmod(index, 2)
        top = MARGIN + 36 + line * (HEAD + SIDE + CAPTION + GAP) + HEAD
        left = MARGIN + column * (2 * SIDE + INSIDE + 2 * GAP)
        for place, shade in enumerate(own):
            start = left + place * (SIDE + INSIDE)
            assert (made[top : top + SIDE, start : start + SIDE] == shade).all()
    # two pairs beside one another, two lines of them
    width, height = 2 * SIDE + INSIDE, HEAD + SIDE + CAPTION
    assert made.shape[:2] == (2 * MARGIN + 36 + 2 * height + GAP, 2 * MARGIN + 2 * width + 2 * GAP)


# a pair is 388 wide and 250 high: √(8 · 250 / 388) = 2.3, √(20 · 250 / 388) = 3.6, √(64 · 250 / 388) = 6.4
@pytest.mark.parametrize(("count", "across"), [(1, 1), (2, 1), (8, 2), (20, 4), (64, 6)])
def test_a_sheet_is_about_as_wide_as_high(count, across):
    made = pairs([PicturePair("", half(1), half(2))] * count, "t")
    assert made.width == 2 * MARGIN + across * (2 * SIDE + INSIDE + 2 * GAP) - 2 * GAP


def test_ticks_are_green_and_crosses_red_under_their_own_picture():
    made = np.asarray(
        pairs(
            [PicturePair("seed 1", half(10, False), half(20, True)), PicturePair("", half(1), half(2))], "t", across=2
        )
    )
    below = made[MARGIN + 36 + HEAD + SIDE :]
    middle, end = MARGIN + SIDE, MARGIN + 2 * SIDE + INSIDE
    before, after, untold = below[:, :middle], below[:, middle + INSIDE : end], below[:, end + INSIDE :]
    assert has(before, WRONG) and not has(before, RIGHT)
    assert has(after, RIGHT) and not has(after, WRONG)
    assert not has(untold, RIGHT) and not has(untold, WRONG)


def test_a_long_caption_stays_under_its_picture():
    long = Half(np.full((SIDE, SIDE, 3), 9, np.uint8), "red " * 60, True)
    made = np.asarray(pairs([PicturePair("seed 1", long, half(9))], "t"))
    below = made[MARGIN + 36 + HEAD + SIDE :, MARGIN + SIDE + 2 : MARGIN + SIDE + INSIDE]
    assert (below == made[0, 0]).all()
