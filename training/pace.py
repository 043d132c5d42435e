"""How fast long work goes, and how long it will take."""

from collections import deque
from collections.abc import Callable
from time import monotonic

from ..supsae_core.host import Progress

SPAN = 30.0
"""Seconds that a rate is taken over: the first batch loads models, and a computer is not equally fast all night."""


class Pace:
    """Counts done work against the clock; made when the work starts."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()

    def rate(self, done: int) -> float:
        """Take note of what is done so far; return how much a second was done lately, 0 if that is not known."""
        now = self._clock()
        if self._seen and done < self._seen[-1][1]:  # other work began
            self._seen.clear()
        self._seen.append((now, done))
        while len(self._seen) > 2 and now - self._seen[1][0] >= SPAN:
            self._seen.popleft()
        then, before = self._seen[0]
        return (done - before) / (now - then) if now > then else 0.0


def left(done: int, total: int, rate: float) -> float | None:
    """Return the seconds that the rest will take, None if that is not known."""
    return (total - done) / rate if rate > 0 else None


def ticker(progress: Progress | None, total: int) -> Callable[[], None]:
    """Return what is called when another one of ``total`` steps is done."""
    done = iter(range(1, total + 1))

    def tick() -> None:
        if progress:
            progress(next(done), total)

    return tick
