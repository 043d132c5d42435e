"""Progress in the shell."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from tqdm import tqdm

from ..evaluation.results import Hooks
from ..supsae_core.host import Progress
from ..training import distributed

EVERY = 10.0
"""Seconds between two lines."""


def onto(bar: tqdm) -> Progress:
    """Return what moves a bar to (done, total)."""

    def progress(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)

    return progress


@contextmanager
def of_all(what: str, unit: str) -> Iterator[Progress | None]:
    """Give the progress of all ranks: a bar if there is one rank, else lines of rank 0, and nothing on the others."""
    if distributed.world() > 1:
        yield lines(what, unit) if distributed.rank() == 0 else None
        return
    with tqdm(total=1, desc=what, unit=unit) as bar:
        yield onto(bar)


def lines(what: str, unit: str) -> Progress:
    """Return what prints a line of (done, total) now and then, as a log keeps it."""
    began, told, last = time.monotonic(), float("-inf"), -1

    def progress(done: int, total: int) -> None:
        nonlocal told, last
        now = time.monotonic()
        if total and done != last and (done >= total or now - told >= EVERY):
            told, last = now, done
            pace = f", {done / (now - began):.1f} a second" if done and now > began else ""
            print(f"{what}: {done} of {total} {unit}s, {distributed.world()} processes{pace}", flush=True)

    return progress


def hooks() -> Hooks:
    """Return how a run tells the shell what it does: a bar a part, or lines of rank 0 that count all ranks' work."""
    if distributed.world() == 1:
        return Hooks(tqdm.write, _part)
    first = distributed.rank() == 0
    return Hooks(_said if first else lambda said: None, partial(_part_of_all, first))


def _said(sentence: str) -> None:
    print(sentence, flush=True)


def _part(name: str, total: int) -> Callable[[int], None]:
    bar = tqdm(total=total or None, desc=f"{name:<14}", unit="")

    def told(count: int) -> None:
        bar.update(count)

    return told


def _part_of_all(first: bool, name: str, total: int) -> Callable[[int], None]:
    """Begin a part: all ranks count what they do, and the first one tells of it."""
    line = lines(name, "step") if first else lambda done, total: None

    def told(count: int) -> None:
        line(distributed.counted(name, count), total)

    return told
