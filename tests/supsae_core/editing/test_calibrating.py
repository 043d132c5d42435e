"""A slider calibrated on pictures whose way can be counted."""

from dataclasses import replace

import pytest
import torch

from supsae.supsae_core.editing.calibrating import GRID, calibrated, isotonic, require_calibratable, slider_map
from supsae.supsae_core.editing.edits import Clear, Remove, Scale, Swap
from supsae.supsae_core.editing.evenness import evenness

RED, SUIT = "hair: red", "clothing: suit"
AT = (0.0, *(p**0.5 for p in GRID), 1.0)
"""Strengths at which a picture that moves as their squares has gone just the eighths."""


@pytest.fixture(scope="module")
def straight(learnt):
    """A dictionary whose own map changes nothing."""
    return replace(learnt.dictionary, slider=((1.0, 1.0),))


@pytest.fixture(scope="module")
def red(learnt):
    return learnt.table.index(RED)


def pictures(gone, beside=None):
    """(n, B, 1, 2, 3): pictures (B, n) so far along the first pixel's way and so far beside it, on the second's."""
    gone = torch.tensor(gone, dtype=torch.float64)
    beside = torch.zeros_like(gone) if beside is None else torch.tensor(beside, dtype=torch.float64)
    return torch.stack([gone, beside], -1).transpose(0, 1)[:, :, None, :, None].expand(-1, -1, 1, 2, 3).clone()


def inside(found):
    return [knot for knot in found.knots if 0 < knot[0] < 1]


def test_pictures_that_move_as_the_square_take_the_root(straight, red):
    found = slider_map(straight, red, pictures([[a * a for a in AT]]), AT)
    for (position, strength), p in zip(inside(found), GRID, strict=True):
        assert (position, strength) == pytest.approx((p, p**0.5), abs=1e-6)
    assert (found.low, found.high) == (0, 1)


def test_what_is_even_stays(straight, red):
    at = (0.0, *GRID, 1.0)
    found = slider_map(straight, red, pictures([at]), at)
    assert [y for _, y in inside(found)] == pytest.approx(list(GRID), abs=1e-6)


def test_drawn_again_the_slider_is_even(straight, red):
    made = calibrated(straight, red, pictures([[a * a for a in AT]]), AT)
    at = (0.0, *GRID, 1.0)
    again = pictures([[made.strength(p, red) ** 2 for p in at]])
    (before,) = evenness(pictures([[p * p for p in at]]), at, torch.zeros(1, 1, 2, 3))
    (after,) = evenness(again, at, torch.zeros(1, 1, 2, 3))
    # speeds of the square: 1, 3, … 15 times an eighth, mean 1, so the root of Σ(i/4)² 2/8 for i = ½, 1½, 2½, 3½
    assert before.variation == pytest.approx((21 / 64) ** 0.5, rel=1e-6)
    assert after.variation == pytest.approx(0, abs=1e-5)


def test_ends_and_what_lies_beyond_stay(learnt, red):
    bent = replace(learnt.dictionary, slider=((0.5, 0.3), (1.0, 1.0), (2.0, 2.0)))
    made = calibrated(bent, red, pictures([[a * a for a in AT]]), AT)
    for p in (-2.0, -0.5, 0.0, 1.0, 1.5, 3.0):
        assert made.strength(p, red) == pytest.approx(bent.strength(p), abs=1e-12)
    assert made.strength(0.0, red) == 0 and made.strength(1.0, red) == 1
    assert made.strength(0.5, red) != bent.strength(0.5)


def test_the_concepts_map_stands_behind_the_dictionarys(learnt, red):
    # D(s) = s², so at the roots of the eighths their own strengths are applied, and s⁴ of the way is gone
    own = replace(learnt.dictionary, slider=tuple((a, a * a) for a in AT[1:]))
    found = calibrated(own, red, pictures([[a**4 for a in AT]]), AT)
    knots = dict(inside(found.sliders[RED]))
    assert list(knots) == pytest.approx([own.strength(p) for p in GRID])
    lower, upper = 0.625, 0.75  # strengths at which 0.39 and 0.5625 are gone, around 0.5
    share = (0.5 - lower**2) / (upper**2 - lower**2)
    assert found.strength(0.5, red) == pytest.approx(lower + share * (upper - lower), abs=1e-6)


def test_a_calibration_takes_the_place_of_the_one_before(straight, red):
    first = calibrated(straight, red, pictures([[a * a for a in AT]]), AT)
    at = (0.0, *GRID, 1.0)
    # drawn with it, the pictures are even at the eighths: the same map comes out, as strengths count, not positions
    again = calibrated(first, red, pictures([at]), at)
    assert [y for _, y in inside(again.sliders[RED])] == pytest.approx([p**0.5 for p in GRID], abs=1e-6)


def test_pictures_weigh_alike_and_going_back_is_evened_out(straight, red):
    at = (0.0, 0.25, 0.5, 0.75, 1.0)
    # the second one falls from 0.6 to 0.4: means 0.1, 0.5, 0.4 → 0.1, 0.45, 0.45; the third never moves and is left out
    gone = [[0, 0.2, 0.4, 0.4, 1], [0, 0.0, 0.6, 0.4, 1], [0, 0, 0, 0, 0]]
    found = slider_map(straight, red, pictures(gone), at)
    knots = dict(inside(found))
    assert knots[0.25] == pytest.approx(0.25 + 0.25 * (0.25 - 0.1) / 0.35, abs=1e-6)
    assert knots[0.5] == pytest.approx(0.75 + 0.25 * (0.5 - 0.45) / 0.55, abs=1e-6)


def test_the_nearest_rising_values():
    assert isotonic([1, 3, 2, 2, 5, 4]) == pytest.approx([1, 7 / 3, 7 / 3, 7 / 3, 4.5, 4.5])
    assert isotonic([]) == []


BEYOND = (-1.0, -0.5, 0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
SAFE = {
    # gone at −1, −0.5 and 1.25, 1.5, 2; the same beside the way, where 0.3 is the most between 0 and 1
    "all of it": ((-0.4, -0.2, 1.2, 1.4, 1.6), (0.3, 0.1, 0.1, 0.2, 0.3), (-1, 2)),
    "it leaves the way": ((-0.4, -0.2, 1.2, 1.4, 1.6), (0.4, 0.1, 0.1, 0.4, 0.2), (-0.5, 1.25)),
    "it turns back": ((-0.1, -0.2, 1.2, 1.1, 1.6), (0.0,) * 5, (-0.5, 1.25)),
    "it stands still": ((-0.009, 0.0, 1.005, 1.4, 1.6), (0.0,) * 5, (0, 1)),
}


@pytest.mark.parametrize(("gone", "beside", "wanted"), SAFE.values(), ids=SAFE)
def test_safe_ends_where_the_picture_stops_or_leaves(straight, red, gone, beside, wanted):
    ways = [*gone[:2], 0, 0.25, 0.5, 0.75, 1, *gone[2:]], [*beside[:2], 0, 0.1, 0.3, 0.1, 0, *beside[2:]]
    still = [0, 0, 0, 0.25, 0.5, 0.75, 1, 1, 1, 1], [0.0] * 10
    for count in (1, 2):  # of two others one that stands still is no majority
        rows = [[*([way] * count), *([lazy] * (count - 1))] for way, lazy in zip(ways, still, strict=True)]
        found = slider_map(straight, red, pictures(*rows), BEYOND)
        assert (found.low, found.high) == wanted


REFUSED = {
    "too few": ([[0, 0.5, 0.7, 1]], (0, 0.5, 0.75, 1), "at least 3 strengths between them, not from 0, 0.5, 0.75, 1"),
    "no 1": ([[0, 0.2, 0.4, 0.5]], (0, 0.25, 0.5, 0.75), "calibrated from 0, 1 and at least 3"),
    "no change": ([[0, 0.5, 0.2, 0.1, 0]], (0, 0.2, 0.4, 0.6, 1), "Strength 1 changes nothing in any picture"),
    # up 0.8, down 0.6, up 0.8: 0.6 of 2.2 is back
    "to and fro": ([[0, 0.8, 0.2, 0.6, 1]], (0, 0.2, 0.4, 0.6, 1), "27% of what they go is back again.*at most 25%"),
}


@pytest.mark.parametrize(("gone", "at", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_calibrated_says_why(straight, red, gone, at, message):
    with pytest.raises(ValueError, match=message):
        slider_map(straight, red, pictures(gone), at)


EDITS = {
    "two": ([Swap(RED), Swap(SUIT)], "one edit of one concept, not with 2: swap hair: red .strength 1., swap clothing"),
    "none": ([], "one edit of one concept, not with 0"),
    "a category": ([Clear("hair")], "one edit of one concept, not with 1: clear hair"),
    "a factor": ([Scale(RED)], "'scale hair: red .strength 1.' cannot be calibrated: there the strength is a factor"),
    "half": ([Swap(RED, 0.5)], "only where the edit has strength 1, and 'swap hair: red .strength 0.5.' has not"),
}


@pytest.mark.parametrize(("asked", "message"), EDITS.values(), ids=EDITS)
def test_one_edit_of_one_concept_is_calibrated(straight, asked, message):
    with pytest.raises(ValueError, match=message):
        require_calibratable(straight, asked, AT)


def test_its_concept_is_found_and_numbers_are_checked_before_pictures(straight):
    assert require_calibratable(straight, [Remove(SUIT)], AT[::-1]) == straight.table.index(SUIT)
    with pytest.raises(ValueError, match="at least 3 strengths between"):
        require_calibratable(straight, [Swap(RED)], (0, 1))
