"""Portraits in ComfyUI as a renderer of the scoreboard; evaluation/pictures/renderer is the one in diffusers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...portraits.text import WIDTH
from ...supsae_core.host import Progress, Renderer, Step
from ..batches import draw_alike
from . import sampling, transformer
from .pictures import to_bytes
from .portraits_clip import portraits_empty
from .sampling import SamplerSettings

SIDE = 128
"""Pixels of a portrait."""
BATCH = 16
"""Pictures sampled together."""


class Models(NamedTuple):
    """What is on the sockets."""

    model: Any
    clip: Any
    vae: Any


Told = Callable[[Tensor], None]
"""Called after every step with denoised latents; may raise to interrupt."""


def comfy_renderer(models: Models, told: Told | None = None, *, steps: int = 16, cfg: float = 3.0) -> Renderer:
    """Return a renderer that draws as KSampler and VAE Decode do, with Euler steps.

    Raises:
        ValueError: if a model is missing, of another kind, or changed by other nodes.
    """
    require_portraits(models)
    name = f"comfy {weights_hash(models)} {steps} {cfg}"
    return Renderer(name, partial(draw, models, SamplerSettings(steps, cfg), told))


@torch.inference_mode()
def draw(
    models: Models, settings: SamplerSettings, told: Told | None,
    conds: Sequence[Tensor], pooled: Sequence[Tensor], seeds: Sequence[int], *,
    progress: Progress | None = None, step: Callable[[list[int]], Step] | None = None, people: int = 1,
) -> np.ndarray:  # fmt: skip
    """Draw one picture per conditioning; with what comes first filled in a ``supsae_core.host.Draw``."""
    latent = sampling.empty_latent(SIDE * people, SIDE)
    after_step = (lambda _, denoised: told(denoised)) if told else None

    def alike(some: list[int]) -> np.ndarray:
        model = stepped(models.model, step(some)) if step else models.model
        noise = torch.cat([sampling.noise_of(latent, seeds[i]) for i in some])
        cond, vector = (torch.stack([rows[i] for i in some]) for rows in (conds, pooled))
        entries = (cond, vector), (one[None] for one in portraits_empty(models.clip, cond[0]))
        positive, negative = ([[rows, {"pooled_output": own}]] for rows, own in entries)
        latents = sampling.sample(model, positive, negative, noise, settings, seeds[some[0]], after_step)
        # diffusers' renderer rounds; ComfyUI's own nodes cut off.
        return to_bytes(models.vae.decode(latents)[..., :3] + 0.5 / 255)

    return draw_alike(conds, BATCH, alike, progress)


def stepped(model: Any, step: Step) -> Any:
    """Return a clone of a MODEL, for one sampling, whose guided velocity a step may change.

    What the step leaves as it is stays to the bit.
    """

    def changed(args: dict[str, Any]) -> Tensor:
        x, denoised, sigma = args["input"], args["denoised"], args["sigma"][:1, None, None, None]
        velocity = (x - denoised) / sigma
        with transformer.long_lived():
            made = step(float(sigma), x.cpu(), velocity.cpu()).to(x)
        return torch.where(made == velocity, denoised, x - sigma * made)

    made = model.clone()
    made.set_model_sampler_post_cfg_function(changed)
    return made


def require_portraits(models: Models) -> None:
    """Check that models draw portraits, and nothing was done to them.

    Raises:
        ValueError: if one is missing or of another model, or other nodes changed the model.
    """
    model, _, vae = models
    if model is None or vae is None:
        raise ValueError(
            f"The {'model' if model is None else 'VAE'} is missing. Connect both, or none to judge no picture."
        )
    width = transformer.width_of_text(model)
    if width != WIDTH:
        raise ValueError(
            f"This model reads prompts {width} numbers wide, Portraits' text encoders write {WIDTH}. Connect Load "
            "Diffusion Model with supsae_portraits_mmdit."
        )
    if not hasattr(vae.first_stage_model, "taesd_decoder"):
        raise ValueError("This VAE is not Portraits'. Connect Load VAE with supsae_portraits_vae.")
    if transformer.is_changed(model):
        raise ValueError(
            "This model comes from a node that changes it (a LoRA, a sampling setting, Apply Edits, Lock). The "
            "pictures to judge by are drawn with Portraits as it is: connect Load Diffusion Model."
        )


def weights_hash(models: Models) -> str:
    """Return what tells these weights from others; sockets carry no file."""
    made = hashlib.sha256()
    for module in (models.model.model.diffusion_model, models.vae.first_stage_model):
        for name, tensor in sorted(module.state_dict().items()):
            made.update(name.encode() + tensor.float().cpu().contiguous().numpy().tobytes())
    return made.hexdigest()[:16]
