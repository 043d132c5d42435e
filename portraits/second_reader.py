"""A reader of another kind, to check the first: colour histograms written by hand, and one exact linear solve.

No layer is trained and nothing is learnt by descent. A picture is cut into squares; each square counts its pixels by
colour; a value's score is a ridge regression (closed form) on the counts. Blends stand in the data with half a label
for each of their two values. Taught on renders alone.
"""

from pathlib import Path
from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor

from ..supsae_core.tensor_files import TensorFile
from . import paths, reader

WEIGHTS = paths.WEIGHTS / "second_reader.safetensors"
CELL = 8
"""Side of a square, pixels."""
LEVELS = 3
"""Of each colour channel: 0, ½ and 1, so a square counts 27 colours."""
SURE = 0.65
"""Least score of a value: about 1 where it is shown, ½ in a half-and-half blend."""
RIDGE = 0.03
"""Of the mean variance of a count."""


def histograms(pictures: Tensor) -> Tensor:
    """(B, 3, H, W) in 0 … 1 → (B, H/8 · W/8 · 27): the share of every colour in every square.

    A pixel between two levels counts to both by nearness, so the counts move smoothly with the colours.
    """
    cut = "b channel (row y) (column x) -> channel b row column 1 (y x)"
    near = rearrange(pictures, cut, y=CELL, x=CELL) - rearrange(torch.linspace(0, 1, LEVELS), "level -> level 1")
    red, green, blue = (1 - near.abs() * (LEVELS - 1)).clamp(min=0)  # (B, rows, columns, levels, pixels) each
    pairs = rearrange(red, "... r pixel -> ... r 1 pixel") * rearrange(green, "... g pixel -> ... 1 g pixel")
    counts = rearrange(pairs, "... r g pixel -> ... (r g) pixel") @ rearrange(blue, "... b pixel -> ... pixel b")
    return rearrange(counts, "b row column rg blue -> b (row column rg blue)") / CELL**2


class SecondReader(NamedTuple):
    """A linear reader of colour histograms."""

    weight: Tensor
    """(F, K)"""
    offset: Tensor
    """(K,)"""

    def scores(self, pictures: Tensor) -> Tensor:
        """(B, 3, 128, 128) in 0 … 1 → (B, K): near 1 for the values shown, near 0 for others."""
        parts = [histograms(some) @ self.weight for some in pictures.split(16)]  # 16 pictures' counts fit the cache
        return torch.cat(parts) + self.offset

    def read(self, pictures: Tensor) -> list[dict[str, str]]:
        """Return, per picture, category → value or ``unreadable``."""
        return [reader.values(row, SURE) for row in self.scores(pictures)]


def fit_second_reader(features: Tensor, targets: Tensor) -> SecondReader:
    """Return the ridge regression of (n, K) targets on (n, F) features, by its normal equations."""
    mean, wanted = features.mean(0), targets.mean(0)
    centred = features - mean
    covariance = centred.T @ centred / len(features)
    covariance.diagonal().add_(RIDGE * covariance.diagonal().mean())
    products = centred.T @ (targets - wanted) / len(features)
    weight = torch.cholesky_solve(products, torch.linalg.cholesky(covariance))
    return SecondReader(weight, wanted - mean @ weight)


def load_second_reader(path: Path = WEIGHTS) -> SecondReader:
    """Load the second reader that ships with the pack."""
    tensors = {key: value.float() for key, value in TensorFile(path).read().items()}
    return SecondReader(tensors["weight"], tensors["offset"])
