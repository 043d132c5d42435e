"""What a run of a sampler depends on, as a value: two runs with equal keys draw the same picture.

Tensors are told apart by their content, plain values by what they are, and everything else (a patch of another pack, a
ControlNet) by being the very same object, which the key therefore keeps alive.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

OURS = "supsae"
"""What this pack leaves in a model's options, wrappers and conditionings begins with it; no reference depends on it."""
GUIDER = ("conds", "original_conds", "model_options", "model_patcher", "inner_model", "loaded_models")
"""What a guider holds besides its settings."""
PATCHES = ("patches_uuid", "object_patches", "hook_patches", "injections", "weight_wrapper_patches")
"""What of a model's patches its options do not tell."""
FLEETING = ("uuid", "model_conds", "to_load_options")
"""Made anew for every run."""


class Same:
    """An object that equals itself alone."""

    def __init__(self, one: Any) -> None:
        self._one = one

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other._one is self._one

    def __hash__(self) -> int:
        return id(self._one)


def run_key(guider: Any, conds: Mapping[str, Any], sampler: Any, *given: Any) -> tuple:
    """Return the key of one run of a guider and a SAMPLER, with the conditionings that it shall have.

    ``given`` is what else the run starts from: noise, latent, noise levels, masks, seed.
    """
    patcher = guider.model_patcher
    settings = {name: value for name, value in vars(guider).items() if name not in GUIDER}
    patches = {name: getattr(patcher, name, None) for name in PATCHES}
    steps = (type(sampler), vars(sampler))  # KSampler makes a new sampler for every run
    whole = (type(guider), settings, patcher.model, patches, guider.model_options, conds, steps, given)
    return tuple(spelled(one) for one in whole)


def spelled(value: Any) -> Any:
    """Return a value that can be compared and does not change when what it was made of does."""
    if isinstance(value, Tensor):
        return (str(value.dtype), *value.shape, hashlib.sha256(_bytes(value)).digest())
    if isinstance(value, Mapping):
        kept = {key: item for key, item in value.items() if key not in FLEETING and not str(key).startswith(OURS)}
        return tuple((key, spelled(item)) for key, item in kept.items())
    if isinstance(value, (list, tuple)):
        return tuple(spelled(item) for item in value)
    if value is None or isinstance(value, (str, int, float, bool, bytes, torch.dtype, torch.device)):
        return value
    return Same(value)


def _bytes(tensor: Tensor) -> Any:
    return tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy()
