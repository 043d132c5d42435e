"""The baselines that edit a conditioning, one line each. Another one is a file beside these and a line here."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from torch import Tensor

from . import flattened_ridge, latents, mean_difference, paper, position_delta
from .paper import PaperConfig


class Baseline(Protocol):
    """A fitted baseline."""

    def edit(
        self, cond: Tensor, pooled: Tensor, old: Sequence[int], new: Sequence[int], strength: float = 1.0
    ) -> tuple[Tensor, Tensor]:
        """Return the edited rows (L, width) and vector (P,); ValueError for another length than was fitted."""
        ...


ALL_DIMENSIONS = PaperConfig(keep=2**31, epochs=20)
"""The paper's model of every dimension that varies, instead of the 1000 of the largest range."""
BASELINES: dict[str, Callable[..., Baseline]] = {
    "paper": paper.fit,
    "paper, all dimensions": partial(paper.fit, config=ALL_DIMENSIONS),
    "flattened ridge": flattened_ridge.fit,
    "broadcast mean difference": mean_difference.fit,
    "position-wise delta": position_delta.fit,
    "TopK auto-encoder": latents.fit,
}
"""Spelling → (capture, host, progress=…) → what edits."""
