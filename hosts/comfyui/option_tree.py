"""What the options of a conditioning entry hold, as JSON beside named tensors: the values that are data, nothing else.

A tensor stands as ``{"tensor": name}``, a tuple as ``{"tuple": […]}``, a dict as ``{"dict": {…}}``; None, truths,
numbers, texts and lists stand as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ...supsae_core.files import DamagedError
from ...supsae_core.tensor_files import CODES

DEEP = 16
"""Lists and dicts inside one another at most."""


class NoDataError(DamagedError):
    """A value that a file cannot hold: an object such as a model, or a number that JSON does not have."""

    def __init__(self) -> None:
        super().__init__("holds what is no data that a file can hold")


def packed(value: Any, name_of: Callable[[Tensor], str], deep: int = 0) -> Any:
    """Return a value as JSON.

    Args:
        name_of: called with every tensor, returns the name under which it is written.

    Raises:
        NoDataError: if something in it is no data.
    """
    if deep > DEEP:
        raise NoDataError
    if isinstance(value, Tensor):
        if value.dtype not in CODES or value.layout != torch.strided:
            raise NoDataError
        return {"tensor": name_of(value)}
    if value is None or type(value) in (bool, int, str) or type(value) is float and math.isfinite(value):
        return value
    if type(value) is list:
        return [packed(one, name_of, deep + 1) for one in value]
    if type(value) is tuple:
        return {"tuple": [packed(one, name_of, deep + 1) for one in value]}
    if type(value) is dict and all(type(key) is str for key in value):
        return {"dict": {key: packed(one, name_of, deep + 1) for key, one in value.items()}}
    raise NoDataError


def unpacked(said: Any, tensor_of: Callable[[str], Tensor], deep: int = 0) -> Any:
    """Return what ``packed`` was given.

    Args:
        tensor_of: called with every name, returns its tensor.

    Raises:
        DamagedError: if the JSON is none of these.
    """
    if deep > DEEP:
        raise DamagedError("holds options that lie too deep inside one another")
    if said is None or isinstance(said, (bool, int, str)) or isinstance(said, float) and math.isfinite(said):
        return said
    if isinstance(said, list):
        return [unpacked(one, tensor_of, deep + 1) for one in said]
    kind, inside = next(iter(said.items())) if isinstance(said, dict) and len(said) == 1 else ("", None)
    if kind == "tensor" and isinstance(inside, str):
        return tensor_of(inside)
    if kind == "tuple" and isinstance(inside, list):
        return tuple(unpacked(one, tensor_of, deep + 1) for one in inside)
    if kind == "dict" and isinstance(inside, dict):
        return {key: unpacked(one, tensor_of, deep + 1) for key, one in inside.items()}
    raise DamagedError("holds options that are no data of a conditioning")
