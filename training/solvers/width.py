"""Code width: the directions that means and effects need most, and how few of them do (docs/method.md, 7)."""

from collections.abc import Callable

import torch
from einops import rearrange, reduce
from torch import Tensor

from ...supsae_core.capture.statistics import Sums
from .effects import Effects

KEPT = 0.98
"""Share of every mean token's square that codes hold: reading tells phrases by them, whatever context explains."""
SLACK = 0.01
"""The code width is the smallest within this share of the full held-out error."""


def directions(fitted: Effects, total: Sums, origin: Tensor) -> Tensor:
    """Return the right singular vectors (·, d) of all means and effects, each weighted by how much it is used.

    Cut to r rows, they lose the least of these weighted rows that r directions can.

    Args:
        fitted: means (S, T, d) and effects in full width.
        origin: (d,) mean of all tokens.
    """
    return torch.linalg.svd(weighted(fitted, total, origin), full_matrices=False).Vh


def weighted(fitted: Effects, total: Sums, origin: Tensor) -> Tensor:
    """Return means about an origin (d,) and effects as rows (·, d): a mean once a sample, an effect as it varies."""
    means = ((fitted.mean - origin) * rearrange(total.count.sqrt(), "s -> s 1 1"))[total.valid]
    used = total.centred()[0].diagonal(dim1=1, dim2=2).clamp(min=0).sqrt()  # √Σ (a_k − ā_k)²
    own = fitted.own * rearrange(used, "s k -> s k 1")
    shared = fitted.shared * rearrange(reduce(used.square(), "s k -> k", "mean").sqrt(), "k -> k 1")
    return torch.cat([means, rearrange(own, "s k d -> (s k) d"), rearrange(shared, "g k d -> (g k) d")])


def narrowed(fitted: Effects, decoder: Tensor, origin: Tensor) -> Effects:
    """Return a fit as codes would give it back, of a decoder (r, d) with orthonormal rows about an origin (d,)."""

    def project(x: Tensor) -> Tensor:
        return x @ decoder.T @ decoder

    valid = (fitted.mean != 0).any(-1, keepdim=True)
    mean = torch.where(valid, origin + project(fitted.mean - origin), 0)
    return Effects(mean, project(fitted.shared), project(fitted.own))


def width_of_means(fitted: Effects, total: Sums, decoder: Tensor, origin: Tensor) -> int:
    """Return the least width in which every mean token is held; arguments as of ``directions`` and ``narrowed``."""
    rows = (fitted.mean - origin)[total.valid]
    held = (rows @ decoder.T).square().cumsum(1)
    short = held < KEPT * rearrange(reduce(rows.square(), "n d -> n", "sum"), "n -> n 1")
    return min(int(reduce(short.int(), "n r -> n", "sum").max()) + 1, len(decoder))


def smallest_width(least: int, most: int, at_width: Callable[[int], float], error: float) -> int:
    """Bisect for the smallest width whose held-out error is within the slack of the full one.

    Args:
        least: that it may be.
        most: the full one.
        at_width: width → held-out error, falling.
    """
    low, high = least, most
    while low < high:
        middle = (low + high) // 2
        if at_width(middle) <= error * (1 + SLACK):
            high = middle
        else:
            low = middle + 1
    return low
