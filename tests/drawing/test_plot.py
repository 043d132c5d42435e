"""Plots, bars and grids: what they show stands where it should."""

import numpy as np
import pytest

from supsae.drawing import bars
from supsae.drawing.bars import Panel, prompt_picture
from supsae.drawing.grid import MOST, grid
from supsae.drawing.plot import BOTTOM, COLOURS, LEFT, RIGHT, SIZE, TOP, Line, plot, share_ticks
from supsae.supsae_core.reading.prompt_report import PromptReport, Said, Unexplained


def pixels(picture, colour, tolerance=8):
    return (np.abs(np.asarray(picture, int) - colour).max(-1) <= tolerance).nonzero()


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([0.0, 1.0], [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        ([0.4, 0.6], [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        ([-0.1, 1.3], [-0.2, 0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4]),
        ([0.0, 5.0], [0, 1, 2, 3, 4, 5]),
        ([0.0, 100.0], [0, 100]),
    ],
)
def test_ticks_enclose_the_values_and_0_to_100_percent(values, ticks):
    assert share_ticks(values) == pytest.approx(ticks)


def test_lines_go_through_their_values():
    lines = [Line("falling", (1.0, 0.5, 0.0)), Line("rising", (0.0, 0.25, 1.0))]
    made = plot((0, 1, 2), lines, title="title", across="block", upwards="share")
    assert made.size == SIZE
    for line, colour in zip(lines, COLOURS, strict=False):
        rows, columns = pixels(made, colour)
        own = rows > TOP - 10  # below the legend
        left, right = LEFT + 14, SIZE[0] - RIGHT - 14
        for place, value in enumerate(line.values):
            x, y = left + place / 2 * (right - left), SIZE[1] - BOTTOM - value * (SIZE[1] - TOP - BOTTOM)
            assert (np.hypot(columns[own] - x, rows[own] - y) < 5).any(), f"{line.name} misses {value}"


def test_ranges_reach_from_low_to_high():
    teal = (0, 128, 128)
    made = plot((0, 0.5), [Line("one", (0.5, 0.5), ((0.0, 1.0), (0.5, 0.5)), teal)], title="", across="", upwards="")
    rows, columns = pixels(made, teal)
    # The first place is 14 px right of the axis; its range spans all of the axis, from 0 to 100 %.
    own = rows[(abs(columns - LEFT - 14) <= 1) & (rows > TOP - 5)]
    assert own.min() == pytest.approx(TOP, abs=2) and own.max() == pytest.approx(SIZE[1] - BOTTOM, abs=2)


def told(*scores, least=0.0):
    said = tuple(Said(f"hair: {i}", "red hair", score, {"t5": (1,)}, 1.0) for i, score in enumerate(scores))
    return Panel("", PromptReport(said, ("hat",), {"t5": Unexplained(0.5, 0.25)}, least))


def test_bars_are_as_long_as_the_scores_above_the_least():
    made = prompt_picture([told(3.0, 1.0, least=-1.0)])
    rows, columns = pixels(made, bars.FOUND, 0)
    lengths = [columns[rows == row].size for row in np.unique(rows)]
    # 4 and 2 above the least: the longest fills the room, the other half of it
    assert set(lengths) == {bars.BAR + 1, bars.BAR // 2 + 1}
    rows, columns = pixels(made, bars.LEFT_OVER, 0)
    assert {columns[rows == row].size for row in np.unique(rows)} == {bars.BAR // 2 + 1, bars.BAR // 4 + 1}


def test_many_prompts_are_cut_with_a_word():
    assert prompt_picture([told(1.0)] * 30).height == prompt_picture([told(1.0)] * 9).height
    assert prompt_picture([told()]).height > 0


def test_pictures_stand_in_their_cells():
    colours = [(250, 0, 0), (0, 250, 0), (0, 0, 250), (250, 250, 0)]
    red, green, blue, yellow = (np.full((64, 64, 3), colour, np.uint8) for colour in colours)
    made = grid([[red, green], [blue, yellow]], ["0", "1"], ["first", "second"], "title")
    places = [tuple(axis.mean() for axis in pixels(made, colour)) for colour in colours]
    assert [len(pixels(made, colour)[0]) for colour in colours] == [256 * 256] * 4  # 64 enlarged to 256
    assert places[0][0] == places[1][0] < places[2][0] and places[0][1] == places[2][1] < places[1][1]


def test_a_wide_grid_is_shrunk():
    wide = [[np.zeros((512, 1024, 3), np.uint8)] * 16]
    assert grid(wide, [""] * 16, [""], "title").width <= MOST + 100
