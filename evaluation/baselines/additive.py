"""The common form of the simplest baselines: every concept is one constant tensor, added wherever it is written."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Additive:
    """Constant effects of concepts. They hold for prompts of one length only."""

    rows: Tensor
    """(K, L, width)"""
    pooled: Tensor
    """(K, P)"""

    def edit(
        self, cond: Tensor, pooled: Tensor, old: Sequence[int], new: Sequence[int], strength: float = 1.0
    ) -> tuple[Tensor, Tensor]:
        """Add the effects of what is written after and take away those of what was written before.

        Raises:
            ValueError: if the conditioning has another shape than the effects.
        """
        if not strength:
            return cond, pooled
        require_shape(cond, self.rows.shape[1:])
        came = [one for one in new if one not in old]
        went = [one for one in old if one not in new]
        rows, vector = (effect[came].sum(0) - effect[went].sum(0) for effect in (self.rows, self.pooled))
        return cond + strength * rows.to(cond.dtype), pooled + strength * vector.to(pooled.dtype)


def require_shape(cond: Tensor, shape: Sequence[int]) -> None:
    """Refuse a conditioning of another shape than a baseline was fitted to."""
    if tuple(cond.shape) != tuple(shape):
        raise ValueError(
            f"This baseline was fitted to conditionings of {tuple(shape)} rows and columns and cannot edit "
            f"{tuple(cond.shape)}. Shorten the prompt, or capture and fit with prompts of its length."
        )
