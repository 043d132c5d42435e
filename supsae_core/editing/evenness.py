"""How evenly a slider moves a picture: measured per picture, from a row of them at several strengths.

What the field asks of sliders: a straight way, equal steps, each of them forward, and the unedited picture at 0
(Gandikota et al., Concept Sliders, arXiv 2311.12092, and those after it).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor


class Evenness(NamedTuple):
    """Of one picture."""

    deficit: float
    """how much longer the way through all strengths is than the straight one between its ends; 0 is straight"""
    variation: float
    """standard deviation over mean of the way's speed: what a step changes, for its length on the slider; 0 is even"""
    r2: float
    """of how far the picture went towards strength 1, against the strength, by least squares; 1 is proportional"""
    forward: float
    """share of the steps that go the edit's way"""
    still: float
    """mean change at strength 0 from the unedited picture, 0 … 1"""
    largest: tuple[float, float, float]
    """the step that goes farthest: strengths that it lies between, and its share of the way from 0 to 1"""


def evenness(pictures: Tensor, strengths: Sequence[float], original: Tensor) -> list[Evenness]:
    """Measure pictures (n, B, H, W, 3) in 0 … 1 at n strengths against the unedited ones (B, H, W, 3).

    Raises:
        ValueError: if there are not three different strengths, 0 and 1 among them, or strength 1 changes nothing.
    """
    order = sorted(range(len(strengths)), key=strengths.__getitem__)
    at = torch.tensor([float(strengths[i]) for i in order], dtype=torch.float64)
    if len(set(at.tolist())) < 3 or len(set(at.tolist())) < len(at) or not {0.0, 1.0} <= set(at.tolist()):
        raise ValueError(f"Evenness needs three different strengths, 0 and 1 among them, not {list(strengths)}.")
    flat = rearrange(pictures[order].double(), "n b h w c -> b n (h w c)")
    return [
        _of_one(rows, at, before)
        for rows, before in zip(flat, rearrange(original, "b h w c -> b (h w c)"), strict=True)
    ]


def _of_one(rows: Tensor, at: Tensor, original: Tensor) -> Evenness:
    """Measure one picture's rows (n, N) at rising strengths (n,)."""
    zero, one = rows[at == 0][0], rows[at == 1][0]
    whole = one - zero
    if not bool(whole.any()):
        raise ValueError("Strength 1 changes nothing in a picture, so there is no way to measure. Take another edit.")
    steps, length = rows.diff(dim=0), at.diff()
    sizes, far = steps.norm(dim=1), (rows[-1] - rows[0]).norm()
    gone = along(rows, zero, one).gone
    moved = gone.diff()
    speed = sizes / length
    largest = int(moved.abs().argmax())
    return Evenness(
        float(sizes.sum() / far - 1) if far else float("inf"),
        float(speed.std(correction=0) / speed.mean()),
        _r2(at, gone),
        float((moved > 0).double().mean()),
        float((zero - original.double()).abs().mean()),
        (float(at[largest]), float(at[largest + 1]), float(moved[largest])),
    )


class Along(NamedTuple):
    """Where pictures are on the straight way from one to another, whose length is 1."""

    gone: Tensor
    """(n,) how far along it"""
    off: Tensor
    """(n,) how far beside it"""


def along(rows: Tensor, zero: Tensor, one: Tensor) -> Along:
    """Project pictures (n, N) onto the way between two different ones (N,)."""
    whole = one - zero
    gone = (rows - zero) @ whole / whole.square().sum()
    return Along(gone, (rows - zero - gone[:, None] * whole).norm(dim=1) / whole.norm())


def _r2(x: Tensor, y: Tensor) -> float:
    both = torch.stack([x - x.mean(), y - y.mean()])
    return float((both[0] @ both[1]).square() / (both[0].square().sum() * both[1].square().sum()))


def tell_evenness(found: Sequence[Evenness]) -> str:
    """Say it in a line, means over pictures; the largest step is the one that most pictures share."""
    mean = {name: sum(getattr(one, name) for one in found) / len(found) for name in Evenness._fields[:5]}
    steps = [one.largest[:2] for one in found]
    low, high = max(steps, key=steps.count)
    share = sum(one.largest[2] for one in found) / len(found)
    return (
        f"evenness: way {mean['deficit']:.0%} longer than straight, speed varies by {mean['variation']:.2f} of its "
        f"mean, R² {mean['r2']:.2f}, {mean['forward']:.0%} of the steps forward, change at 0 {mean['still']:.3f}; "
        f"largest step {share:.0%} of the way, between {low:g} and {high:g}"
    )
