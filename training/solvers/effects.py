"""The linear problem: effects of context on three levels, each one ridge step on sums (docs/method.md, 5).

Letters: K concepts, S slots, T tokens, d columns; G groups of slots.
"""

from typing import NamedTuple

import torch
from einops import reduce
from torch import Tensor

from ...supsae_core.capture.kept import Summed
from ...supsae_core.capture.statistics import FOLDS, Sums
from ...supsae_core.stopping import heed
from .groups import Groups

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


def common_equations(statistics: Summed, without: int | None = None) -> tuple[Tensor, Tensor]:
    """Return the gram (K, K) and cross (K, d) of all slots together, each about its own means; of all folds but one."""
    sums, (gram, cross) = statistics.sums.total(without), statistics.over_slots()
    kept = [fold for fold in range(FOLDS) if fold != without]
    # Σ (a − ā)(a − ā)ᵀ = Σ a aᵀ − Σ_s n ā āᵀ, and the same of labels and tokens.
    means = sums.mean_label.T
    return gram[kept].sum(0) - means @ sums.label, cross[kept].sum(0) - means @ sums.heard


def of_group(sums: Sums, common: Tensor, shared: float, own: float) -> Effects:
    """Fit the effects on the slots of one group (G = 1), each level to what the one above leaves.

    A context that a slot never had takes the group's effect, one that the group never had the common one: what few
    prompts can still determine.

    Args:
        sums: of these slots.
        common: (K, d) what context does to any token at all.
        shared: the ridge of what the group deviates by.
        own: the ridge of what a slot deviates from its group by; one that is alone has nothing to deviate from.
    """
    gram, cross = sums.centred()
    common = common.to(gram.dtype)
    # A group's normal equations are the sums of its slots'; cross − gram W is the residual's cross.
    every = reduce(gram, "s k l -> k l", "sum")
    fitted = common + ridge(every, reduce(cross, "s k d -> k d", "sum") - every @ common, shared)
    alone = len(gram) == 1 or own >= NEVER
    deviation = torch.zeros_like(cross) if alone else ridge(gram, cross - gram @ fitted, own)
    return Effects(sums.mean_token, fitted[None], deviation)


def effects(statistics: Summed, groups: Groups, ridges: Ridges, without: int | None = None) -> Effects:
    """Fit the effects of context by three ridge steps: common to all slots, then what groups and slots deviate by.

    Args:
        without: a fold that is not to be seen.
    """
    commons = Commons(statistics, without)
    sums, concepts = statistics.sums, statistics.sums.label.shape[-1]
    shared = sums.token.new_zeros(groups.count, concepts, sums.token.shape[-1])
    own = sums.token.new_zeros(len(groups.of), concepts, sums.token.shape[-1])
    for group in range(groups.count):
        if slots := groups.slots(group):
            common, *strengths = (float(one[group]) for one in ridges)
            fitted = of_group(statistics.of(slots).total(without), commons(common), *strengths)
            shared[group], own[slots] = fitted.shared[0].to(own.dtype), fitted.own.to(own.dtype)
    return Effects(sums.total(without).mean_token, shared, own)


class Commons:
    """What context does to any token, by the ridge, each solved for once. Built per fit and dropped."""

    def __init__(self, statistics: Summed, without: int | None = None) -> None:
        self._equations = common_equations(statistics, without)
        self._solved = dict[float, Tensor]()

    def __call__(self, strength: float) -> Tensor:
        """Return it (K, d)."""
        if strength not in self._solved:
            self._solved[strength] = ridge(*self._equations, strength)
        return self._solved[strength]


def ridge(gram: Tensor, cross: Tensor, strength: float) -> Tensor:
    """Solve (gram + strength · 1) W = cross for (…, K, K) and (…, K, d); ``NEVER`` gives zeros."""
    heed()
    if strength >= NEVER:
        return torch.zeros_like(cross)
    return torch.linalg.solve(gram + strength * torch.eye(gram.shape[-1], dtype=gram.dtype), cross)
