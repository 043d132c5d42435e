"""A map laid over pictures as warm light: what is strong glows, the rest turns grey."""

import numpy as np
from einops import rearrange, repeat

STOPS = np.array([(24, 20, 48), (92, 28, 112), (196, 52, 84), (246, 138, 44), (252, 232, 120)], np.float32) / 255
"""Colours from 0 to 1, rising in lightness so that they read without colour too."""
LIGHT = 0.75
"""How much of the colour covers the picture where the map is 1."""
GREY = np.array([0.299, 0.587, 0.114], np.float32)


def overlay(pictures: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """Return pictures (B, H, W, 3) in 0 … 1 with maps (B, H, W) in 0 … 1 over them."""
    grey = repeat(pictures @ GREY, "b h w -> b h w rgb", rgb=3)
    share = LIGHT * (0.35 + 0.65 * rearrange(maps, "b h w -> b h w 1"))
    return (1 - share) * grey + share * coloured(maps)


def coloured(maps: np.ndarray) -> np.ndarray:
    """Return the colours (…, 3) of values in 0 … 1."""
    place = np.clip(maps, 0, 1) * (len(STOPS) - 1)
    below = np.minimum(place.astype(int), len(STOPS) - 2)
    return STOPS[below] + rearrange(place - below, "... -> ... 1") * (STOPS[below + 1] - STOPS[below])
