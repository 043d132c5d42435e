"""Which model the command line works on: Portraits, a folder in diffusers' layout, or another text host by its name.

A package offers a host by an entry point of the group ``supsae.text_hosts`` in its pyproject.toml, a function
``(folder: Path | None) -> TextHost``. In Python any ``TextHost`` is passed to ``training.capture`` as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path

from ..supsae_core.host import PictureHost, TextHost
from .embedded import PortraitsText

HOSTS = "supsae.text_hosts"
"""Group of entry points that name text hosts."""


def _minilm(folder: Path | None) -> TextHost:
    from .diffusers.encoder import minilm  # transformers takes seconds to import

    return minilm(folder)


def _encoder(folder: Path | None) -> TextHost:
    from .diffusers.encoder import from_folder

    return from_folder(folder)


OWN: dict[str, Callable[[Path | None], TextHost]] = {"minilm": _minilm, "encoder": _encoder}
"""Name of a text host that comes along → what makes it, given a folder."""


def plugged(name: str) -> Callable[[Path | None], TextHost]:
    """Return what makes the text host that goes by a name: one of ``OWN``, or an installed package's.

    Raises:
        ValueError: naming the hosts that there are, if there is none of that name.
    """
    if name in OWN:
        return OWN[name]
    found = {one.name: one for one in entry_points(group=HOSTS)}
    if name not in found:
        known = ", ".join([*OWN, *sorted(found)])
        raise ValueError(
            f"There is no text host {name!r}. There are: {known}. A package offers one by an entry point of {HOSTS}."
        )
    return found[name].load()


def text_host(folder: Path | None, name: str | None = None) -> TextHost:
    """Return a host by its name, else the text encoders of an SD3 pipeline's folder, or Portraits'."""
    if name is not None:
        return plugged(name)(folder)
    if folder is None:
        return PortraitsText()
    from .diffusers.text import DiffusersText, load_pipeline

    return DiffusersText(load_pipeline(folder, text_only=True))


def picture_hosts(folder: Path | None) -> tuple[TextHost, PictureHost]:
    """Return the text encoders and the transformer of an SD3 pipeline's folder, or Portraits'."""
    from .diffusers.recording import DiffusersPictures

    if folder is None:
        from .diffusers import studio

        portraits = studio.load_studio()
        return portraits.host, DiffusersPictures(portraits.transformer, partial(studio.negative, portraits))
    from .diffusers.text import DiffusersText, load_pipeline

    pipeline = load_pipeline(folder)
    host = DiffusersText(pipeline)
    return host, DiffusersPictures(pipeline.transformer, host.negative)
