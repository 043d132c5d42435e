"""Draw as KSampler and VAE Decode do, for nodes that draw pictures themselves."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from torch import Tensor

from . import comfy_model
from .comfy_model import Sampling
from .conditionings import Conditioning


class Drawing(NamedTuple):
    """Everything that decides a picture."""

    model: Any
    positive: Conditioning
    negative: Conditioning
    vae: Any
    noise: Tensor
    """(B, 16, h, w)"""
    sampling: Sampling
    seed: int


def drawing(
    model: Any, positive: Conditioning, negative: Conditioning, vae: Any, latent: dict[str, Any], seed: int, steps: int,
    cfg: float, sampler: str, scheduler: str,
) -> Drawing:  # fmt: skip
    """Take what a node's inputs give.

    Raises:
        ValueError: if the model is not of the SD3 family.
    """
    comfy_model.require_sd3(model)
    noise = comfy_model.noise_like(model, latent, seed)
    return Drawing(model, positive, negative, vae, noise, Sampling(steps, cfg, sampler, scheduler), seed)


Told = Callable[[int, Tensor], None]
"""Called after every step with (steps done, denoised latents)."""


def draw(one: Drawing, told: Told | None = None) -> Tensor:
    """Return the pictures (B, H, W, 3) in 0 … 1."""
    latents = comfy_model.sample(one.model, one.positive, one.negative, one.noise, one.sampling, one.seed, told)
    return one.vae.decode(latents)[..., :3]


def progress(one: Drawing, pictures: int) -> Callable[[int], Told]:
    """Return what makes the callback of the n-th of so many drawings; it moves one bar through them all."""
    tell = comfy_model.previewed_progress(one.model, pictures * one.sampling.steps)

    def step(number: int, done: int, denoised: Tensor) -> None:
        tell(number * one.sampling.steps + done, denoised)

    return lambda number: partial(step, number)
