"""Portraits in diffusers as a painter; hosts/comfyui/studio has the one in ComfyUI."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path

from ...hosts.diffusers import studio
from ...hosts.diffusers.studio import Studio
from ...supsae_core.host import Painter


def diffusers_painter(models: Studio, weights: Path = studio.WEIGHTS, *, steps: int = 16, cfg: float = 3.0) -> Painter:
    """Return a painter that draws with ``studio.draw``.

    Args:
        models: loaded from ``weights``.
        weights: the folder, to tell these models from others.
        steps: of the sampler, Euler.
        cfg: guidance.
    """
    content = b"".join((weights / name).read_bytes() for name in studio.FILES)
    name = f"diffusers {hashlib.sha256(content).hexdigest()[:16]} {steps} {cfg}"
    return Painter(name, partial(studio.draw_portraits, models, steps=steps, cfg=cfg))
