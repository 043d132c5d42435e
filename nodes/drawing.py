"""What nodes that draw pictures themselves ask for, and drawing as KSampler and VAE Decode do."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from comfy_api.latest import io
from torch import Tensor

from . import comfy_model
from .comfy_model import Sampling
from .conditioning import Conditioning


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


def inputs() -> list[Any]:
    """Return the inputs, named as the arguments of ``drawing``."""
    return [
        io.Model.Input("model", tooltip="A model of the SD3 family: Stable Diffusion 3, 3.5, or Portraits."),
        io.Conditioning.Input("positive", tooltip="The encoded prompt, unedited."),
        io.Conditioning.Input("negative", tooltip="The encoded negative prompt."),
        io.Vae.Input("vae", tooltip="Decodes the pictures."),
        io.Latent.Input("latent", tooltip="Gives size and number of the pictures; what it shows is not used."),
        io.Int.Input(
            "seed", default=0, min=0, max=2**64 - 1, control_after_generate=False,
            tooltip="Of the noise that every picture starts from. The same as in KSampler gives the same picture.",
        ),
        io.Int.Input("steps", default=16, min=1, max=1000, tooltip="Steps of a picture. 16 suit Portraits."),
        io.Float.Input("cfg", default=3.0, min=0.0, max=100.0, step=0.1, tooltip="Guidance. 3 suits Portraits."),
        io.Combo.Input("sampler", options=comfy_model.SAMPLERS, default="euler", tooltip="As in KSampler."),
        io.Combo.Input("scheduler", options=comfy_model.SCHEDULERS, default="simple", tooltip="As in KSampler."),
    ]  # fmt: skip


def drawing(
    model: Any, positive: Conditioning, negative: Conditioning, vae: Any, latent: dict[str, Any], seed: int, steps: int,
    cfg: float, sampler: str, scheduler: str,
) -> Drawing:  # fmt: skip
    """Take what the inputs give.

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
