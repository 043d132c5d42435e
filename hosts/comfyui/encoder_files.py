"""Whose text encoder a file becomes in CLIPLoader, and whose a checkpoint holds, by the file's header alone."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import comfy.model_detection
import comfy.sd
import folder_paths
import torch

from ...supsae_core.tensor_files import TensorFile
from . import folders, loaders

FOLDER, CHECKPOINTS = "text_encoders", "checkpoints"
"""The folder kinds that CLIPLoader and the loader of checkpoints offer files of."""
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


def families_in_checkpoint(name: str) -> list[str] | None:
    """Return the families whose encoders a checkpoint holds, if it holds any: one, or none that is known.

    Returns:
        None where that cannot be told, as in ``families_of``.
    """
    if name not in folder_paths.get_filename_list(CHECKPOINTS):
        return None
    file = Path(folder_paths.get_full_path_or_raise(CHECKPOINTS, name))
    model = _checkpoint_of(file, folders.changed(file))
    return None if model is None else loaders.family_by_checkpoint(model)


BROKEN = (AttributeError, KeyError, IndexError, RuntimeError, TypeError, ValueError, OSError)
"""What ComfyUI's detection raises at half a file, at one that it needs the numbers of, or in an older ComfyUI; and
what a file that cannot be read does. ``DamagedError`` is a ``ValueError``."""


@lru_cache(MOST_KNOWN)
def _model_in(file: Path, version: tuple[float, int] | None) -> str | None:
    """Have ComfyUI tell a file's kind by its tensors' names and shapes; of another version of the file anew."""
    try:
        model = comfy.sd.detect_te_model(_shapes(file))
    except BROKEN:
        return None
    return None if model is None else model.name


@lru_cache(MOST_KNOWN)
def _checkpoint_of(file: Path, version: tuple[float, int] | None) -> str | None:
    """Have ComfyUI tell the class of a checkpoint's model, as it does before it loads one."""
    try:
        shapes = _shapes(file)
        prefix = comfy.model_detection.unet_prefix_from_state_dict(shapes)
        model = comfy.model_detection.model_config_from_unet(shapes, prefix)
    except BROKEN:
        return None
    return None if model is None else type(model).__name__


def _shapes(file: Path) -> dict[str, torch.Tensor]:
    """Return a file's tensors without their numbers."""
    header = TensorFile(file)
    return {name: torch.empty(header.shape(name), device="meta") for name in header.names}
