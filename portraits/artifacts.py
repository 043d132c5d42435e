"""Score how unlike any render a portrait is in its worst place: 1 is what one render in a hundred exceeds.

Two ways to be unlike, both learnt in closed form from renders that passed through the auto-encoder:

- the face: the colours in its squares (square roots of the second reader's counts) against the best sum of principal
  components; what those leave, in the worst 16 × 16 px. Torn, smeared, doubly exposed and miscoloured faces.
- the grain: 3 × 3 px patches in units of their usual spread (Mahalanobis), mean over the worst 16 × 16 px anywhere.
  Noise, checkerboards, and colours that no decoder makes.
"""

from pathlib import Path
from typing import NamedTuple

import torch
from einops import rearrange, reduce
from torch import Tensor
from torch.nn import functional as F

from ..supsae_core.tensor_files import TensorFile
from . import paths
from .second_reader import CELL, histograms

WEIGHTS = paths.WEIGHTS / "artifacts.safetensors"
FACE = (slice(40, 104), slice(32, 96))
"""Rows and columns of pixels from the fringe to the collar; backgrounds and hair may look like much."""
SQUARES = 64 // CELL
RANK = 30
PATCH = 3
LIMIT = 1.0
"""A picture with a higher score is an artifact."""
SHARE = 0.998
"""Of the renders learnt from within each of the two limits: of fresh ones, 99 % are within both."""


def faces(pictures: Tensor) -> Tensor:
    """(B, 3, 128, 128) in 0 … 1 → (B, 1728): square roots of the shares of colours in the squares of the face."""
    return histograms(pictures[:, :, FACE[0], FACE[1]]).sqrt()


class Artifacts(NamedTuple):
    """What renders look like."""

    mean: Tensor
    """(F,) of a face"""
    basis: Tensor
    """(F, RANK) its principal components"""
    usual: Tensor
    """(SQUARES, SQUARES) mean square of what they leave of a square"""
    whiten: Tensor
    """(27, 3, 3, 3) filters whose responses to the patches of renders have unit covariance"""
    limits: Tensor
    """(2,) of face and grain: SHARE of all renders stay below"""

    def score(self, pictures: Tensor) -> Tensor:
        """(B, 3, 128, 128) in 0 … 1 → (B,): the worse of face and grain, in units of their limits."""
        return (torch.cat([self.parts(some) for some in pictures.split(16)]) / self.limits).amax(1)

    def is_artifact(self, pictures: Tensor) -> Tensor:
        """(B, 3, 128, 128) in 0 … 1 → (B,) truth values."""
        return self.score(pictures) > LIMIT

    def parts(self, pictures: Tensor) -> Tensor:
        """(B, 3, 128, 128) in 0 … 1 → (B, 2): face and grain."""
        return torch.stack((self.face(pictures), self.grain(pictures)), 1)

    def face(self, pictures: Tensor) -> Tensor:
        """(B, 3, 128, 128) → (B,): the mean of 2 × 2 squares' shares of their usual residual, at its largest."""
        left = squares_left(faces(pictures) - self.mean, self.basis)
        return reduce(F.avg_pool2d(left / self.usual, 2, 1), "b row column -> b", "max")

    def grain(self, pictures: Tensor) -> Tensor:
        """(B, 3, 128, 128) → (B,): the mean Mahalanobis length of a patch in 16 × 16 px, at its largest."""
        length = F.conv2d(pictures - 0.5, self.whiten).square().mean(1, keepdim=True).sqrt()
        return reduce(F.avg_pool2d(length, 16, 8), "b 1 row column -> b", "max")


def squares_left(centred: Tensor, basis: Tensor) -> Tensor:
    """Return the square (B, SQUARES, SQUARES) of what a basis leaves of centred faces (B, F), summed over colours."""
    left = centred - centred @ basis @ basis.T
    return reduce(left.square(), "b (y x colour) -> b y x", "sum", y=SQUARES, x=SQUARES)


def fit_artifacts(found: Tensor, moments: Tensor) -> Artifacts:
    """Learn from the faces (n, F) of renders and the second moments (27, 27) of their patches less 0.5.

    The limits are left at 1.
    """
    mean = found.mean(0)
    centred = found - mean
    basis = torch.linalg.eigh(centred.T @ centred).eigenvectors[:, -RANK:]
    usual = squares_left(centred, basis).mean(0) + 1e-4  # a square that never changes may change a little
    values, vectors = torch.linalg.eigh(moments)
    filters = "(channel y x) filter -> filter channel y x"
    whiten = rearrange(vectors / (values + 1e-5).sqrt(), filters, y=PATCH, x=PATCH)
    return Artifacts(mean, basis, usual, whiten, torch.ones(2))


def load_artifacts(path: Path = WEIGHTS) -> Artifacts:
    """Load what ships with the pack."""
    tensors = TensorFile(path).read()
    return Artifacts(*(tensors[name].float() for name in Artifacts._fields))
