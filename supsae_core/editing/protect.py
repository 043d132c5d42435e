"""Keep a category: a step is projected off what the category's concepts do to the rows it is added to.

See docs/method.md, 16. What is kept about a slot is the span of effect[members] − their mean. The codes that ``encode``
reads out of the step are zero along it, so the read-out of the kept category along these directions stays what it was.
The tokens that say what is kept still move with their context: held fast, a reader no longer finds half of them behind
three swaps.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..dictionary.model import Codes

TOLERANCE = 1e-4
"""Directions below this share of the strongest are rounding: effects of a category are known up to half precision."""


def basis(part: Codes, slot: int, off: Sequence[Sequence[int]]) -> Tensor:
    """Return (n, r), orthonormal rows: what the concepts of kept categories do to a slot's tokens, about their mean.

    Turned by decoder decoderᵀ, which is the identity up to half precision: what is decoded and encoded again is exact.
    """
    effect = part.effect(slot)
    # What tells the concepts of a category apart in these tokens; of several kept categories, all of it.
    spread = torch.cat([effect[list(members)] - effect[list(members)].mean(0) for members in off]).double()
    decoder = part.decoder.double()
    # An orthonormal basis of their span: n concepts about their mean have n − 1 directions at most.
    _, size, directions = torch.linalg.svd(spread @ decoder @ decoder.T, full_matrices=False)
    return directions[size > TOLERANCE * size[0]].to(effect)


def projected(step: Tensor, directions: Tensor) -> Tensor:
    """Return a step (…, r) without its share along orthonormal directions (n, r); of none, the very same tensor."""
    return step - step @ directions.T @ directions if len(directions) else step


def off_rows(step: Tensor, part: Codes, slot: int, off: Sequence[Sequence[int]]) -> Tensor:
    """Return a step (…, d) of features of a slot without its share along what is kept."""
    axes = basis(part, slot, off) @ part.decoder
    orthonormal = torch.linalg.qr(axes.T.double())[0].T
    return projected(step.double(), orthonormal).float()
