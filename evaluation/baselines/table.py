"""The baselines that edit a conditioning, one line each; in two tables, by what they are shown.

Another one is a file beside these and a line here.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from torch import Tensor

from ...supsae_core.capture.captures import Encoded
from . import (
    beside_prompt,
    chosen_tokens,
    control_vector,
    flattened_ridge,
    latents,
    mean_difference,
    paper,
    position_delta,
    sparse_direction,
)
from .paper import PaperConfig


class Baseline(Protocol):
    """A fitted baseline that is shown a conditioning and nothing else."""

    def edit(
        self, cond: Tensor, pooled: Tensor, old: Sequence[int], new: Sequence[int], strength: float = 1.0
    ) -> tuple[Tensor, Tensor]:
        """Return the edited rows (L, width) and vector (P,); ValueError for another length than was fitted."""
        ...


class ToldBaseline(Protocol):
    """A fitted baseline that is shown the prompt's words too."""

    def edit(
        self, row: Encoded, old: Sequence[int], new: Sequence[int], strength: float = 1.0
    ) -> tuple[Tensor, Tensor]:
        """Return the edited rows (L, width) and vector (P,); ValueError for what it cannot do."""
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
    "control vector": control_vector.fit,
    "sparse direction": sparse_direction.fit,
}
"""Spelling → (capture, host, progress=…) → what edits."""
TOLD: dict[str, Callable[..., ToldBaseline]] = {
    "poles beside the prompt": beside_prompt.fit,
    "chosen tokens": chosen_tokens.fit,
}
"""The same of those that need the prompt's words."""
