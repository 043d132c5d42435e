"""Fit a capture once: what was fitted from this very capture before is read from its folder."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

from safetensors import SafetensorError

from ..supsae_core.capture.captures import Capture
from ..supsae_core.dictionary.file import load_dictionary, save_dictionary
from ..supsae_core.dictionary.model import Dictionary
from ..supsae_core.host import Progress
from ..supsae_core.version import __version__
from .fit import fit

FOLDER = "fits"
"""In a capture's folder: fits of it, one file each."""
VERSION = 1
"""Raised whenever fitting the same capture gives another dictionary."""


def fit_once(capture: Capture, *, progress: Progress | None = None) -> Dictionary:
    """Return the fit of a capture with the default solver, without the minutes that it takes if it is known.

    Raises:
        ValueError: as ``fit``.
    """
    file = capture.folder / FOLDER / f"{key(capture)}.safetensors"
    if file.is_file():
        try:
            return load_dictionary(file)
        except ValueError:  # damaged: fitted anew
            file.unlink()
    made = fit(capture, progress=progress)
    try:
        save_dictionary(made, file)
        for other in set(file.parent.iterdir()) - {file}:  # of this capture as it was before
            other.unlink()
    except (OSError, SafetensorError):  # a full or read-only disk costs the next run its time, and this one nothing
        with contextlib.suppress(OSError):
            Path(f"{file}.part").unlink()
    return made


def key(capture: Capture) -> str:
    """Return what tells a capture's files, and the software that fits them, from others."""
    files = sorted(file for file in capture.folder.iterdir() if file.is_file())
    seen = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.sha256(repr((VERSION, __version__, seen)).encode()).hexdigest()[:16]
