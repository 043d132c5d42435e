"""Evenness of a slider on pictures whose way can be counted."""

import pytest
import torch

from supsae.supsae_core.editing.evenness import evenness, tell_evenness


def pictures(*rows):
    """(n, 1, 1, pixels, 3): a picture of grey pixels a row."""
    return torch.tensor(rows)[:, None, None, :, None].expand(-1, 1, 1, -1, 3).clone()


STRAIGHT = pictures([0.0, 0.5], [0.2, 0.5], [0.4, 0.5])


def test_an_even_slider_is_straight_and_starts_at_the_picture():
    (found,) = evenness(STRAIGHT, [0.0, 0.5, 1.0], STRAIGHT[0])
    assert found[:5] == pytest.approx((0, 0, 1, 1, 0), abs=1e-6)
    assert found.largest == pytest.approx((0.0, 0.5, 0.5), abs=1e-6)  # of two equal steps the first


def test_the_order_of_strengths_does_not_matter():
    assert evenness(STRAIGHT[[2, 0, 1]], [1.0, 0.0, 0.5], STRAIGHT[0]) == evenness(STRAIGHT, [0, 0.5, 1], STRAIGHT[0])


def test_a_detour_is_longer_and_a_jump_uneven():
    # 0 → (0.3, 0.4) → (0.6, 0): two steps of 0.5, ends 0.6 apart: 1 / 0.6 − 1
    (round_,) = evenness(pictures([0.0, 0.0], [0.3, 0.4], [0.6, 0.0]), [0, 0.5, 1], pictures([0.0, 0.0])[0])
    assert round_.deficit == pytest.approx(2 / 3, abs=1e-6) and round_.r2 == pytest.approx(1)
    # all of it in the last step: speeds 0 and 2, so 1 over 1; y = 0, 0, 1 at 0, ½, 1: r² = 0.5² / (0.5 · 2/3)
    (jump,) = evenness(pictures([0.0], [0.0], [0.4]), [0, 0.5, 1], pictures([0.1])[0])
    assert (jump.variation, jump.r2, jump.forward) == pytest.approx((1, 0.75, 0.5), abs=1e-6)
    assert jump.largest == pytest.approx((0.5, 1, 1), abs=1e-6) and jump.still == pytest.approx(0.1, abs=1e-6)


def test_the_negative_end_counts_and_a_step_back_is_not_forward():
    (found,) = evenness(pictures([0.1], [0.0], [0.2], [0.1]), [-1, 0, 1, 2], pictures([0.0])[0])
    assert found.forward == pytest.approx(1 / 3)  # only 0 → 1


@pytest.mark.parametrize("strengths", [[0, 1, 1], [0, 0.5, 0.9], [0.5, 1, 2]])
def test_strengths_that_tell_nothing_are_refused(strengths):
    with pytest.raises(ValueError, match="three different strengths, 0 and 1 among them"):
        evenness(STRAIGHT, strengths, STRAIGHT[0])


def test_no_change_is_no_way():
    with pytest.raises(ValueError, match="Strength 1 changes nothing"):
        evenness(STRAIGHT[[0, 1, 0]], [0, 0.5, 1], STRAIGHT[0])


def test_a_line_says_it():
    told = tell_evenness(evenness(STRAIGHT, [0, 0.5, 1], STRAIGHT[0]))
    assert told.startswith("evenness: way 0% longer than straight, speed varies by 0.00 of its mean, R² 1.00, 100% of")
    assert told.endswith("largest step 50% of the way, between 0 and 0.5")
