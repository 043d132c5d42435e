"""What a workflow carries of a dictionary: the file itself where it is small, else its light form, as text."""

from __future__ import annotations

import base64
import hashlib
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

from ...supsae_core.dictionary.file import read_header
from ...supsae_core.dictionary.light import MOST, is_light, write_light
from . import folders, shelf

MOST_SOURCE = 256 * 1024 * 1024
"""Bytes of a file that a light form is made of: as much as may be uploaded."""
KEPT = 4
"""Answers that are remembered, of up to 1.4 MB each."""


def carried(name: str) -> dict[str, Any]:
    """Return {name, size, most, bytes, light, sha256, data} of a dictionary that a loader offers.

    ``size`` is that of the file, ``most`` what may be carried; ``bytes``, ``sha256`` and ``data`` (base64) are of what
    is carried, and null where even the light form is too large.

    Raises:
        ValueError: as ``shelf.offered``, or if it is no dictionary.
    """
    file = shelf.offered(name)
    version = folders.changed(file)
    size = file.stat().st_size
    return {"name": name, "size": size, "most": MOST, **_made(file, version)}


@lru_cache(KEPT)
def _made(file: Path, version: tuple[float, int] | None) -> dict[str, Any]:
    """Make what is carried of a file; it is made again where the version of the file is another."""
    light = is_light(read_header(file).provenance)
    if file.stat().st_size <= MOST:
        return _told(file.read_bytes(), light)
    if file.stat().st_size > MOST_SOURCE:
        return _told(b"", True)
    with tempfile.TemporaryDirectory(prefix="supsae-") as folder:
        made = Path(folder) / "light.safetensors"
        found = write_light(file, made)
        return _told(made.read_bytes() if found else b"", True)


def _told(content: bytes, light: bool) -> dict[str, Any]:
    if not content:
        return {"bytes": None, "light": light, "sha256": None, "data": None}
    sha256, data = hashlib.sha256(content).hexdigest(), base64.b64encode(content).decode("ascii")
    return {"bytes": len(content), "light": light, "sha256": sha256, "data": data}
