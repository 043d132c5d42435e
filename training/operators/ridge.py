"""Kernel ridge regression on landmarks (Nyström): sums over batches of rows, which add."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from einops import rearrange
from torch import Tensor

from ...supsae_core.stopping import heed

JITTER = 1e-6
"""Share of the mean diagonal added before a solve: landmarks may be nearly alike."""
BLOCK = 250
"""Landmarks whose products are made at a time, with those behind them: the others are the same."""
RIDGES = (0.3, 1.0, 3.0, 10.0, 30.0)
"""What is tried for the ridge."""

Batch = tuple[Tensor, Tensor, Tensor]
"""kernel with the landmarks (n, m), targets (n, p), weights (n,)"""
Solved = Callable[[float], Tensor]
"""ridge → weights of the landmarks (m, p)"""


def solved_ridge(batches: Iterable[Batch], landmarks: Tensor) -> Solved:
    """Return argmin over W of Σ w ‖y − k W‖² + ridge · tr Wᵀ K W as a function of the ridge.

    Args:
        batches: of rows: k their kernel with the landmarks, y what is to be said of them.
        landmarks: K, (m, m), the landmarks' kernel with one another.
    """
    gram, cross = torch.zeros_like(landmarks, dtype=torch.float64), torch.zeros(0)
    blocks = [(first, first + BLOCK) for first in range(0, len(landmarks), BLOCK)]
    for kernel, targets, weights in batches:
        heed()
        kernel = kernel.double()  # in single precision the sums of like landmarks are not positive definite
        weighted = kernel * rearrange(weights, "n -> n 1")
        for first, last in blocks:  # on and above the diagonal
            gram[first:last, first:] += weighted[:, first:last].T @ kernel[:, first:]
        own = weighted.T @ targets.double()
        cross = own if not len(cross) else cross + own

    def solved(ridge: float) -> Tensor:
        matrix = gram.triu() + gram.triu(1).T + ridge * landmarks.double()
        matrix.diagonal().add_(JITTER * matrix.diagonal().mean())
        return torch.linalg.solve(matrix, cross).float()

    return solved
