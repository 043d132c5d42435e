"""The door for safetensors files of ours: written whole, with hashes, and read into memory that is ours.

A file that is mapped and then cut kills the process, so none is mapped: the format is a length, a JSON header and
bytes, and is read here as it is specified (github.com/huggingface/safetensors), only as far as it is asked for.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import reprlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

import torch
from torch import Tensor

from .files import CHANGED, HASH, DamagedError, replacing, unique

HASHES = "sha256 of tensors"
"""Key of each tensor's hash in a header, beside ``HASH``. The first files had one hash of everything instead."""
MOST_HEADER = 100_000_000
"""Bytes of a header, as the format bounds it."""
DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2,
    "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8,
    "BOOL": torch.bool,
}  # fmt: skip


CODES = {dtype: code for code, dtype in DTYPES.items()}
"""How the format spells a type."""


# --- writing --------------------------------------------------------------------------------------------------------


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors of any shape and a header of texts, with a hash of both; raises as ``replacing``."""
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    hashes = {name: _hash_of_tensor(whole[name]) for name in sorted(whole)}
    said = {**(metadata or {}), HASHES: json.dumps(hashes)}
    shapes = {name: (one.dtype, tuple(one.shape)) for name, one in whole.items()}
    # The widest first, as the library does, so that all lie aligned; and always in the same order, which it does not.
    order = sorted(whole, key=lambda name: (-whole[name].element_size(), name))
    header = _header_bytes({**said, HASH: _hash_of_header(said, shapes)}, {name: whole[name] for name in order})
    with replacing(path) as part, part.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        for name in order:
            file.write(_bytes(whole[name]))


def _header_bytes(metadata: Mapping[str, str], tensors: Mapping[str, Tensor]) -> bytes:
    entries, at = dict[str, Any](), 0
    for name, tensor in tensors.items():
        end = at + tensor.numel() * tensor.element_size()
        entries[name] = {"dtype": CODES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [at, end]}
        at = end
    header = json.dumps({"__metadata__": dict(sorted(metadata.items())), **entries}, ensure_ascii=False).encode()
    return header + b" " * (-len(header) % 8)


def _hash_of_tensor(tensor: Tensor) -> str:
    return hashlib.sha256(_bytes(tensor.contiguous())).hexdigest()


def _hash_of_header(metadata: Mapping[str, str], shapes: Mapping[str, tuple[torch.dtype, tuple[int, ...]]]) -> str:
    """Hash a header's texts but its hash, and names, types and shapes of its tensors."""
    texts = {name: text for name, text in metadata.items() if name != HASH}
    said = [texts, [[name, str(dtype), list(shape)] for name, (dtype, shape) in sorted(shapes.items())]]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _bytes(tensor: Tensor) -> memoryview:
    return tensor.flatten().view(torch.uint8).numpy().data


def hash_of(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    """Return the one hash of the first files: of texts and of tensors with their names, types and shapes, by names."""
    found = hashlib.sha256(json.dumps({**metadata, HASH: ""}, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        found.update(_bytes(tensor))
    return found.hexdigest()


# --- reading --------------------------------------------------------------------------------------------------------


class _Entry(NamedTuple):
    """Where a tensor lies."""

    dtype: torch.dtype
    shape: tuple[int, ...]
    first: int
    """byte of the file"""
    size: int
    """bytes"""


class TensorFile:
    """A safetensors file, of which only what is asked for is read."""

    def __init__(self, path: Path) -> None:
        """Read the header.

        Raises:
            FileNotFoundError: if there is no such file.
            DamagedError: if it is no safetensors file, or not a whole one.
        """
        self.path = path
        try:
            with path.open("rb") as file:
                size = os.stat(file.fileno()).st_size
                self.metadata, self._entries = _header(file.read(8), file, size)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise DamagedError(f"cannot be read ({error.strerror or error})") from error
        self._hashes = self._checked_hashes()

    def _checked_hashes(self) -> dict[str, str]:
        """Hold the header against its hash; return the tensors', none in the first files and those of others."""
        if HASHES not in self.metadata:
            return {}
        shapes = {name: (one.dtype, one.shape) for name, one in self._entries.items()}
        try:
            found = json.loads(self.metadata[HASHES])
        except (ValueError, RecursionError) as error:
            raise DamagedError(CHANGED) from error
        if self.metadata.get(HASH) != _hash_of_header(self.metadata, shapes) or set(found) != set(shapes):
            raise DamagedError(CHANGED)
        return found

    @property
    def names(self) -> list[str]:
        return list(self._entries)

    def shape(self, name: str) -> tuple[int, ...]:
        return self._entry(name).shape

    def tensor(self, name: str) -> Tensor:
        """Return one tensor, in memory of its own; raises ``DamagedError`` if it is not what was written."""
        entry = self._entry(name)
        found = self._read(entry, entry.first, entry.shape)
        if self._hashes and self._hashes[name] != _hash_of_tensor(found):
            raise DamagedError(CHANGED)
        return found

    def rows(self, name: str, first: int, last: int) -> Tensor:
        """Return rows first … last − 1 of a tensor's first axis, which are held against no hash."""
        entry = self._entry(name)
        if not entry.shape or not 0 <= first <= last <= entry.shape[0]:
            raise DamagedError(f"has no rows {first} to {last} of {name!r}, which is {entry.shape}")
        row = entry.size // max(entry.shape[0], 1)
        return self._read(entry, entry.first + first * row, (last - first, *entry.shape[1:]))

    def read(self) -> dict[str, Tensor]:
        """Return all tensors; raises ``DamagedError`` too if they are not what was written."""
        tensors = {name: self.tensor(name) for name in self._entries}
        if HASH in self.metadata and not self._hashes and self.metadata[HASH] != hash_of(tensors, self.metadata):
            raise DamagedError(CHANGED)
        return tensors

    def _entry(self, name: str) -> _Entry:
        if name not in self._entries:
            name = reprlib.repr(name)
            raise DamagedError(f"holds no tensor {name}")
        return self._entries[name]

    def _read(self, entry: _Entry, first: int, shape: tuple[int, ...]) -> Tensor:
        made = torch.empty(shape, dtype=entry.dtype)
        if not made.numel():
            return made
        self._fill([(first, _bytes(made))])
        return made

    def _fill(self, runs: Sequence[tuple[int, memoryview]]) -> None:
        """Read stretches of the file, each from a byte on, into memory."""
        try:
            with self.path.open("rb") as file:
                for first, buffer in runs:
                    file.seek(first)
                    if file.readinto(buffer) != len(buffer):
                        raise DamagedError("was cut while it was read")
        except OSError as error:
            raise DamagedError(f"cannot be read ({error.strerror or error})") from error


def _header(first: bytes, file: Any, size: int) -> tuple[dict[str, str], dict[str, _Entry]]:
    """Read and check a header; ``size`` is that of the file."""
    length = int.from_bytes(first, "little")
    if len(first) < 8 or not 2 <= length <= min(MOST_HEADER, size - 8):
        raise DamagedError("is not a whole safetensors file")
    try:
        found = json.loads(file.read(length).decode("utf-8"), object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise DamagedError("is not a whole safetensors file (its header cannot be read)") from error
    if not isinstance(found, dict):
        raise DamagedError("is not a whole safetensors file (its header is no object)")
    metadata = found.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(one, str) for one in metadata.values()):
        raise DamagedError("has a header whose metadata are no texts")
    entries = {name: _entry(name, one, 8 + length) for name, one in found.items()}
    end = 8 + length
    for entry in sorted(entries.values(), key=lambda one: (one.first, one.size)):
        if entry.first != end:
            raise DamagedError("is not a whole safetensors file (its tensors overlap or have gaps)")
        end += entry.size
    if end != size:
        raise DamagedError(f"is not a whole safetensors file ({size} bytes instead of {end})")
    return metadata, entries


def _entry(name: str, said: object, start: int) -> _Entry:
    """Check one tensor of a header."""
    wrong = DamagedError(f"has a header in which {name!r} is described wrongly")
    if not isinstance(said, dict) or not isinstance(said.get("dtype"), str) or said["dtype"] not in DTYPES:
        raise wrong
    shape, offsets = said.get("shape"), said.get("data_offsets")
    if not (_numbers(shape) and _numbers(offsets) and len(offsets) == 2 and offsets[0] <= offsets[1]):
        raise wrong
    dtype, size = DTYPES[said["dtype"]], offsets[1] - offsets[0]
    if math.prod(shape) * dtype.itemsize != size:
        raise wrong
    return _Entry(dtype, tuple(shape), start + offsets[0], size)


def _numbers(said: object) -> TypeGuard[list[int]]:
    return isinstance(said, list) and all(type(one) is int and 0 <= one < 2**48 for one in said)


def require_finite(tensors: Mapping[str, Tensor]) -> None:
    """Refuse numbers that are none.

    Raises:
        DamagedError: naming the tensor.
    """
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise DamagedError(f"holds values in {name!r} that are not finite numbers")
