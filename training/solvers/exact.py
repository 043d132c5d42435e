"""Solvers: from what a capture holds to codes and a decoder. The exact one is a linear solve on streaming sums.

Letters (science.md): K concepts, S slots, T tokens, d columns, r code width, B (K, d) effect of company on a slot.
A family of solvers shares one signature: (capture, config) → Solution. The paper's own model is in ``paper.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from ...supsae_core.capture.statistics import FOLDS, Statistics, Sums
from ...supsae_core.dictionary.model import Codes

NEVER = 1e12
"""A ridge so strong that the level it belongs to does nothing."""
COMMON_RIDGES = (10.0, NEVER)
SHARED_RIDGES = (0.3, 3.0, 30.0, 300.0, NEVER)
OWN_RIDGES = (3.0, 30.0, 300.0, NEVER)
"""Candidates of ridge strength in units of samples, for the three levels that effects are fitted on."""
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
    """held-out errors, code width, rank of the labels"""


@dataclass(frozen=True)
class ExactConfig:
    """Options of the exact solver; every candidate is judged by its exact held-out error over the folds."""

    common_ridges: Sequence[float] = COMMON_RIDGES
    shared_ridges: Sequence[float] = SHARED_RIDGES
    own_ridges: Sequence[float] = OWN_RIDGES
    rank: int | None = None
    """code width, or None to choose"""
    widths: Sequence[int] = ()
    """code widths to choose the one of least held-out error from; if empty, the smallest close to the best is chosen"""


EXACT = ExactConfig()


class Ridges(NamedTuple):
    """Ridge strengths, one per group (groups,), of the three levels of effects."""

    common: Tensor
    """of what company does to any token at all"""
    shared: Tensor
    """of how a group deviates from that"""
    own: Tensor
    """of how a slot deviates from its group"""


class Effects(NamedTuple):
    """A fit in full width: what factorisation compresses."""

    mean: Tensor
    """(S, T, d)"""
    shared: Tensor
    """(groups, K, d)"""
    own: Tensor
    """(S, K, d)"""


def effects(sums: Sums, group: Tensor, ridges: Ridges) -> Effects:
    """Fit the effects of company by three ridge steps: common to all slots, then what groups and slots deviate by.

    Columns are centred per slot, so that a company a slot never had takes the group's effect, and one that the group
    never had the common one (science.md, item 3, with one level more: it is what few prompts can still determine).
    """
    gram, cross = sums.centred()
    count = len(ridges.shared)
    group_gram = gram.new_zeros(count, *gram.shape[1:]).index_add_(0, group, gram)
    group_cross = cross.new_zeros(count, *cross.shape[1:]).index_add_(0, group, cross)
    common = _ridge(gram.sum(0).expand_as(group_gram), cross.sum(0).expand_as(group_cross), ridges.common)
    shared = common + _ridge(group_gram, group_cross - group_gram @ common, ridges.shared)
    own = _ridge(gram, cross - gram @ shared[group], ridges.own[group])
    own[torch.bincount(group, minlength=count)[group] == 1] = 0
    return Effects(sums.mean_token, shared, own)


def _ridge(gram: Tensor, cross: Tensor, strength: Tensor) -> Tensor:
    """Solve (gram + strength) W = cross for a batch (n, K, K), (n, K, d), (n,); ``NEVER`` gives zeros."""
    solved = torch.zeros_like(cross)
    some = strength < NEVER
    eye = torch.eye(gram.shape[-1], dtype=gram.dtype)
    solved[some] = torch.linalg.solve(gram[some] + strength[some, None, None] * eye, cross[some])
    return solved


def choose(folds: Sequence[tuple[Sums, Sums]], group: Tensor, config: ExactConfig) -> Ridges:
    """Choose every group's ridges by its own held-out error: common and shared first, then own."""
    groups = int(group.max()) + 1
    never = torch.full((groups,), NEVER, dtype=torch.float64)
    pairs = [(a, b) for a in config.common_ridges for b in config.shared_ridges]
    first = [Ridges(never * 0 + a, never * 0 + b, never) for a, b in pairs]
    best = _least(folds, group, first)
    common, shared = (torch.stack([getattr(first[i], f)[g] for g, i in enumerate(best)]) for f in ("common", "shared"))
    second = [Ridges(common, shared, never * 0 + own) for own in config.own_ridges]
    return Ridges(common, shared, torch.tensor([config.own_ridges[i] for i in _least(folds, group, second)]).double())


def _least(folds: Sequence[tuple[Sums, Sums]], group: Tensor, candidates: Sequence[Ridges]) -> list[int]:
    """Return, per group, which candidate has the least held-out error."""
    errors = torch.zeros(len(candidates), int(group.max()) + 1, dtype=torch.float64)
    for row, ridges in zip(errors, candidates, strict=True):
        for train, test in folds:
            row.index_add_(0, group, held_out_error(effects(train, group, ridges), train, test, group)[0])
    return errors.argmin(0).tolist()


def held_out_error(fitted: Effects, train: Sums, test: Sums, group: Tensor) -> tuple[Tensor, Tensor]:
    """Return Σ‖x − x̂‖² and Σ‖x − slot's training mean‖² per slot (S,), exactly, from sums.

    Slots that the training folds never saw count nothing.
    """
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
    trained = train.count > 0
    return (base + tokens * gain) * trained, base * trained


def exact(statistics: Statistics, group: Tensor, phrases: int, config: ExactConfig = EXACT) -> Solution:
    """Fit one part: choose the ridges and the code width by held-out error, then factor all effects.

    Args:
        statistics: the part's sums.
        group: (S,) category of a phrase's slot, or a group of its own for a role.
        phrases: how many of the slots are phrases; the errors reported are theirs (all slots if there are none).
        config: candidates.

    Raises:
        ValueError: if nothing occurs twice.
    """
    folds = [(statistics.total(without=f), statistics.fold(f)) for f in range(FOLDS)]
    judged = slice(0, phrases or None)
    ridges, total = choose(folds, group, config), statistics.total()
    parts = [effects(train, group, ridges) for train, _ in folds]
    error, base = _error(folds, parts, group, judged)
    if not base:
        raise ValueError(
            "Too few prompts to fit: no phrase occurs in two of the five parts that the prompts are divided into. "
            "Capture more prompts, or with a higher mention rate."
        )
    fitted, origin = effects(total, group, ridges), _origin(total, judged)
    decoder = _directions(fitted, total, origin)
    at_width = partial(_error_at, folds, parts, group, judged, decoder, origin)
    width = config.rank or (min(config.widths, key=at_width) if config.widths else _rank(len(decoder), at_width, error))
    decoder = decoder[:width]
    narrow = at_width(width)
    around = _spread(total, origin, judged)
    measured = {
        "fvu_slot": narrow / base,
        "fvu_token": narrow / around,
        "fvu_token_constant": base / around,
        "fvu_slot_full_rank": error / base,
        "rank": float(len(decoder)),
        "label_rank": float(torch.linalg.matrix_rank(total.gram.sum(0))),
    }
    code = lambda x: (x @ decoder.T).float()  # noqa: E731
    constant = code(fitted.mean - origin) * _valid(total)[..., None]
    shared, own, label = code(fitted.shared), code(fitted.own), total.mean_label.float()
    return Solution(origin.float(), decoder.float(), constant, shared, own, label, measured)


def to_codes(solution: Solution, lengths: Tensor, group: Tensor) -> Codes:
    """Build codes in the precision of their file, not yet calibrated."""
    half = lambda x: x.half().float().contiguous()  # noqa: E731 - laid out as a file's, so that sums round alike
    return Codes(
        origin=half(solution.origin),
        decoder=half(solution.decoder),
        constant=half(solution.constant),
        shared=half(solution.shared),
        own=half(solution.own),
        mean_label=half(solution.mean_label),
        lengths=lengths,
        group=group,
        gain=torch.ones(solution.shared.shape[1]),
    )


def _error(
    folds: Sequence[tuple[Sums, Sums]], fits: Sequence[Effects], group: Tensor, judged: slice
) -> tuple[float, float]:
    found = [held_out_error(fit, train, test, group) for fit, (train, test) in zip(fits, folds, strict=True)]
    return float(sum(e[judged].sum() for e, _ in found)), float(sum(b[judged].sum() for _, b in found))


def _valid(sums: Sums) -> Tensor:
    """(S, T) whether a slot has that token."""
    return torch.arange(sums.token.shape[1])[None] < sums.lengths[:, None]


def _origin(sums: Sums, judged: slice) -> Tensor:
    """The mean of all tokens (d,)."""
    return sums.token[judged].sum((0, 1)) / (sums.count * sums.lengths)[judged].sum()


def _spread(sums: Sums, origin: Tensor, judged: slice) -> float:
    """Σ‖x − origin‖² over all tokens, with origin their mean."""
    return float(sums.square[judged].sum() - (sums.count * sums.lengths)[judged].sum() * origin.square().sum())


def _directions(fitted: Effects, sums: Sums, origin: Tensor) -> Tensor:
    """Return the right singular vectors (·, d) of all means and effects, each weighted by how much it is used."""
    means = ((fitted.mean - origin) * sums.count.sqrt()[:, None, None])[_valid(sums)]
    used = sums.centred()[0].diagonal(dim1=1, dim2=2).clamp(min=0).sqrt()[..., None]
    shared = fitted.shared * used.square().mean(0).sqrt()
    rows = torch.cat([means, (fitted.own * used).flatten(0, 1), shared.flatten(0, 1)])
    return torch.linalg.svd(rows, full_matrices=False).Vh


def _narrow(fitted: Effects, decoder: Tensor, origin: Tensor) -> Effects:
    project = lambda x: x @ decoder.T @ decoder  # noqa: E731
    valid = (fitted.mean != 0).any(-1, keepdim=True)
    return Effects(
        torch.where(valid, origin + project(fitted.mean - origin), 0), project(fitted.shared), project(fitted.own)
    )


def _error_at(
    folds: Sequence[tuple[Sums, Sums]],
    fits: Sequence[Effects],
    group: Tensor,
    judged: slice,
    decoder: Tensor,
    origin: Tensor,
    width: int,
) -> float:
    """Return the held-out error with codes of a width."""
    return _error(folds, [_narrow(fit, decoder[:width], origin) for fit in fits], group, judged)[0]


def _rank(most: int, at_width: Callable[[int], float], error: float) -> int:
    """Bisect for the smallest width whose held-out error is within the slack of the full one."""
    low, high = 1, most
    while low < high:
        middle = (low + high) // 2
        if at_width(middle) <= error * (1 + RANK_SLACK):
            high = middle
        else:
            low = middle + 1
    return low
