"""Who works on what in a folder that several processes share: a file a claim, made by one of them alone.

The second file of a claim takes it over from the first, and so on: only the last one counts. No file is ever taken
away from whoever made it but by whoever has finished the work, so two can never take over the same claim.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

CLAIM = ".supsae-claim-"
"""How files of claims begin; behind it the name of the work and, behind a dot, how often it was taken over."""
BEAT = 15.0
"""Seconds between two signs of life, which are given while the work goes on."""
SILENT, SILENT_HERE = 5 * 60.0, 60.0
"""Seconds without a sign after which a claim of another machine belongs to nobody (clocks differ, and folders on a
network are seen late), and one of this machine where processes cannot be asked for."""
WRITTEN = 10.0
"""Seconds within which a claim says whose it is."""


@contextmanager
def claimed(folder: Path, name: str) -> Iterator[bool]:
    """Claim a piece of work, given its name: letters, digits and hyphens; False if a living process has it.

    A claim is over when the block ends, however it ends. Whether the work is still to be done is to be asked inside.

    Raises:
        OSError: if the folder cannot be written to.
    """
    number = _free_number(folder, name)
    file = folder / f"{CLAIM}{name}.{number}"
    if number is None or not _make(file):
        yield False
        return
    over = Event()
    Thread(target=_sign, args=(file, over), daemon=True).start()
    try:
        yield True
    finally:
        over.set()
        release(folder, name, number)


def _sign(file: Path, over: Event) -> None:
    """Give signs of life until the work is over."""
    while not over.wait(BEAT):
        with contextlib.suppress(OSError):  # it was taken over, which the work does not mind
            os.utime(file)


def release(folder: Path, name: str, last: int | None = None) -> None:
    """Remove the claims on a piece of work, up to a number or all."""
    for number, file in _files(folder).get(name, []):
        if last is None or number <= last:
            file.unlink(missing_ok=True)


def claims(folder: Path) -> dict[str, bool]:
    """Return the work that is claimed, name → whether whoever claimed it lives."""
    return {name: not _is_dead(some[-1][1]) for name, some in _files(folder).items()}


def _free_number(folder: Path, name: str) -> int | None:
    """Return the number that a new claim takes; None if the last one's maker lives."""
    number, file = _files(folder).get(name, [(-1, None)])[-1]
    return number + 1 if file is None or _is_dead(file) else None


def _files(folder: Path) -> dict[str, list[tuple[int, Path]]]:
    """Return the numbers and files of all claims, in order, by the name of the work."""
    found = dict[str, list[tuple[int, Path]]]()
    for file in folder.glob(f"{CLAIM}*"):
        name, _, number = file.name.removeprefix(CLAIM).rpartition(".")
        if number.isdecimal():
            found.setdefault(name, []).append((int(number), file))
    return {name: sorted(some) for name, some in sorted(found.items())}


def _make(file: Path) -> bool:
    """Make a claim; False if another process was faster."""
    text = json.dumps({"machine": platform.node(), "process": os.getpid(), "born": _born(os.getpid())})
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        return False
    return True


def _is_dead(file: Path) -> bool:
    """Tell whether a claim's maker was a process of this machine that is no more, or gave no sign for long."""
    try:
        silent, text = time.time() - file.stat().st_mtime, file.read_text(encoding="utf-8")
    except OSError:
        return False  # it has just been finished, or is out of sight
    if silent > SILENT:
        return True
    try:
        said = json.loads(text)
        machine, process, born = said["machine"], int(said["process"]), said["born"]
    except (ValueError, KeyError, TypeError):
        return silent > WRITTEN  # it is being written, or nobody will
    if machine != platform.node():
        return False
    if not hasattr(os, "fork"):  # Windows ends what it asks for
        return silent > SILENT_HERE
    return not _lives(process, born)


def _lives(process: int, born: str | None) -> bool:
    """Tell whether a process of this machine is there that was born then."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return born is None or _born(process) == born


def _born(process: int) -> str | None:
    """Return when a process began, as Linux counts; None elsewhere, or of one that has ended and is not buried."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    return None if stat[0] == "Z" else stat[19]
