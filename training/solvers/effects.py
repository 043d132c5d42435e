"""The linear problem: effects of context on three levels, each one ridge step on sums (docs/method.md, 5).

Letters: K concepts, S slots, T tokens, d columns; G groups of slots.
"""

from typing import NamedTuple

import torch
from einops import rearrange, reduce
from torch import Tensor

from ...supsae_core.capture.statistics import Sums
from ...supsae_core.stopping import heed

NEVER = 1e12
"""A ridge so strong that the level it belongs to does nothing."""


class Ridges(NamedTuple):
    """Ridge strengths in units of samples, one per group (G,), of the three levels of effects."""

    common: Tensor
    """of what context does to any token at all"""
    shared: Tensor
    """of how a group deviates from that"""
    own: Tensor
    """of how a slot deviates from its group"""


class Effects(NamedTuple):
    """A fit in full width: what factorisation compresses."""

    mean: Tensor
    """(S, T, d)"""
    shared: Tensor
    """(G, K, d)"""
    own: Tensor
    """(S, K, d)"""

    def of(self, group: Tensor) -> Tensor:
        """Return the effects (S, K, d) on every slot; group (S,) is each slot's."""
        return self.shared[group] + self.own


class Levels:
    """Sums centred per slot, and one ridge step on them for each level; a context a slot never had takes the group's
    effect, one that the group never had the common one: what few prompts can still determine (docs/method.md, 5).
    """

    def __init__(self, sums: Sums, group: Tensor, count: int) -> None:
        """Take sums of slots; group (S,) is every slot's of ``count`` groups."""
        self.mean, self._of = sums.mean_token, group
        self._gram, self._cross = gram, cross = sums.centred()
        # A group's normal equations are the sums of its slots'.
        self._group_gram = gram.new_zeros(count, *gram.shape[1:]).index_add_(0, group, gram)
        self._group_cross = cross.new_zeros(count, *cross.shape[1:]).index_add_(0, group, cross)
        # A slot that is alone in its group has nothing to deviate from.
        self._alone = torch.bincount(group, minlength=count)[group] == 1

    def common(self, strength: Tensor) -> Tensor:
        """Return what context does to any token (G, K, d), once per group since each has its own strength (G,)."""
        gram = reduce(self._gram, "s k l -> k l", "sum").expand_as(self._group_gram)
        cross = reduce(self._cross, "s k d -> k d", "sum").expand_as(self._group_cross)
        return ridge(gram, cross, strength)

    def shared(self, common: Tensor, strength: Tensor) -> Tensor:
        """Return the effects on groups (G, K, d): what they deviate by is fitted to what the common level leaves."""
        # cross − gram W is the residual's cross
        return common + ridge(self._group_gram, self._group_cross - self._group_gram @ common, strength)

    def own(self, shared: Tensor, strength: Tensor) -> Tensor:
        """Return what slots deviate by (S, K, d), fitted to what their group leaves."""
        own = ridge(self._gram, self._cross - self._gram @ shared[self._of], strength[self._of])
        own[self._alone] = 0
        return own


def effects(sums: Sums, group: Tensor, ridges: Ridges) -> Effects:
    """Fit the effects of context by three ridge steps: common to all slots, then what groups and slots deviate by.

    Args:
        group: (S,) group of every slot.
    """
    levels = Levels(sums, group, len(ridges.shared))
    shared = levels.shared(levels.common(ridges.common), ridges.shared)
    return Effects(levels.mean, shared, levels.own(shared, ridges.own))


def ridge(gram: Tensor, cross: Tensor, strength: Tensor) -> Tensor:
    """Solve (gram + strength · 1) W = cross for a batch (n, K, K), (n, K, d), (n,); ``NEVER`` gives zeros."""
    heed()
    solved = torch.zeros_like(cross)
    some = strength < NEVER
    eye = torch.eye(gram.shape[-1], dtype=gram.dtype)
    solved[some] = torch.linalg.solve(gram[some] + rearrange(strength[some], "n -> n 1 1") * eye, cross[some])
    return solved
