"""Which model the command line works on: Portraits, or a folder in diffusers' layout; diffusers is imported late."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from ..supsae_core.host import PictureHost, TextHost
from .embedded import PortraitsText


def text_host(folder: Path | None) -> TextHost:
    """Return the text encoders of an SD3 pipeline's folder, or Portraits'."""
    if folder is None:
        return PortraitsText()
    from .diffusers.text import DiffusersText, load_pipeline

    return DiffusersText(load_pipeline(folder, text_only=True))


def picture_hosts(folder: Path | None) -> tuple[TextHost, PictureHost]:
    """Return the text encoders and the transformer of an SD3 pipeline's folder, or Portraits'."""
    from .diffusers.recording import DiffusersPictures

    if folder is None:
        from .diffusers import studio

        portraits = studio.load()
        return portraits.host, DiffusersPictures(portraits.transformer, partial(studio.negative, portraits))
    from .diffusers.text import DiffusersText, load_pipeline

    pipeline = load_pipeline(folder)
    host = DiffusersText(pipeline)
    return host, DiffusersPictures(pipeline.transformer, host.negative)
