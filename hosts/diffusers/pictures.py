"""Pictures of any SD3 or SD3.5 model: conditionings through its own pipeline, equal seeds from equal noise."""

# diffusers' pipelines say FloatTensor for any tensor, and leave open what they return.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ...supsae_core.host import Progress

if TYPE_CHECKING:
    from .text import DiffusersText

STEP = 16
"""Pixels that sides are a multiple of: a latent's 8, and patches of 2."""
LEAST = 64
"""Pixels of a side at least: LPIPS halves pictures five times."""


@dataclass(frozen=True)
class PictureConfig:
    """How pictures are drawn; the defaults are those of SD3.5 Medium's and Large's authors."""

    cases: int = 16
    """swaps drawn three times each: before, edited, rewritten"""
    width: int = 1024
    height: int = 1024
    steps: int = 28
    cfg: float = 4.5

    def __post_init__(self) -> None:
        if self.cases < 2 or self.steps < 1:
            raise ValueError(f"At least 2 cases and 1 step are needed, not {self.cases} and {self.steps}.")
        if any(side < LEAST or side % STEP for side in (self.width, self.height)):
            raise ValueError(
                f"The sides of {self.width} x {self.height} must be multiples of {STEP} pixels, {LEAST} at least."
            )


def draw_pictures(
    host: DiffusersText, conds: Sequence[Tensor], pooled: Sequence[Tensor], seeds: Sequence[int], config: PictureConfig,
    *, progress: Progress | None = None,
) -> np.ndarray:  # fmt: skip
    """Draw one picture per conditioning (L, width) and (P,), one after another.

    Args:
        host: of a whole pipeline, transformer and auto-encoder included; it encoded ``conds`` and ``pooled``.
        seeds: of the noise.
        config: size, steps and guidance; sampler and schedule are the pipeline's own.
        progress: called with (steps done, steps); may raise to interrupt.

    Returns:
        (n, height, width, 3) bytes.
    """
    pipeline, empty, made = host.pipeline, host.negative(conds[0]), []

    def told(_: Any, step: int, time: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        if progress:
            progress(len(made) * config.steps + step + 1, len(conds) * config.steps)
        return tensors

    for cond, vector, seed in zip(conds, pooled, seeds, strict=True):
        rows = [one.to(pipeline.device, pipeline.transformer.dtype) for one in (cond[None], vector[None], *empty)]
        pixels = pipeline(
            prompt_embeds=rows[0],
            pooled_prompt_embeds=rows[1],
            negative_prompt_embeds=rows[2],
            negative_pooled_prompt_embeds=rows[3],
            generator=torch.Generator().manual_seed(seed),
            width=config.width,
            height=config.height,
            num_inference_steps=config.steps,
            guidance_scale=config.cfg,
            output_type="np",
            callback_on_step_end=told,
        ).images[0]
        made.append((np.asarray(pixels) * 255).round().astype(np.uint8))
    return np.stack(made)
