"""The one door for files of ours: written whole or not at all, read into memory that is ours, and never trusted.

Tensors lie in safetensors files, everything else in JSON. A file that is mapped and then cut kills the process, so none
is mapped: the format is a length, a JSON header and bytes, and is read here as it is specified
(github.com/huggingface/safetensors), only as far as it is asked for.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import math
import os
import platform
import reprlib
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

import torch
from filelock import FileLock, Timeout
from torch import Tensor

PART, ENDING = ".supsae-", ".part"
"""How what is not yet whole is called."""
STALE = 24 * 3600.0
"""Seconds after which such a leftover belongs to nobody."""
LOCKED, OWNER = ".supsae.lock", ".supsae.owner"
"""Names of the file that is locked while a folder is worked in, and of the one that says who does."""
HASH, HASHES = "sha256", "sha256 of tensors"
"""Keys in a header: a hash of all else in it, and of each tensor; a file without them is read all the same.

The first files had one hash of everything, and no second key.
"""
CHANGED = "was changed since it was written"
REMEDIES = {
    errno.ENOSPC: "Free some disk space",
    errno.EDQUOT: "Free some disk space",
    errno.ENAMETOOLONG: "Choose a shorter name",
    errno.EISDIR: "Choose another name",
}
"""Error of the system → what to do; else the folder is the matter."""
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


class BusyError(ValueError):
    """Another process works in the folder."""


class DamagedError(ValueError):
    """Why a file cannot be read; a clause, to be put behind its name."""


# --- writing --------------------------------------------------------------------------------------------------------


@contextmanager
def replacing(path: Path, *, sync: bool = True) -> Iterator[Path]:
    """Give a file beside ``path`` to write, which takes its place once it is whole and, with ``sync``, on the disk.

    The umask applies, and a file that is replaced keeps its mode. If anything fails ``path`` stays as it was, and
    nothing is left over.

    Raises:
        OSError: with a sentence that names the file and the remedy.
    """
    part = part_beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if sync:
            sweep(path.parent)
        with part.open("xb") as made:  # by us, for a library would give it a mode of its own
            mode = os.stat(made.fileno()).st_mode
        yield part
        with contextlib.suppress(FileNotFoundError):
            mode = path.stat().st_mode
        os.chmod(part, mode & 0o777)
        if sync:
            with part.open("rb") as written:
                os.fsync(written.fileno())
        part.replace(path)
        if sync:
            _sync(path.parent)
    except OSError as error:
        raise OSError(f"{path} could not be written: {_why(error)}") from error
    finally:
        part.unlink(missing_ok=True)


def part_beside(path: Path) -> Path:
    """Name a file for what is not yet whole: it says which process of which machine writes it."""
    return path.parent / f"{PART}{_machine()}-{os.getpid()}-{secrets.token_hex(6)}{ENDING}"


def _machine() -> str:
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def _why(error: OSError) -> str:
    """Return what the system said, and what to do about it."""
    remedy = REMEDIES.get(error.errno or 0, "Choose a folder that can be written to")
    return f"{error.strerror or error}. {remedy} and run again; what was there before is as it was."


def _sync(folder: Path) -> None:
    """Bring a folder's entries to the disk, where the system lets a folder be opened."""
    if hasattr(os, "O_DIRECTORY"):
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def require_writable(path: Path) -> None:
    """Try whether a file can be written, before minutes of work go into what it shall hold.

    Raises:
        OSError: as ``replacing``.
    """
    probe = part_beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"\0")
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    except OSError as error:
        raise OSError(f"{path} could not be written: {_why(error)}") from error
    finally:
        with contextlib.suppress(OSError):
            probe.unlink(missing_ok=True)


def sweep(folder: Path, *, below: bool = False) -> None:
    """Remove what writers that died have left in a folder, and ``below`` it."""
    with contextlib.suppress(OSError):
        for file in folder.rglob(f"{PART}*{ENDING}") if below else folder.glob(f"{PART}*{ENDING}"):
            if time.time() - file.stat().st_mtime > STALE or _writer_is_dead(file):
                file.unlink(missing_ok=True)


def _writer_is_dead(part: Path) -> bool:
    """Tell whether a leftover's writer was a process of this machine that is no more."""
    machine, _, process = part.name.removeprefix(PART).partition("-")
    number = process.partition("-")[0]
    if machine != _machine() or not number.isdigit() or not hasattr(os, "fork"):  # Windows ends what it asks for
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold a folder for one long job; another process that wants it is told whose it is.

    The system lets go of it when the process ends, however it ends.

    Raises:
        BusyError: with a sentence.
    """
    require_writable(folder / OWNER)
    lock, note = FileLock(folder / LOCKED, timeout=0, is_singleton=True), folder / OWNER
    try:
        lock.acquire()
    except Timeout as error:
        who = note.read_text(encoding="utf-8") if note.is_file() else "another process"
        raise BusyError(
            f"{folder} is being worked in by {who}. Wait until that has ended, or choose another folder."
        ) from error
    except NotImplementedError:  # some folders on a network know no locks
        yield
        return
    outermost = lock.lock_counter == 1  # a job may do another in its own folder
    try:
        if outermost:
            note.write_text(f"process {os.getpid()} on {platform.node()}", encoding="utf-8")
            sweep(folder, below=True)
        yield
    finally:
        if outermost:
            note.unlink(missing_ok=True)
        lock.release()


def write_text(path: Path, text: str) -> None:
    """Write a text in UTF-8, whole or not at all; raises as ``replacing``."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write a JSON object with a hash of it; raises as ``replacing``."""
    write_text(path, json.dumps({**data, HASH: _hash_of_json(data)}, ensure_ascii=False))


def _hash_of_json(data: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


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


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object from a file, and hold it against its hash if it has one.

    Raises:
        FileNotFoundError: if it is not there.
        DamagedError: if it is no JSON object, or not the one that was written.
    """
    try:
        found = json.loads(path.read_bytes().decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_number)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DamagedError(f"cannot be read ({error.strerror or error})") from error
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"is not whole JSON ({type(error).__name__})") from error
    if not isinstance(found, dict):
        raise DamagedError("is not a JSON object")
    written = found.pop(HASH, None)
    if written is not None and written != _hash_of_json(found):
        raise DamagedError(CHANGED)
    return found


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

    def keys(self) -> list[str]:
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
            raise DamagedError(f"holds no tensor {name!r}")
        return self._entries[name]

    def _read(self, entry: _Entry, first: int, shape: tuple[int, ...]) -> Tensor:
        made = torch.empty(shape, dtype=entry.dtype)
        if not made.numel():
            return made
        buffer = made.view(-1).view(torch.uint8).numpy().data
        try:
            with self.path.open("rb") as file:
                file.seek(first)
                got = file.readinto(buffer)
        except OSError as error:
            raise DamagedError(f"cannot be read ({error.strerror or error})") from error
        if got != len(buffer):
            raise DamagedError("was cut while it was read")
        return made


def _header(first: bytes, file: Any, size: int) -> tuple[dict[str, str], dict[str, _Entry]]:
    """Read and check a header; ``size`` is that of the file."""
    length = int.from_bytes(first, "little")
    if len(first) < 8 or not 2 <= length <= min(MOST_HEADER, size - 8):
        raise DamagedError("is not a whole safetensors file")
    try:
        found = json.loads(file.read(length).decode("utf-8"), object_pairs_hook=_once)
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


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")


MOST = 1e30
"""No number of a file is larger."""


def number(said: object, name: str) -> float:
    """Return a finite number as a file has it.

    Raises:
        DamagedError: naming the member.
    """
    if isinstance(said, bool) or not isinstance(said, (int, float)) or not abs(said) <= MOST:
        raise DamagedError(f"has {reprlib.repr(said)} as {name!r}, where a number belongs")
    return float(said)


def whole_number(said: object, name: str) -> int:
    """Return a whole number from 0 on as a file has it; raises as ``number``."""
    if type(said) is not int or not 0 <= said < 2**63:
        raise DamagedError(f"has {reprlib.repr(said)} as {name!r}, where a whole number from 0 on belongs")
    return said


def missing(error: Exception) -> str:
    """Say what a member that is not there is called; nothing of an error that only a programmer understands."""
    return f" ({error} is missing)" if isinstance(error, KeyError) else ""


def require_finite(tensors: Mapping[str, Tensor]) -> None:
    """Refuse numbers that are none.

    Raises:
        DamagedError: naming the tensor.
    """
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise DamagedError(f"holds values in {name!r} that are not finite numbers")
