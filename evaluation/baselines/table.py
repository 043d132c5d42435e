"""The rivals that edit a conditioning, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from torch import Tensor

from ...supsae_core.capture.captures import Capture
from ...supsae_core.host import Progress, TextHost
from . import flattened_ridge, latents, mean_difference, paper, position_delta
from .paper import PaperConfig


class Rival(Protocol):
    """A fitted rival."""

    def edit(
        self, cond: Tensor, pooled: Tensor, old: Sequence[int], new: Sequence[int], strength: float = 1.0
    ) -> tuple[Tensor, Tensor]:
        """Return the edited rows (L, width) and vector (P,); ValueError for another length than was fitted."""
        ...


PAPER = PaperConfig()
ALL_DIMENSIONS = PaperConfig(keep=2**31, epochs=20)
"""The paper's model of every dimension that varies, instead of the 1000 of the largest range."""


def by_adam(
    capture: Capture, host: TextHost, config: PaperConfig = PAPER, *, progress: Progress | None = None
) -> Rival:
    """Fit the paper's own model."""
    return paper.fit(capture, config, progress=progress)


RIVALS: dict[str, Callable[..., Rival]] = {
    "paper": by_adam,
    "paper, all dimensions": partial(by_adam, config=ALL_DIMENSIONS),
    "flattened ridge": flattened_ridge.fit,
    "broadcast mean difference": mean_difference.fit,
    "position-wise delta": position_delta.fit,
    "TopK auto-encoder": latents.fit,
}
"""Rival → (capture, host, progress=…) → what edits."""
