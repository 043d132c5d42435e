"""The Portraits models behind one handle: conditionings to pictures through diffusers, pictures to values."""

# diffusers' lazy package marks no name as exported.
# pyright: reportPrivateImportUsage=false

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from diffusers import AutoencoderTiny, SD3Transformer2DModel
from einops import rearrange
from torch import Tensor, nn

from ...portraits import reader
from ...portraits.paths import WEIGHTS
from ...portraits.text import CHUNK, TextEncoders, bidirectional_row, causal_chunks, load_encoders
from ...supsae_core.encoders.placing import rows_of
from ...supsae_core.files import DamagedError
from ...supsae_core.host import Progress, Step
from ..batches import draw_alike
from ..embedded import PortraitsText
from .precision import multiplies_in_bfloat16
from .transformer import decode_latents, initial_noise, load_transformer, load_vae, sample_latents

TRANSFORMER = "diffusion_models/supsae_portraits_mmdit.safetensors"
VAE = "vae/supsae_portraits_vae.safetensors"
FILES = ("text_encoders.safetensors", TRANSFORMER, VAE, "reader.safetensors")


class Studio(NamedTuple):
    """All that it takes to draw and to read a portrait."""

    host: PortraitsText
    encoders: TextEncoders
    transformer: SD3Transformer2DModel
    vae: AutoencoderTiny
    reader: reader.Reader


def load_studio(weights: Path | None = None) -> Studio:
    """Load the Portraits models from a folder laid out as ``portraits/weights``, which is the default.

    Raises:
        ValueError: if a file is missing or damaged, naming it.
    """
    files = [(weights or WEIGHTS) / name for name in FILES]
    for file in files:
        if not file.is_file():
            raise ValueError(
                f"The Portraits weights {file} are missing. Install SupSAE again, or make them with "
                "'python -m supsae.portraits.make.train all'."
            )
    try:
        encoders = load_encoders(files[0])
        models = load_transformer(files[1]), load_vae(files[2]), reader.load_reader(files[3])
        return Studio(PortraitsText(encoders), encoders, *models)
    except DamagedError as error:
        raise ValueError(f"A file in {files[0].parent} {error}. Install again.") from error


def quickened(models: Studio) -> Studio:
    """Return the models for drawing many pictures: in bfloat16 where this CPU multiplies in it, else as they are.

    Three times as fast there; pictures differ by 0.8 of 255 on average, less than what an edit is judged by.
    """
    if not multiplies_in_bfloat16():
        return models
    for one in (models.transformer, models.vae):
        nn.Module.to(one, torch.bfloat16)  # diffusers' own warns of nothing
    return models


def draw_portraits(
    studio: Studio, conds: Sequence[Tensor], pooled: Sequence[Tensor], seeds: Sequence[int], *,
    steps: int = 16, cfg: float = 3.0, batch: int = 16,
    progress: Progress | None = None, step: Callable[[list[int]], Step] | None = None, people: int = 1,
) -> np.ndarray:  # fmt: skip
    """Draw one picture per conditioning.

    Args:
        conds: (L, width) each; L may differ.
        pooled: (P,) each.
        seeds: of the noise; equal seeds start from equal noise, whatever the batch.
        cfg: guidance against the empty prompt.
        progress: called with (pictures done, pictures).
        step: called with the indices of the pictures sampled together; what it returns may change their steps.
        people: side by side, which is how wide the picture is.

    Returns:
        (n, 128, 128 · people, 3) bytes, in the order given.
    """

    def draw(some: list[int]) -> np.ndarray:
        cond, vector = (torch.stack([rows[i] for i in some]) for rows in (conds, pooled))
        empty, noise = negative(studio, cond[0]), initial_noise([seeds[i] for i in some], width=16 * people)
        own = step and step(some)
        latents = sample_latents(studio.transformer, cond, vector, empty, noise, steps=steps, cfg=cfg, step=own)
        return decode_latents(studio.vae, latents)

    return draw_alike(conds, batch, draw, progress)


def negative(studio: Studio, cond: Tensor) -> tuple[Tensor, Tensor]:
    """Encode the empty prompt to as many rows as a conditioning has: both go through the model together."""
    causal, other = (len(rows) for rows in rows_of(cond, studio.host.family).own.values())
    with torch.inference_mode():
        return studio.encoders.encode_ids([causal_chunks([]) * (causal // CHUNK)], [bidirectional_row([], other)])


def read_portraits(studio: Studio, pictures: np.ndarray) -> list[dict[str, str]]:
    """Return, per picture (n, 128, 128 · people, 3), category → value or ``unreadable``; of two each with its side."""
    pixels = rearrange(torch.from_numpy(pictures), "n h w c -> n c h w").float() / 255
    return list(chain.from_iterable(reader.read_people(studio.reader.read, some) for some in pixels.split(64)))
