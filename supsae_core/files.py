"""The door for folders and JSON of ours: written whole or not at all, by one process at a time, and never trusted.

Tensors have a door of their own beside it, ``tensor_files.py``.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import platform
import reprlib
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

PART, ENDING = ".supsae-", ".part"
"""How what is not yet whole is called."""
STALE = 24 * 3600.0
"""Seconds after which such a leftover belongs to nobody."""
LOCKED, OWNER = ".supsae.lock", ".supsae.owner"
"""Names of the file that is locked while a folder is worked in, and of the one that says who does."""
HASH = "sha256"
"""Key of a hash of all else that a file says of itself; one without it is read all the same."""
CHANGED = "was changed since it was written"
REMEDIES = {
    errno.ENOSPC: "Free some disk space",
    errno.EDQUOT: "Free some disk space",
    errno.ENAMETOOLONG: "Choose a shorter name",
    errno.EISDIR: "Choose another name",
}
"""Error of the system → what to do; else the folder is the matter."""


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


def link_or_copy(there: Path, path: Path) -> None:
    """Give a file that is never changed a second name, which takes no disk; where that cannot be, copy it.

    Raises:
        OSError: as ``replacing``.
    """
    try:
        os.link(there, path)
        _sync(path.parent)
    except OSError:  # another disk, or one that knows no links
        with replacing(path) as part:
            shutil.copyfile(there, part)


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
def alone_in(folder: Path, wait: float = 0.0) -> Iterator[None]:
    """Hold a folder for one job; another process that wants it is told whose it is.

    The system lets go of it when the process ends, however it ends.

    Args:
        folder: made if missing.
        wait: seconds that another's job may take before that is said.

    Raises:
        BusyError: with a sentence.
    """
    require_writable(folder / OWNER)
    lock, note = FileLock(folder / LOCKED, timeout=0, is_singleton=True), folder / OWNER
    try:
        lock.acquire(timeout=wait)
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


# --- reading --------------------------------------------------------------------------------------------------------


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object from a file, and hold it against its hash if it has one.

    Raises:
        FileNotFoundError: if it is not there.
        DamagedError: if it is no JSON object, or not the one that was written.
    """
    try:
        found = json.loads(path.read_bytes().decode("utf-8"), object_pairs_hook=unique, parse_constant=_no_number)
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


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the members of a JSON object; raises ``ValueError`` if a name stands twice."""
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
