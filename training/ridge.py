"""Kernel ridge regression on landmarks (Nyström), streaming: sums over batches of rows, which add."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from einops import rearrange
from torch import Tensor

JITTER = 1e-6
"""Share of the mean diagonal added before a solve: landmarks may be nearly alike."""

Batch = tuple[Tensor, Tensor, Tensor]
"""kernel with the landmarks (n, m), targets (n, p), weights (n,)"""


def ridge(batches: Iterable[Batch], landmarks: Tensor) -> Callable[[float], Tensor]:
    """Return the solution (m, p) as a function of the ridge: argmin Σ w ‖y − K W‖² + ridge · tr Wᵀ K_mm W.

    Args:
        batches: of rows.
        landmarks: (m, m) kernel of the landmarks with one another.
    """
    gram, cross = torch.zeros_like(landmarks, dtype=torch.float64), torch.zeros(0)
    for kernel, targets, weights in batches:
        weighted = kernel * rearrange(weights, "n -> n 1")
        gram += (weighted.T @ kernel).double()
        own = (weighted.T @ targets).double()
        cross = own if not len(cross) else cross + own
    penalty = landmarks.double()

    def solved(strength: float) -> Tensor:
        matrix = gram + strength * penalty
        matrix = (matrix + matrix.T) / 2
        matrix.diagonal().add_(JITTER * matrix.diagonal().mean())
        return torch.linalg.solve(matrix, cross).float()

    return solved
