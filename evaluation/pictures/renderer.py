"""Portraits in diffusers as a renderer; hosts/comfyui/studio has the one in ComfyUI."""

import hashlib
from functools import partial
from pathlib import Path

from ...hosts.diffusers import studio
from ...hosts.diffusers.studio import Studio
from ...supsae_core.host import Renderer


def diffusers_renderer(
    models: Studio, weights: Path = studio.WEIGHTS, *, steps: int = 16, cfg: float = 3.0
) -> Renderer:
    """Return a renderer that draws with ``studio.draw_portraits``.

    Args:
        weights: the folder, to tell these models from others.
    """
    content = b"".join((weights / name).read_bytes() for name in studio.FILES)
    kind = str(models.transformer.dtype).removeprefix("torch.")
    name = f"diffusers {hashlib.sha256(content).hexdigest()[:16]} {kind} {steps} {cfg}"
    return Renderer(name, partial(studio.draw_portraits, models, steps=steps, cfg=cfg))
