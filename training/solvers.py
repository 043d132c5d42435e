"""Solvers: from what a capture holds to codes and a decoder. The exact one is a linear solve on streaming sums.

Letters (science.md): K concepts, S slots, T tokens, d columns, r code width, B (K, d) effect of company on a slot.
A family of solvers shares one signature: (capture, config) → Solution. The paper's own model is in ``paper.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ..supsae_core.statistics import FOLDS, Statistics, Sums

SHARED_RIDGES = (0.3, 3.0, 30.0)
OWN_RIDGES = (3.0, 30.0, 300.0, 1e9)
"""Candidates of ridge strength in units of samples; 1e9 means that slots do not deviate from their category."""
RANK_SLACK = 0.01
"""The code width is the smallest within this share of the full held-out error."""


class Solution(NamedTuple):
    """Codes and decoder of one part."""

    origin: Tensor
    """(d,)"""
    decoder: Tensor
    """(r, d)"""
    constant: Tensor
    """(S, T, r)"""
    shared: Tensor
    """(groups, K, r)"""
    own: Tensor
    """(S, K, r)"""
    mean_label: Tensor
    """(S, K)"""
    measured: dict[str, float]
    """held-out errors and chosen ridges"""


@dataclass(frozen=True)
class ExactConfig:
    """Options of the exact solver; every candidate is judged by its exact held-out error over the folds."""

    shared_ridges: Sequence[float] = SHARED_RIDGES
    own_ridges: Sequence[float] = OWN_RIDGES
    rank: int | None = None
    """code width, or None to choose"""


class Effects(NamedTuple):
    """A fit in full width: what factorisation compresses."""

    mean: Tensor
    """(S, T, d)"""
    shared: Tensor
    """(groups, K, d)"""
    own: Tensor
    """(S, K, d)"""


def effects(sums: Sums, group: Tensor, shared_ridge: float, own_ridge: float) -> Effects:
    """Fit the effects of company by two ridge steps: shared within a group, then each slot's deviation.

    Columns are centred per slot, so that a company a slot never had takes the group's effect (science.md, item 3).
    """
    gram, cross = sums.centred()
    eye = torch.eye(gram.shape[-1], dtype=gram.dtype)
    groups = int(group.max()) + 1
    group_gram = gram.new_zeros(groups, *gram.shape[1:]).index_add_(0, group, gram)
    group_cross = cross.new_zeros(groups, *cross.shape[1:]).index_add_(0, group, cross)
    shared = torch.linalg.solve(group_gram + shared_ridge * eye, group_cross)
    alone = torch.bincount(group, minlength=groups)[group] == 1
    own = torch.linalg.solve(gram + own_ridge * eye, cross - gram @ shared[group])
    own[alone] = 0
    return Effects(sums.mean_token, shared, own)


def held_out_error(fitted: Effects, train: Sums, test: Sums, group: Tensor) -> tuple[Tensor, Tensor]:
    """Return Σ‖x − x̂‖² and Σ‖x − slot's training mean‖² per slot (S,), exactly, from sums."""
    slope = fitted.shared[group] + fitted.own
    mean, centre = fitted.mean, train.mean_label
    tokens = test.lengths.clamp(min=1).to(mean.dtype)
    average = mean.sum(1) / tokens[:, None]
    base = test.square - 2 * (test.token * mean).sum((1, 2)) + test.count * mean.square().sum((1, 2))
    label = test.label
    gram = (
        test.gram
        - label[:, :, None] * centre[:, None]
        - centre[:, :, None] * label[:, None]
        + test.count[:, None, None] * centre[:, :, None] * centre[:, None]
    )
    cross = (
        test.cross
        - centre[:, :, None] * (test.token.sum(1) / tokens[:, None])[:, None]
        - label[:, :, None] * average[:, None]
        + test.count[:, None, None] * centre[:, :, None] * average[:, None]
    )
    gain = -2 * (slope * cross).sum((1, 2)) + (slope * (gram @ slope)).sum((1, 2))
    return base + tokens * gain, base


def exact(statistics: Statistics, group: Tensor, phrases: int, config: ExactConfig = ExactConfig()) -> Solution:
    """Fit one part: choose the ridges and the code width by held-out error, then factor all effects.

    Args:
        statistics: the part's sums.
        group: (S,) category of a phrase's slot, or a group of its own for a role.
        phrases: how many of the slots are phrases; the errors reported are theirs (all slots if there are none).
        config: candidates.
    """
    folds = [(statistics.total(without=f), statistics.fold(f)) for f in range(FOLDS)]
    judged = slice(0, phrases or None)
    errors = {
        (a, b): _error(folds, [effects(train, group, a, b) for train, _ in folds], group, judged)
        for a in config.shared_ridges
        for b in config.own_ridges
    }
    (shared_ridge, own_ridge), (error, base) = min(errors.items(), key=lambda item: item[1][0])
    total = statistics.total()
    fitted = effects(total, group, shared_ridge, own_ridge)
    origin = _origin(total, judged)
    decoder = _directions(fitted, total, origin)
    parts = [effects(train, group, shared_ridge, own_ridge) for train, _ in folds]
    rank = config.rank or _rank(folds, parts, group, judged, decoder, origin, error)
    decoder = decoder[:rank]
    around = float(total.square[judged].sum() - 2 * (total.token[judged].sum((0, 1)) @ origin)) + float(
        _tokens(total, judged) * origin.square().sum()
    )
    narrow, _ = _error(folds, [_narrow(part, decoder, origin) for part in parts], group, judged)
    measured = {
        "fvu_slot": narrow / base,
        "fvu_token": narrow / around,
        "fvu_token_constant": base / around,
        "fvu_slot_full_rank": error / base,
        "shared_ridge": shared_ridge,
        "own_ridge": own_ridge,
        "rank": float(rank),
        "label_rank": float(torch.linalg.matrix_rank(total.gram.sum(0))),
    }
    code = lambda x: (x @ decoder.T).float()  # noqa: E731
    valid = torch.arange(fitted.mean.shape[1])[None] < total.lengths[:, None]
    constant = code(fitted.mean - origin) * valid[..., None]
    return Solution(
        origin.float(), decoder.float(), constant, code(fitted.shared), code(fitted.own), total.mean_label.float(), measured
    )


def _error(
    folds: Sequence[tuple[Sums, Sums]], fits: Sequence[Effects], group: Tensor, judged: slice
) -> tuple[float, float]:
    found = [held_out_error(fit, train, test, group) for fit, (train, test) in zip(fits, folds, strict=True)]
    return float(sum(e[judged].sum() for e, _ in found)), float(sum(b[judged].sum() for _, b in found))


def _tokens(sums: Sums, judged: slice) -> Tensor:
    return (sums.count * sums.lengths)[judged].sum()


def _origin(sums: Sums, judged: slice) -> Tensor:
    return sums.token[judged].sum((0, 1)) / _tokens(sums, judged)


def _directions(fitted: Effects, sums: Sums, origin: Tensor) -> Tensor:
    """Return the right singular vectors (·, d) of all means and effects, each weighted by how much it is used."""
    valid = torch.arange(fitted.mean.shape[1])[None] < sums.lengths[:, None]
    means = ((fitted.mean - origin) * sums.count.sqrt()[:, None, None])[valid]
    used = sums.centred()[0].diagonal(dim1=1, dim2=2).clamp(min=0).sqrt()[..., None]
    slope = fitted.own + 0
    rows = torch.cat([means, (slope * used).flatten(0, 1), _shared_rows(fitted, used)])
    return torch.linalg.svd(rows, full_matrices=False).Vh


def _shared_rows(fitted: Effects, used: Tensor) -> Tensor:
    return (fitted.shared * used.square().mean(0).sqrt()).flatten(0, 1)


def _narrow(fitted: Effects, decoder: Tensor, origin: Tensor) -> Effects:
    project = lambda x: x @ decoder.T @ decoder  # noqa: E731
    valid = (fitted.mean != 0).any(-1, keepdim=True)
    return Effects(
        torch.where(valid, origin + project(fitted.mean - origin), 0), project(fitted.shared), project(fitted.own)
    )


def _rank(
    folds: Sequence[tuple[Sums, Sums]],
    fits: Sequence[Effects],
    group: Tensor,
    judged: slice,
    decoder: Tensor,
    origin: Tensor,
    error: float,
) -> int:
    """Bisect for the smallest width whose held-out error is within the slack of the full one."""
    low, high = 1, len(decoder)
    while low < high:
        middle = (low + high) // 2
        now, _ = _error(folds, [_narrow(fit, decoder[:middle], origin) for fit in fits], group, judged)
        if now <= error * (1 + RANK_SLACK):
            high = middle
        else:
            low = middle + 1
    return low
