"""Plots, bars, grids and sheets: what they are given shows in the picture, and nothing is drawn outside it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from supsae.drawing import bars, sheet
from supsae.drawing.codes import cosine_matrix, cosine_picture
from supsae.drawing.dots import Dots, dots
from supsae.drawing.grid import MOST, grid
from supsae.drawing.plot import Line, plot, share_ticks
from supsae.supsae_core.reading.prompt_report import PromptReport, Said, Unexplained

TEAL = (0, 128, 128)
GREEN = np.full((64, 64, 3), (0, 200, 0), np.uint8)


def pixels(picture, colour):
    """Count the pixels of a colour."""
    return int((np.asarray(picture, int) == colour).all(-1).sum())


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


def test_a_range_adds_to_a_line():
    bare, ranged = (
        plot((0, 1), [Line("one", (0.5, 0.5), ends, TEAL)], title="title", across="x", upwards="y")
        for ends in ((), ((0.0, 1.0), (0.5, 0.5)))
    )
    assert bare.size == ranged.size and pixels(ranged, TEAL) > pixels(bare, TEAL) > 0


def test_a_wider_interval_is_a_longer_band():
    def drawn(low, high):
        line = Dots("us", TEAL, {"both": (0.5, low, high)}, {})
        return dots([line], {"both": "both"}, title="title", note="note", rings="ring", discs="disc")

    narrow, wide = drawn(0.45, 0.55), drawn(0.1, 0.9)
    track = sheet.mixed(sheet.PAPER, TEAL, 1 / 3)
    assert narrow.size == wide.size and pixels(wide, track) > pixels(narrow, track)


def told(*scores, least=0.0):
    said = tuple(Said(f"hair: {i}", "red hair", score, {"t5": (1,)}, 1.0) for i, score in enumerate(scores))
    return bars.Panel("", PromptReport(said, ("hat",), {"t5": Unexplained(0.5, 0.25)}, least))


def test_bars_are_as_long_as_the_scores_above_the_least():
    # 4 and 2 above the least: the second bar is half of the first
    one, both = (pixels(bars.prompt_picture([told(*some, least=-1.0)]), bars.FOUND) for some in ((3.0,), (3.0, 1.0)))
    assert both == pytest.approx(1.5 * one, rel=0.01)


def test_many_prompts_are_cut_with_a_word():
    assert bars.prompt_picture([told(1.0)] * 30).height == bars.prompt_picture([told(1.0)] * 9).height
    assert bars.prompt_picture([told()]).height > 0


def test_a_grid_shows_all_pictures_and_stays_narrow():
    colours = [(250, 0, 0), (0, 250, 0), (0, 0, 250), (250, 250, 0)]
    red, green, blue, yellow = (np.full((64, 64, 3), colour, np.uint8) for colour in colours)
    made = grid([[red, green], [blue, yellow]], ["0", "1"], ["first", "second"], "title")
    assert [pixels(made, colour) for colour in colours] == [256 * 256] * 4  # 64 enlarged to 256
    wide = [[np.zeros((512, 1024, 3), np.uint8)] * 16]
    assert grid(wide, [""] * 16, [""], "title").width <= MOST + 100


def test_a_sheet_frames_what_failed_and_stacks_its_bands():
    def drawn(*marks):
        columns = [sheet.Column("hat", "none to crown", (GREEN,), (mark,)) for mark in marks]
        return sheet.sheet(columns, ["before"], "title", "note", across=2)

    plain, framed = drawn("", ""), drawn("missed", "moved")
    for colour in sheet.MARKS.values():
        assert pixels(framed, colour) > pixels(plain, colour) == 0
    three = drawn("", "", "")
    assert three.width == plain.width and three.height > plain.height + sheet.SIDE


def test_a_wide_picture_keeps_its_shape():
    wide = np.repeat(GREEN, 2, axis=1)
    one, two = (sheet.side_by_side([some, some], ["a", "b"]) for some in (GREEN, wide))
    # two pictures at twice their size, each GREEN's width wider twice over
    assert two.width - one.width == 2 * 2 * GREEN.shape[1] and two.height == one.height


def test_captions_fit():
    short, long = (sheet.side_by_side([GREEN, GREEN], ["before", "after " * n]) for n in (1, 40))
    assert long.width == short.width and long.height > short.height
    face = sheet.font(20)
    name = sheet.shortened("an endless name of a value that nobody can read", face, 192)
    assert name.endswith("…") and face.getlength(name) <= 192


def test_cosines_by_hand(learnt):
    # (1, 0) and (1, 1): 1 / sqrt 2; (0, 0) is no direction
    found = cosine_matrix(torch.tensor([[2.0, 0.0], [3.0, 3.0], [0.0, 0.0]]))
    wanted = torch.tensor([[1, 0.5**0.5, 0], [0.5**0.5, 1, 0], [0, 0, 0]])
    torch.testing.assert_close(found, wanted)
    bare = replace(learnt.dictionary, report={}, provenance={})
    assert min(cosine_picture(bare).size) > 400
