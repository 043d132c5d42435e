"""Sampling as KSampler does it: noise, noise levels, steps, and a bar with previews."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import comfy.model_management
import comfy.sample
import comfy.samplers
import comfy.utils
import latent_preview
import torch
from torch import Tensor

from ...supsae_core.encoders.streams import PIXELS

SAMPLERS, SCHEDULERS = comfy.samplers.KSampler.SAMPLERS, comfy.samplers.KSampler.SCHEDULERS
"""Names that KSampler offers."""


class SamplerSettings(NamedTuple):
    """How pictures are sampled."""

    steps: int
    cfg: float
    sampler: str = "euler"
    scheduler: str = "simple"


def empty_latent(width: int, height: int, model: Any = None) -> Tensor:
    """Return the empty latent of a picture in pixels: of SD3 and without a MODEL, (1, 16, height / 8, width / 8).

    Raises:
        ValueError: if a side is no multiple of the pixels along an image token's.
    """
    if width % PIXELS or height % PIXELS:
        raise ValueError(f"A picture of {width} × {height} does not fit. Width and height are multiples of {PIXELS}.")
    if model is None:
        return torch.zeros(1, 16, height // 8, width // 8)
    form = model.get_model_object("latent_format")
    cell = form.spacial_downscale_ratio
    latent = torch.zeros(1, form.latent_channels, height // cell, width // cell)
    return comfy.sample.fix_empty_latent_channels(model, latent)


def noise_of(latent: Tensor, seed: int) -> Tensor:
    """Return the noise KSampler draws for a latent of one picture and a seed."""
    return comfy.sample.prepare_noise(latent, seed)


def noise_like(model: Any, latent: dict[str, Any], seed: int) -> Tensor:
    """Return the noise (B, C, h, w) KSampler draws for a LATENT."""
    samples = comfy.sample.fix_empty_latent_channels(model, latent["samples"])
    return comfy.sample.prepare_noise(samples, seed, latent.get("batch_index"))


def sigmas(model: Any, settings: SamplerSettings) -> tuple[float, ...]:
    """Return the noise level of every step, without the 0 behind the last."""
    table = model.get_model_object("model_sampling")
    return tuple(comfy.samplers.calculate_sigmas(table, settings.scheduler, settings.steps)[:-1].tolist())


def to_sigma(model: Any) -> Callable[[float], float]:
    """Return a MODEL's map from percentage of sampling to noise level."""
    return model.get_model_object("model_sampling").percent_to_sigma


def sample(
    model: Any, positive: list, negative: list, noise: Tensor, settings: SamplerSettings, seed: int,
    told: Callable[[int, Tensor], None] | None = None,
) -> Tensor:  # fmt: skip
    """Sample latents as KSampler does, from an empty latent and noise (B, C, h, w).

    Some samplers draw more noise from the seed. ``told`` is called after every step with (steps done, denoised latents
    so far) and may raise to interrupt.
    """
    callback = (lambda step, x0, _x, _total: told(step + 1, x0)) if told else None
    return comfy.sample.sample(
        model, noise, settings.steps, settings.cfg, settings.sampler, settings.scheduler, positive, negative,
        torch.zeros_like(noise), callback=callback, disable_pbar=not comfy.utils.PROGRESS_BAR_ENABLED, seed=seed,
    )  # fmt: skip


def previewed_progress(model: Any, total: int) -> Callable[[int, Tensor | None], None]:
    """Return a callback (steps done, denoised latents or None) for many samplings in a row.

    It moves the node's progress bar with a preview picture and heeds the stop button.
    """
    bar = comfy.utils.ProgressBar(total)
    previewer = latent_preview.get_previewer(model.load_device, model.model.latent_format)

    def tell(done: int, denoised: Tensor | None = None) -> None:
        comfy.model_management.throw_exception_if_processing_interrupted()
        show = None
        if previewer is not None and denoised is not None:
            show = previewer.decode_latent_to_preview_image("JPEG", denoised)
        bar.update_absolute(done, total, show)

    return tell
