"""Draw as KSampler and VAE Decode do, for nodes that draw pictures themselves; pictures from and to IMAGE."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from einops import rearrange
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from . import sampling
from .conditionings import Conditioning
from .sampling import SamplerSettings


class Drawing(NamedTuple):
    """Everything that decides a picture."""

    model: Any
    positive: Conditioning
    negative: Conditioning
    vae: Any
    noise: Tensor
    """(B, C, h, w), of a model that knows films too (B, C, 1, h, w)"""
    sampling: SamplerSettings
    seed: int


def drawing(
    model: Any, positive: Conditioning, negative: Conditioning, vae: Any, latent: dict[str, Any], seed: int, steps: int,
    cfg: float, sampler: str, scheduler: str,
) -> Drawing:  # fmt: skip
    """Take what a node's inputs give."""
    noise = sampling.noise_like(model, latent, seed)
    return Drawing(model, positive, negative, vae, noise, SamplerSettings(steps, cfg, sampler, scheduler), seed)


SMALL = 512
"""Pixels of height up to which a picture is enlarged to be shown."""
Told = Callable[[int, Tensor], None]
"""Called after every step with (steps done, denoised latents)."""


def draw(one: Drawing, told: Told | None = None) -> Tensor:
    """Return the pictures (B, H, W, 3) in 0 … 1."""
    latents = sampling.sample(one.model, one.positive, one.negative, one.noise, one.sampling, one.seed, told)
    return decoded(one.vae, latents)


def decoded(vae: Any, latents: Tensor) -> Tensor:
    """Return latents as pictures (B, H, W, 3) in 0 … 1; a film of one frame is one."""
    image = vae.decode(latents)[..., :3]
    return image.flatten(0, 1) if image.ndim == 5 else image


def drawing_progress(one: Drawing, pictures: int) -> Callable[[int], Told]:
    """Return what makes the callback of the n-th of so many drawings; it moves one bar through them all."""
    tell = sampling.previewed_progress(one.model, pictures * one.sampling.steps)

    def step(number: int, done: int, denoised: Tensor) -> None:
        tell(number * one.sampling.steps + done, denoised)

    return lambda number: partial(step, number)


def to_image(picture: Image.Image) -> Tensor:
    """Return a Pillow picture as an IMAGE (1, H, W, 3) in 0 … 1."""
    return torch.from_numpy(np.asarray(picture.convert("RGB"), np.float32) / 255)[None]


def to_bytes(image: Tensor) -> np.ndarray:
    """Return an IMAGE (B, H, W, 3) as bytes, rounded as ComfyUI saves it."""
    return (255.0 * image.float().cpu()).clamp(0, 255).to(torch.uint8).numpy()


def to_look_at(picture: Tensor) -> Tensor:
    """Return a small picture (B, H, W, 3) so large that it can be looked at; a large one as it is."""
    times = SMALL // picture.shape[1]
    if times < 2:
        return picture
    channels = F.interpolate(rearrange(picture, "n h w c -> n c h w"), scale_factor=times, mode="bicubic")
    return rearrange(channels, "n c h w -> n h w c").clamp(0, 1)
