"""The linear problem: effects of context on three levels, each one ridge step on sums (docs/method.md, 5).

Letters: K concepts, S slots, T tokens, d columns; G groups of slots.
"""

from typing import NamedTuple

import torch
from einops import rearrange, reduce
from torch import Tensor

from ...supsae_core.capture.statistics import Sums

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


def effects(sums: Sums, group: Tensor, ridges: Ridges) -> Effects:
    """Fit the effects of context by three ridge steps: common to all slots, then what groups and slots deviate by.

    Columns are centred per slot, so that a context a slot never had takes the group's effect, and one that the group
    never had the common one: that is what few prompts can still determine (docs/method.md, 5).

    Args:
        group: (S,) group of every slot.
    """
    gram, cross = sums.centred()
    count = len(ridges.shared)
    # A group's normal equations are the sums of its slots'.
    group_gram = gram.new_zeros(count, *gram.shape[1:]).index_add_(0, group, gram)
    group_cross = cross.new_zeros(count, *cross.shape[1:]).index_add_(0, group, cross)
    # The common level is solved once per group, since every group chooses its own strength for it.
    every_gram = reduce(gram, "s k l -> k l", "sum").expand_as(group_gram)
    every_cross = reduce(cross, "s k d -> k d", "sum").expand_as(group_cross)
    common = ridge(every_gram, every_cross, ridges.common)
    # Each further level is fitted to what the one above leaves: cross − gram W is the residual's cross.
    shared = common + ridge(group_gram, group_cross - group_gram @ common, ridges.shared)
    own = ridge(gram, cross - gram @ shared[group], ridges.own[group])
    # A slot that is alone in its group has nothing to deviate from.
    own[torch.bincount(group, minlength=count)[group] == 1] = 0
    return Effects(sums.mean_token, shared, own)


def ridge(gram: Tensor, cross: Tensor, strength: Tensor) -> Tensor:
    """Solve (gram + strength · 1) W = cross for a batch (n, K, K), (n, K, d), (n,); ``NEVER`` gives zeros."""
    solved = torch.zeros_like(cross)
    some = strength < NEVER
    eye = torch.eye(gram.shape[-1], dtype=gram.dtype)
    solved[some] = torch.linalg.solve(gram[some] + rearrange(strength[some], "n -> n 1 1") * eye, cross[some])
    return solved
