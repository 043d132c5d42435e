"""Whose text encoder a file becomes in CLIPLoader, by the file's header alone."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import comfy.sd
import folder_paths
import torch

from ...supsae_core.files import DamagedError
from ...supsae_core.tensor_files import TensorFile
from . import folders, loaders

FOLDER = "text_encoders"
"""The folder kind that CLIPLoader offers files of."""
MOST_KNOWN = 256
"""Files whose kind is remembered."""


def families_of(name: str, kind: str) -> list[str] | None:
    """Return the families that CLIPLoader of this type makes of a file: one, or none that is known.

    Returns:
        None where that cannot be told: there is no such file, it is no safetensors file, or of a kind that ComfyUI
        itself does not know.
    """
    if name not in folder_paths.get_filename_list(FOLDER) or kind not in loaders.LOADERS["CLIPLoader"]:
        return None
    file = Path(folder_paths.get_full_path_or_raise(FOLDER, name))
    model = _model_in(file, folders.changed(file))
    if model is None:
        return None
    family = loaders.family_by_file(model, kind)
    return [] if family is None else [family]


@lru_cache(MOST_KNOWN)
def _model_in(file: Path, version: tuple[float, int] | None) -> str | None:
    """Have ComfyUI tell a file's kind by its tensors' names and shapes; of another version of the file anew."""
    try:
        header = TensorFile(file)
        shapes = {name: torch.empty(header.shape(name), device="meta") for name in header.names}
        model = comfy.sd.detect_te_model(shapes)
    except (DamagedError, OSError):
        return None
    except (AttributeError, KeyError, IndexError, RuntimeError):  # an older ComfyUI; half a file
        return None
    return None if model is None else model.name
