"""How much of an edit a picture shows: its change, held against the change that the whole edit makes.

Letters: p a picture, o the unedited one and e the fully edited one, all of one seed, (B, H, W, 3) in 0 … 1.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor

SHARE, FLOOR = 0.1, 0.02
"""A pixel belongs to what the edit changes if it moves by so much of the strongest pixels' change, and by so much."""
STRONGEST = 0.99
"""Quantile that stands for the strongest pixels, so that a single one does not decide."""


def region(original: Tensor, edited: Tensor) -> Tensor:
    """Return the pixels (B, H, W) that an edit changes, of pictures (B, H, W, 3).

    Raises:
        ValueError: if it changes nothing in any picture.
    """
    moved = (edited - original).abs().mean(-1)
    strongest = torch.quantile(rearrange(moved, "b h w -> b (h w)"), STRONGEST, dim=1)
    found = moved > (SHARE * rearrange(strongest, "b -> b 1 1")).clamp(min=FLOOR)
    if not bool(found.any()):
        raise ValueError(
            "The edit changes nothing that can be seen in these pictures, so there is nothing to compare. Raise its "
            "strength, or take another seed."
        )
    return found


def share(picture: Tensor, original: Tensor, edited: Tensor, inside: Tensor) -> float:
    """Return mean |p − o| over mean |e − o| of pictures p, o and e (B, H, W, 3) in a region (B, H, W).

    It is 1 for as much as the whole edit.
    """
    moved, whole = ((one - original).abs().mean(-1)[inside].mean() for one in (picture, edited))
    return float(moved / whole)


def towards(picture: Tensor, original: Tensor, edited: Tensor) -> float:
    """Return ⟨p − o, e − o⟩ / ‖e − o‖² of pictures p, o and e (B, H, W, 3): how far p went the edit's own way.

    Other changes count nothing.
    """
    moved, whole = picture - original, edited - original
    return float((moved * whole).sum() / whole.square().sum())
