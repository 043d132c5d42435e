"""The slider's map: even growth of the change, through (0, 0) and (1, 1), strictly increasing."""

import numpy as np
import pytest

from supsae.evaluation.pictures import slider


def test_even_change_gives_the_identity():
    # change = strength: position p asks for the change p, which strength p has
    found = slider.knots(slider.STRENGTHS, slider.STRENGTHS)
    assert np.asarray(found) == pytest.approx(np.array([(p, p) for p in (*slider.POSITIONS, 2.0)]), abs=1e-5)


def test_threshold_is_spread_over_the_slider():
    # no change up to 0.5, then linear to 1 at strength 1: position p asks for strength 0.5 + p / 2
    change = [max(0.0, 2 * s - 1) for s in slider.STRENGTHS]
    found = dict(slider.knots(slider.STRENGTHS, change))
    assert found[0.5] == pytest.approx(0.75, abs=1e-3)
    assert found[0.25] == pytest.approx(0.625, abs=1e-3)
    assert found[1.0] == 1.0


@pytest.mark.parametrize("change", [[0.0] * 10, [min(s, 0.5) for s in slider.STRENGTHS], list(np.linspace(0, 3, 10))])
def test_always_increasing_through_one(change):
    found = slider.knots(slider.STRENGTHS, change)
    strengths = [0.0, *(strength for _, strength in found)]
    assert all(a < b for a, b in zip(strengths, strengths[1:], strict=False))
    assert dict(found)[1.0] == 1.0
