"""Spoil pictures on purpose: what the artifact score must catch. Each a function(pictures, rng) → pictures.

Pictures are (B, 3, 128, 128) in 0 … 1. Noise and checkerboards lie anywhere, tears and smears within the face.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional as F

from ..pen import SIZE


def noise(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    """Add noise of a deviation of 0.3 to 24 × 24 px."""
    made = pictures.clone()
    for picture, y, x in _placed(made, 24, 0, SIZE, rng):
        picture[:, y : y + 24, x : x + 24] += 0.3 * torch.from_numpy(rng.standard_normal((3, 24, 24), np.float32))
    return made.clamp(0, 1)


def checkerboard(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    """Make squares of 2 px of 24 × 24 px lighter and darker by a quarter of the range."""
    made, rows = pictures.clone(), torch.arange(24) // 2
    board = (rearrange(rows, "row -> row 1") + rows) % 2 * 0.5 - 0.25
    for picture, y, x in _placed(made, 24, 0, SIZE, rng):
        picture[:, y : y + 24, x : x + 24] += board
    return made.clamp(0, 1)


def double_exposure(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    """Mix every picture half-and-half with another."""
    return (pictures + pictures.roll(1, 0)) / 2


def torn(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    """Put 32 × 32 px from 8 to 16 px beside where they belong, along both axes."""
    made = pictures.clone()
    for (picture, y, x), source in zip(_placed(made, 32, 40, 96, rng), pictures, strict=True):
        down, right = rng.choice([-1, 1], 2) * rng.integers(8, 17, 2)
        picture[:, y : y + 32, x : x + 32] = source[:, y + down : y + down + 32, x + right : x + right + 32]
    return made


def magenta(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    """Colour a disc of the size of the face half magenta."""
    across = torch.arange(SIZE) - SIZE / 2
    inside = 0.5 * ((rearrange(across, "row -> row 1") - 8) ** 2 + across**2 < 30**2)
    return pictures + inside * (rearrange(torch.tensor([1.0, 0.2, 1.0]), "colour -> colour 1 1") - pictures)


def smeared(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    """Average 32 × 32 px over 13 × 13 px around each."""
    made, smooth = pictures.clone(), F.avg_pool2d(pictures, 13, 1, 6)
    for (picture, y, x), source in zip(_placed(made, 32, 40, 96, rng), smooth, strict=True):
        picture[:, y : y + 32, x : x + 32] = source[:, y : y + 32, x : x + 32]
    return made


def _placed(pictures: Tensor, size: int, first: int, last: int, rng: np.random.Generator) -> Iterator[tuple]:
    """Yield every picture and the corner of a square at random, the square from ``first`` to below ``last``."""
    for picture in pictures:
        yield picture, *rng.integers(first, last - size + 1, 2)


Plant = Callable[[Tensor, np.random.Generator], Tensor]

PLANTED: dict[str, Plant] = {
    "noise": noise,
    "checkerboard": checkerboard,
    "double exposure": double_exposure,
    "torn": torn,
    "magenta face": magenta,
    "smeared": smeared,
}
