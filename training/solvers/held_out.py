"""Held-out error over the folds, exactly and from sums alone (docs/method.md, 6).

Letters: K concepts, S slots, T tokens, d columns.
"""

from collections.abc import Sequence
from typing import NamedTuple, Self

import torch
from einops import einsum, rearrange, reduce
from torch import Tensor

from ...supsae_core.capture.kept import Summed
from ...supsae_core.capture.statistics import FOLDS, Statistics, Sums
from ...supsae_core.stopping import heed
from .effects import Effects
from .groups import Groups


class Fold(NamedTuple):
    """One part of the prompts, and all the others."""

    train: Sums
    test: Sums


class Error(NamedTuple):
    """Squared errors, summed."""

    left: float
    """Σ‖x − x̂‖²"""
    base: float
    """Σ‖x − the mean of the token in its slot‖²"""


def folds_of(statistics: Statistics) -> list[Fold]:
    """Return every fold with the sum of the others."""
    return [Fold(statistics.total(without=fold), statistics.fold(fold)) for fold in range(FOLDS)]


class Judged(NamedTuple):
    """A fold that a fit's means are held against: what is left does not yet say which effects the fit has."""

    square: Tensor
    """(S,) Σ‖x‖² of the fold"""
    moved: Tensor
    """(S, d) what the fit's own means change of that, column by column"""
    gram: Tensor
    """(S, K, K) Σ (a − ā)(a − ā)ᵀ, the mean context ā that of the training folds"""
    cross: Tensor
    """(S, K, d) Σ (a − ā)(x − mean)ᵀ, x the mean of a sample's tokens"""

    @classmethod
    def of(cls, mean: Tensor, train: Sums, test: Sums) -> Self:
        """Hold means (S, T, d) against a fold; slots that the training folds never saw count nothing."""
        centre, count, label = train.mean_label, test.count, test.label
        tokens = test.lengths.clamp(min=1).to(mean.dtype)
        average = reduce(mean, "s t d -> s d", "sum") / rearrange(tokens, "s -> s 1")
        # ‖x − mean‖² = ‖x‖² − 2 x·mean + ‖mean‖², summed over samples and tokens.
        number = rearrange(count, "s -> s 1 1")
        moved = reduce(mean * (number * mean - 2 * test.token), "s t d -> s d", "sum")
        # The test's sums about the training means. Those means are not the test's own, so all four terms of each
        # product stay.
        both = einsum(label, centre, "s k, s l -> s k l")
        gram = test.gram - both - both.mT + number * einsum(centre, centre, "s k, s l -> s k l")
        off = label - rearrange(count, "s -> s 1") * centre
        cross = test.cross - einsum(centre, test.heard, "s k, s d -> s k d") - einsum(off, average, "s k, s d -> s k d")
        trained = train.count > 0
        # One effect for all tokens of a phrase: each counts as often as there are tokens.
        weight = rearrange(tokens * trained, "s -> s 1 1")
        return cls(test.square * trained, moved * rearrange(trained, "s -> s 1"), weight * gram, weight * cross)

    @property
    def base(self) -> Tensor:
        """(S,) Σ‖x − the fit's own mean of the token‖²"""
        return self.square + reduce(self.moved, "s d -> s", "sum")

    def together(self) -> Self:
        """Return the same of all slots as one, for effects that they share."""
        return type(self)(*(one.sum(0, keepdim=True) for one in self))

    def changed(self, slope: Tensor) -> Tensor:
        """Return what a fit with effects (S, K, d) changes of Σ‖x‖², column by column (S, d)."""
        # Σ‖r − Wᵀa‖² − Σ‖r‖² = −2 ⟨W, Σ a rᵀ⟩ + ⟨W, Σ a aᵀ W⟩
        return self.moved + reduce(slope * (self.gram @ slope - 2 * self.cross), "s k d -> s d", "sum")

    def left(self, slope: Tensor) -> Tensor:
        """Return Σ‖x − x̂‖² per slot (S,) with effects (S, K, d), exactly, from sums."""
        return self.square + reduce(self.changed(slope), "s d -> s", "sum")


def held_out_error(fitted: Effects, train: Sums, test: Sums, group: Tensor) -> tuple[Tensor, Tensor]:
    """Return Σ‖x − x̂‖² and Σ‖x − the fit's own mean of the token‖² per slot (S,), exactly, from sums.

    Args:
        train: sums whose mean context the means of ``fitted`` refer to.
        group: (S,) group of every slot.
    """
    heed()
    judged = Judged.of(fitted.mean, train, test)
    return judged.left(fitted.of(group)), judged.base


def error_over(folds: Sequence[Fold], fits: Sequence[Effects], groups: Groups) -> Error:
    """Sum the errors of every fold under the fit of the others, over the slots that are judged."""
    found = [held_out_error(fit, fold.train, fold.test, groups.of) for fit, fold in zip(fits, folds, strict=True)]
    left = sum(float(one[groups.judged].sum()) for one, _ in found)
    return Error(left, sum(float(one[groups.judged].sum()) for _, one in found))


def base_over(folds: Sequence[Fold], groups: Groups) -> float:
    """Sum the errors of the slots' own training means over the slots that are judged: what effects are held against."""
    concepts, columns = folds[0].train.cross.shape[1:]
    shared = torch.zeros(groups.count, concepts, columns, dtype=torch.float64)
    own = torch.zeros(len(groups.of), concepts, columns, dtype=torch.float64)
    fits = [Effects(fold.train.mean_token, shared, own) for fold in folds]
    return error_over(folds, fits, groups).base


def require_enough(base: float) -> None:
    """Refuse a part of which nothing was held out that had been seen in training."""
    if not base:
        raise ValueError(
            "Too few prompts to fit: no phrase occurs in two of the five parts that the prompts are divided into. "
            "Capture more prompts, or with a higher mention rate."
        )


def origin_of(total: Sums, judged: slice) -> Tensor:
    """Return the mean of all tokens (d,) of some slots."""
    return reduce(total.token[judged], "s t d -> d", "sum") / _tokens(total, judged)


def measured(found: Error, statistics: Summed, judged: slice, width: int) -> dict[str, float]:
    """Return what every solver reports of a part.

    Returns:
        ``fvu_slot``: share of the variance about the slots' means that is left, which judges the effects of context;
        ``fvu_token``: about the mean of all tokens; ``fvu_token_constant``: the same of the slots' means alone;
        ``rank``: code width; ``label_rank``: of the centred labels, K if every effect is identified.
    """
    total = statistics.sums.total()
    origin = origin_of(total, judged)
    # Σ‖x − origin‖², with origin the mean
    around = float(total.square[judged].sum() - _tokens(total, judged) * origin.square().sum())
    return {
        "fvu_slot": found.left / found.base,
        "fvu_token": found.left / around,
        "fvu_token_constant": found.base / around,
        "rank": float(width),
        "label_rank": float(torch.linalg.matrix_rank(statistics.over_slots()[0].sum(0))),
    }


def _tokens(total: Sums, judged: slice) -> Tensor:
    """How many tokens were summed up in some slots, a scalar."""
    return (total.count * total.lengths)[judged].sum()
