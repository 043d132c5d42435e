"""Own effects of low rank: the rank by held-out error, of all ranks at once (docs/method.md, 7).

Letters: K concepts, S slots, r code columns, q rank.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from einops import reduce
from torch import Tensor
from torch.nn import functional as F

from ...supsae_core.capture.kept import Samples
from ...supsae_core.capture.statistics import FOLDS
from .by_samples import SampleGroup, Strengths
from .effects import Commons, Effects, Ridges
from .groups import Groups

SLACK = 1e-4
"""The rank is the smallest within this share of the least held-out error."""


def in_products(
    coded: Samples, groups: Groups, ridges: Ridges, without: Sequence[int | None]
) -> tuple[float, list[tuple[Effects, Tensor]]]:
    """Return the held-out error, and the fits without some folds (None: to all).

    Own effects (S, K, q) of these are in directions (S, q, r), each slot's own.

    Args:
        coded: samples of codes (r,).
    """
    errors = rank_curve(coded, groups, ridges)
    rank = smallest_rank(errors)
    return float(errors[min(rank, len(errors) - 1)]), [_fit(coded, groups, ridges, rank, one) for one in without]


def rank_curve(coded: Samples, groups: Groups, ridges: Ridges) -> Tensor:
    """Return the held-out error with own effects of every rank, from 0 on, over the slots that are judged.

    A slot's directions are orthonormal, so that errors add up over them; one of fewer directions has all of them.
    """
    judged, commons = range(len(groups.of))[groups.judged], [Commons(coded, fold) for fold in range(FOLDS)]
    without, gained = torch.zeros((), dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    for group in range(groups.count):
        if slots := [slot for slot in groups.slots(group) if slot in judged]:
            some, strengths = SampleGroup.of(coded, slots), Strengths(*(float(one[group]) for one in ridges))
            for fold, common in enumerate(commons):
                begun, gains = _ranked(some, common(strengths.common), strengths, fold)
                without, gained = without + begun, _longer(gained, len(gains)) + _longer(gains, len(gained))
    return torch.cat([without[None], without + gained.cumsum(0)])


def smallest_rank(errors: Tensor) -> int:
    """Return the smallest rank, at least 1, whose error (q + 1,) is within the slack of the least."""
    enough = (errors <= errors.min() * (1 + SLACK)).nonzero()[:, 0].tolist()
    return max(enough[0], 1)


def _ranked(group: SampleGroup, common: Tensor, strengths: Strengths, without: int) -> tuple[Tensor, Tensor]:
    """Return a fold's held-out error without own effects, and what each of their directions (q,) changes of it."""
    fit = group.fit(common, strengths.shared, without)
    judged, weights = group.judged(without), group.weights(without)
    gains = torch.zeros(1, dtype=torch.float64)
    for slot, where, step in group.own_steps(fit, strengths.own):
        test, (left, right) = ~fit.seen[where], step.factors(strengths.own)
        said, rows = fit.labels[where][test] @ left, fit.rows[where][test] @ right.T
        changed = weights[slot] * reduce(said * (said - 2 * rows), "n q -> q", "sum").double()
        gains = _longer(gains, len(changed)) + _longer(changed, len(gains))
    return judged.left(fit.shared[None])[0].double(), gains


def _longer(one: Tensor, length: int) -> Tensor:
    return F.pad(one, (0, max(length - len(one), 0)))


def _fit(coded: Samples, groups: Groups, ridges: Ridges, rank: int, without: int | None) -> tuple[Effects, Tensor]:
    (slots, concepts), width = coded.sums.label.shape[1:], coded.sums.token.shape[-1]
    shared, left = torch.zeros(groups.count, concepts, width), torch.zeros(slots, concepts, rank)
    right, commons = torch.zeros(slots, rank, width), Commons(coded, without)
    for group in range(groups.count):
        if members := groups.slots(group):
            some, strengths = SampleGroup.of(coded, members), Strengths(*(float(one[group]) for one in ridges))
            fit = some.fit(commons(strengths.common), strengths.shared, without)
            shared[group] = fit.shared
            for slot, _, step in some.own_steps(fit, strengths.own):
                tall, wide = step.factors(strengths.own)
                count = min(rank, len(wide))
                left[members[slot], :, :count], right[members[slot], :count] = tall[:, :count], wide[:count]
    return Effects(coded.sums.total(without).mean_token, shared, left), right
