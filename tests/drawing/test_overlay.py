"""A map as light over pictures."""

import numpy as np

from supsae.drawing.overlay import STOPS, coloured, overlay


def test_colours_pass_through_their_stops_and_grow_lighter():
    np.testing.assert_allclose(coloured(np.linspace(0, 1, len(STOPS))), STOPS, atol=1e-6)
    lightness = coloured(np.linspace(0, 1, 50)) @ np.array([0.299, 0.587, 0.114])
    assert (np.diff(lightness) > 0).all()


def test_light_stands_where_the_map_is():
    picture = np.full((1, 2, 2, 3), 0.5, np.float32)
    maps = np.zeros((1, 2, 2), np.float32)
    maps[0, 0, 1] = 1
    made = overlay(picture, maps)
    assert made.shape == picture.shape and made.min() >= 0 and made.max() <= 1
    warm = made[..., 0] - made[..., 2]
    assert warm[0, 0, 1] > 0.3 and np.ptp(np.delete(warm.ravel(), 1)) < 1e-6


def test_the_picture_stays_visible():
    dark, light = (overlay(np.full((1, 1, 1, 3), grey, np.float32), np.ones((1, 1, 1))) for grey in (0.0, 1.0))
    assert light.mean() - dark.mean() > 0.2
