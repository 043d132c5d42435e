"""Tell one text encoder from another: its output for fixed probe prompts, projected to a few numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

SAME, PRECISION = 0.01, 0.05
"""Relative distance below which two fingerprints are one encoder, and below which they are it in another precision."""
NUMBERS = 64


def project(values: Tensor) -> tuple[float, ...]:
    """Return fixed random projections of (n,) values; about as large as a typical value."""
    directions = torch.randn(len(values), NUMBERS, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return tuple(round(float(v), 5) for v in values.double() @ directions / len(values) ** 0.5)


def distance(here: Mapping[str, Sequence[float]], there: Mapping[str, Sequence[float]]) -> float:
    """Return the largest relative distance over the sites that both have; infinite if they share none."""
    found = [_distance(here[site], values) for site, values in there.items() if site in here]
    return max(found, default=math.inf)


def _distance(one: Sequence[float], other: Sequence[float]) -> float:
    a, b = torch.tensor(one), torch.tensor(other)
    return float((a - b).norm() / b.norm().clamp(min=1e-12))
