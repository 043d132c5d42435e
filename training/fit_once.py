"""Fit a capture once: what was fitted from this very capture before is read from its folder."""

import hashlib
from typing import Any

from ..supsae_core.capture.captures import Capture
from ..supsae_core.dictionary.file import load_dictionary, save_dictionary
from ..supsae_core.dictionary.model import Dictionary
from ..supsae_core.host import Progress
from ..supsae_core.version import __version__
from .fit import describe_solver, fit_dictionary
from .solvers.table import DEFAULT, chosen

FOLDER = "fits"
"""In a capture's folder: fits of it, one file for every solver and its options."""
VERSION = 5
"""Raised whenever fitting the same capture gives another dictionary."""


def fit_once(
    capture: Capture, solver: str = DEFAULT, config: Any = None, *, progress: Progress | None = None
) -> Dictionary:
    """Return the fit of a capture, without the minutes that it takes if it is known.

    Args:
        config: the solver's options, or None for its defaults.

    Raises:
        ValueError: as ``fit``.
    """
    options = chosen(solver, config).options
    state = state_of(capture)
    file = capture.folder / FOLDER / f"{state}-{_hash(describe_solver(solver, options))}.safetensors"
    if file.is_file():
        try:
            return load_dictionary(file)
        except ValueError:  # damaged: fitted anew
            file.unlink()
    made = fit_dictionary(capture, solver, options, progress=progress)
    try:
        save_dictionary(made, file)
        for other in file.parent.iterdir():  # of this capture as it was before
            if not other.name.startswith(state):
                other.unlink()
    except OSError:  # a full or read-only disk costs the next run its time, and this one nothing
        pass
    return made


def state_of(capture: Capture) -> str:
    """Return what tells a capture's files, and the software that fits them, from others."""
    files = sorted(file for file in capture.folder.iterdir() if file.is_file() and not file.name.startswith("."))
    seen = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return _hash((VERSION, __version__, seen))


def _hash(said: object) -> str:
    return hashlib.sha256(repr(said).encode()).hexdigest()[:16]
