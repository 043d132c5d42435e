"""When an edit acts: from one percentage of sampling to another, fading in and out by a ramp."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Percent = float
"""Progress of sampling, 0 … 1."""


@dataclass(frozen=True)
class Window:
    """A part of sampling; a noise level that lies at ``end`` is outside, so that windows can adjoin."""

    start: Percent = 0.0
    end: Percent = 1.0
    ramp: Percent = 0.0
    """length of the fade at either side, inside the window; at the very start and end of sampling there is none"""

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end <= 1:
            raise ValueError(
                f"A window from {self.start:g} to {self.end:g} holds nothing. Start must be below end, both in 0 … 1."
            )
        if not 0 <= self.ramp <= (self.end - self.start) / 2:
            raise ValueError(
                f"A ramp of {self.ramp:g} does not fit a window from {self.start:g} to {self.end:g}: it may be 0 … "
                f"{(self.end - self.start) / 2:g}, half the window."
            )

    def weight(self, sigma: float, to_sigma: Callable[[Percent], float]) -> float:
        """Return how much of the edit acts at a noise level, 0 … 1; ``to_sigma`` is the host's and falls."""
        late = self.end == 1 or sigma > to_sigma(self.end)
        if not late or sigma > to_sigma(self.start):
            return 0.0
        fade_in = 1.0 if self.start == 0 else self._faded(self.start, sigma, to_sigma)
        fade_out = 1.0 if self.end == 1 else self._faded(self.end, sigma, to_sigma)
        return min(fade_in, fade_out)

    def _faded(self, edge: Percent, sigma: float, to_sigma: Callable[[Percent], float]) -> float:
        """Share of the ramp between an edge and a noise level, linear in the noise level."""
        if not self.ramp:
            return 1.0
        inner = to_sigma(edge + self.ramp if edge == self.start else edge - self.ramp)
        return min(1.0, abs(sigma - to_sigma(edge)) / max(abs(inner - to_sigma(edge)), 1e-12))
