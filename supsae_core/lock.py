"""Hold the rest still: a mask over the latent that says what an edit may change; it only grows, outside it the
reference stands (docs/method.md, 18).

Of several edits each has a mask of its own, or a strong one would hide the weak ones. All functions are pure.
``edited`` and ``reference`` are the denoised latents of one call of the sampler, (B, C, h, w); of models that know
films too, one frame: (B, C, 1, h, w).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from einops import rearrange, reduce
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class LockConfig:
    """What counts as a change; the defaults were tuned on Portraits."""

    threshold: float = 1.0
    """times the change that best parts the cells that change from those that do not; lower lets more change"""
    floor: float = 0.02
    """change that a cell must exceed in any case, in units of the latent"""
    grow: int = 0
    """latent cells that the mask is widened by on every side"""

    def __post_init__(self) -> None:
        for name, value in (("threshold", self.threshold), ("floor", self.floor), ("growth", self.grow)):
            if not value >= 0:
                raise ValueError(f"The lock's {name} is {value:g}. It cannot be below 0.")


class State(NamedTuple):
    """What the lock of one run knows after some calls of the sampler."""

    mask: Tensor
    """(B, h, w), True where the edit may show"""
    total: Tensor
    """(B, h, w), the changes so far, summed over calls"""
    calls: int
    allowed: Tensor | None
    """(B or 1, h, w), True where the mask may grow; None: everywhere"""


def start(latent: Tensor, allowed: Tensor | None = None) -> State:
    """Return the state before the first call on a latent (B, C, h, w) or (B, C, 1, h, w), in which nothing may change.

    ``allowed`` (B or 1, H, W) in 0 … 1, of any size, says where the edit may show at most.

    Raises:
        ValueError: if there are neither one nor B allowed regions.
    """
    batch, (height, width) = len(latent), latent.shape[-2:]
    if allowed is not None:
        if len(allowed) not in (1, batch):
            raise ValueError(f"{len(allowed)} masks do not fit {batch} pictures. Give one for all, or one for each.")
        allowed = cells(allowed, height, width).to(latent.device)
    none = torch.zeros(batch, height, width, device=latent.device)
    return State(none.bool(), none, 0, allowed)


def cells(mask: Tensor, height: int, width: int) -> Tensor:
    """Return which latent cells (B, height, width) a mask (B, H, W) covers by half or more."""
    share = F.interpolate(rearrange(mask.float(), "b h w -> b 1 h w"), (height, width), mode="area")
    return rearrange(share, "b 1 h w -> b h w") >= 0.5


def pixels(mask: Tensor, height: int, width: int) -> Tensor:
    """Return a mask over latent cells (B, h, w) at a picture's size (B, height, width), 0 or 1."""
    whole = F.interpolate(rearrange(mask.float(), "b h w -> b 1 h w"), (height, width), mode="nearest")
    return rearrange(whole, "b 1 h w -> b h w")


def step(config: LockConfig, state: State, edited: Tensor, reference: Tensor) -> State:
    """Return the state after one more call, given its denoised latents; the mask never loses a cell."""
    total = state.total + reduce((edited - reference).abs(), "b ... h w -> b h w", "mean")
    change = smoothed(total / (state.calls + 1))
    least = (config.threshold * parting(rearrange(change.float(), "b h w -> b (h w)"))).clamp(min=config.floor)
    new = grown(change > rearrange(least, "b -> b 1 1"), config.grow)
    if state.allowed is not None:
        new = new & state.allowed
    return State(state.mask | new, total, state.calls + 1, state.allowed)


class Mask(Protocol):
    """Where the edits of a run may show, call by call of the sampler."""

    @property
    def now(self) -> Tensor:
        """(B, h, w), True where they may, as far as the calls so far say"""
        ...

    def __call__(self, edited: Tensor, reference: Tensor) -> Tensor:
        """Return the mask behind one more call, given its denoised latents."""
        ...


class Growing:
    """The mask of one run, which grows where that run leaves its reference."""

    def __init__(self, config: LockConfig, begin: State) -> None:
        self._config, self._state = config, begin

    @property
    def now(self) -> Tensor:
        return self._state.mask

    def __call__(self, edited: Tensor, reference: Tensor) -> Tensor:
        self._state = step(self._config, self._state, edited, reference)
        return self.now


class Known:
    """Masks that are known before the run: of several edits, what each of them changes alone."""

    def __init__(self, masks: Iterable[Tensor], begin: State) -> None:
        self._masks, self.now = iter(masks), begin.mask

    def __call__(self, edited: Tensor, reference: Tensor) -> Tensor:
        self.now = next(self._masks)
        return self.now


def smoothed(change: Tensor) -> Tensor:
    """Return changes (B, h, w) averaged with their neighbours, 1 2 1 either way: what is meant is rarely one cell."""
    padded = F.pad(rearrange(change, "b h w -> b 1 h w"), (1, 1, 1, 1), mode="replicate")[:, 0]
    rows = (padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]) / 4
    return (rows[..., :-2] + 2 * rows[..., 1:-1] + rows[..., 2:]) / 4


def parting(values: Tensor) -> Tensor:
    """Return the value (B,) that parts each row of values (B, N) best into high and low ones.

    It is Otsu's threshold (1979), between the two groups whose means differ most for their sizes: unlike a share of the
    strongest value, it fits a change of two cells as well as one of half the picture.
    """
    falling = values.sort(dim=1, descending=True).values
    above = torch.arange(1, values.shape[1], device=values.device)
    below, sums = values.shape[1] - above, falling.cumsum(1)
    means = sums[:, :-1] / above, (sums[:, -1:] - sums[:, :-1]) / below
    best = (above * below * (means[0] - means[1]) ** 2).argmax(1, keepdim=True)
    return (falling.gather(1, best) + falling.gather(1, best + 1))[:, 0] / 2


def grown(mask: Tensor, reach: int) -> Tensor:
    """Return a mask (B, h, w) widened by cells to every side; by 0, the very same."""
    if not reach:
        return mask
    wide = F.max_pool2d(rearrange(mask.float(), "b h w -> b 1 h w"), 2 * reach + 1, 1, reach)
    return rearrange(wide, "b 1 h w -> b h w").bool()


def blend(mask: Tensor, ours: Tensor, reference: Tensor) -> Tensor:
    """Return ours (B, C, …, h, w) inside the mask (B, h, w) and the reference outside, to the last bit."""
    between = [1] * (ours.ndim - mask.ndim)
    return torch.where(mask.reshape(len(mask), *between, *mask.shape[1:]), ours, reference)


def composite(picture: Tensor, reference: Tensor, mask: Tensor, *, reach: int = 2, soft: bool = True) -> Tensor:
    """Return a picture (B, H, W, 3) with the reference's own pixels outside the mask.

    A decoder mixes neighbouring cells, so the picture is taken inside the mask (B, h, w) grown by ``reach`` cells. If
    ``soft`` it fades into the reference between the mask's edge and the grown mask's.
    """
    height, width = picture.shape[1:3]
    whole = rearrange(pixels(grown(mask, reach), height, width), "b h w -> b 1 h w")
    weight = whole
    if soft and reach:
        radius = reach * height // mask.shape[1]
        rows = F.avg_pool2d(whole, (1, 2 * radius + 1), 1, (0, radius), count_include_pad=False)
        around = F.avg_pool2d(rows, (2 * radius + 1, 1), 1, (radius, 0), count_include_pad=False)
        weight = (2 * around - 1).clamp(0, 1) * whole  # at a straight edge half of what is around lies in the mask
    return torch.lerp(reference, picture, rearrange(weight, "b 1 h w -> b h w 1").to(picture))
