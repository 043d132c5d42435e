"""A map of where a concept lives in a picture: from what was heard to a mask."""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional as F

LOW, HIGH = 0.05, 0.99
"""Quantiles of a map that become 0 and 1: single cells do not decide, and most of a picture is not the concept."""


def normalised(heard: Tensor) -> Tensor:
    """Return maps (B, h, w) stretched to 0 … 1, each for itself; a map that is the same everywhere becomes 0."""
    cells = rearrange(heard.float(), "b h w -> b (h w)")
    low, high = (rearrange(torch.quantile(cells, share, dim=1), "b -> b 1 1") for share in (LOW, HIGH))
    return ((heard - low) / (high - low).clamp(min=torch.finfo().tiny)).clamp(0, 1)


def enlarged(maps: Tensor, height: int, width: int) -> Tensor:
    """Return maps (B, h, w) at a picture's size."""
    shown = rearrange(maps, "b h w -> b 1 h w")
    shown = F.interpolate(shown, (height, width), mode="bilinear", align_corners=False)
    return rearrange(shown, "b 1 h w -> b h w")
