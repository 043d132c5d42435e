"""Names for the tensors of a file, each of which stands there once however often it is spoken of."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor

from .entry_checks import require_numbers


class TensorNames:
    """Tensors by the names that they were first put under."""

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        self._names: dict[tuple, str] = {}

    def put(self, tensor: Tensor, place: str) -> str:
        """Return the name of a tensor, a new one like ``place`` unless an equal tensor has one.

        Raises:
            DamagedError: if it holds values that are not finite numbers.
        """
        if tensor.is_floating_point():
            require_numbers(tensor, place)
        known = _content(tensor)
        if known not in self._names:
            name = place if place not in self.tensors else f"{place}.{len(self.tensors)}"
            self._names[known], self.tensors[name] = name, tensor
        return self._names[known]

    @staticmethod
    def hashes_of(tensors: Mapping[str, Tensor]) -> dict[str, tuple]:
        """Return name → what is equal for tensors that are equal to the last bit."""
        return {name: _content(tensor) for name, tensor in tensors.items()}


def _content(tensor: Tensor) -> tuple:
    plain = tensor.detach().cpu().contiguous()
    return str(plain.dtype), tuple(plain.shape), hashlib.sha256(plain.flatten().view(torch.uint8).numpy().data).digest()
