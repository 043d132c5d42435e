"""The fit of one group of slots and its held-out error, of the samples themselves.

What ``effects.of_group`` and ``held_out.Judged`` do with sums a slot, here without them: nothing has slots × concepts ×
concepts or slots × concepts × columns numbers, so that many concepts cost what their samples do. Letters: K concepts,
s slots of the group, n samples of theirs, d columns, F folds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from einops import rearrange, reduce
from torch import Tensor

from ...supsae_core.capture.kept import Samples
from ...supsae_core.capture.statistics import FOLDS, Statistics, Sums
from ...supsae_core.stopping import heed
from .effects import NEVER, ridge
from .held_out import Judged
from .own import OwnStep

Start = Callable[[float], Tensor]
"""What context does to any token (K, d), by its ridge; as ``Commons``."""


class Strengths(NamedTuple):
    """The ridges of one group."""

    common: float
    shared: float
    own: float


class HeldOut(NamedTuple):
    """What a fit leaves of a fold it has not seen, column by column; of judged slots alone."""

    square: Tensor
    """() Σ‖x‖²"""
    moved: Tensor
    """(d,) what the fit's means change of that"""
    changed: Tensor
    """(d,) what its effects change of it then"""


class GroupFit(NamedTuple):
    """What is fitted on all folds but one, or on all."""

    total: Sums
    """of the slots, without products of labels"""
    labels: Tensor
    """(n, K), as ``rows``: of all samples about the fit's means, weighted"""
    rows: Tensor
    """(n, d) less what the group's effects say"""
    before: Tensor
    """(n, d) before that"""
    shared: Tensor
    """(K, d)"""
    seen: Tensor
    """(n,) which samples are of the fit"""


@dataclass(frozen=True)
class SampleGroup:
    """The samples of a group, one slot's behind the other's, about their slots' means. Built per group and dropped."""

    sums: Statistics
    """of the slots, without products of labels"""
    folds: Tensor
    """(n,)"""
    slots: Tensor
    """(n,) from 0"""
    roots: Tensor
    """(n, 1) √ of how many samples each stands for"""
    labels: Tensor
    """(n, K), as ``rows`` times the root"""
    rows: Tensor
    """(n, d) means of tokens"""
    gram: Tensor
    """(F, K, K) Σ of labels with labels, and with rows"""
    cross: Tensor
    """(F, K, d)"""

    @classmethod
    def of(cls, samples: Samples, slots: Sequence[int]) -> SampleGroup:
        """Take the samples of some slots."""
        heed()
        number = torch.full(samples.lengths.shape, -1)
        number[list(slots)] = torch.arange(len(slots))
        (batch,), kind = samples.joined().batches, samples.dtype
        at = (number[batch.slots] >= 0).nonzero()[:, 0]
        own = batch.where(at[number[batch.slots[at]].argsort(stable=True)])
        sums, where = samples.sums.of(slots), number[own.slots]
        total, roots = sums.total(), rearrange(own.times.to(kind).sqrt(), "n -> n 1")
        labels = (own.labels.to(kind) - total.mean_label.to(kind)[where]) * roots
        rows = own.means.to(kind) / roots - roots * _average(total).to(kind)[where]
        shape = FOLDS, labels.shape[1]
        gram, cross = labels.new_zeros(*shape, shape[1]), rows.new_zeros(*shape, rows.shape[1])
        for fold in range(FOLDS):
            a = labels[own.folds == fold]
            gram[fold], cross[fold] = a.T @ a, a.T @ rows[own.folds == fold]
        return cls(sums, own.folds, where, roots, labels, rows, gram, cross)

    @cached_property
    def totals(self) -> dict[int | None, Sums]:
        """The slots' sums without each fold, and (None) of all."""
        return {without: self.sums.total(without) for without in (None, *range(FOLDS))}

    @cached_property
    def _shifts(self) -> dict[int | None, tuple[Tensor, Tensor]]:
        """What the means of labels (s, K) and rows (s, d) are less those of all folds."""
        means = {without: (one.mean_label, _average(one)) for without, one in self.totals.items()}
        label, row = means[None]
        kinds = self.labels.dtype, self.rows.dtype
        return {without: ((a - label).to(kinds[0]), (x - row).to(kinds[1])) for without, (a, x) in means.items()}

    def equations(self, without: int | None) -> tuple[Tensor, Tensor]:
        """Return the gram (K, K) and cross (K, d) of all slots together, each about its own means."""
        total, (label, row) = self.totals[without], self._shifts[without]
        kept = [fold for fold in range(FOLDS) if fold != without]
        counted = (rearrange(total.count, "s -> s 1").to(label.dtype) * label).T
        return self.gram[kept].sum(0) - counted @ label, self.cross[kept].sum(0) - counted @ row

    def about(self, without: int | None) -> tuple[Tensor, Tensor]:
        """Return labels (n, K) and rows (n, d) of all samples about the means without a fold."""
        if without is None:
            return self.labels, self.rows
        label, row = self._shifts[without]
        return self.labels - self.roots * label[self.slots], self.rows - self.roots * row[self.slots]

    def fit(self, common: Tensor, strength: float, without: int | None = None) -> GroupFit:
        """Fit the effects that the group's slots share, from those that are common to all (K, d)."""
        (gram, cross), (labels, rows) = self.equations(without), self.about(without)
        common = common.to(gram.dtype)
        shared = common + ridge(gram, cross - gram @ common, strength)
        seen = self.folds != (FOLDS if without is None else without)
        return GroupFit(self.totals[without], labels, rows - labels @ shared, rows, shared, seen)

    def own_steps(self, fit: GroupFit, strength: float) -> Iterator[tuple[int, slice, OwnStep]]:
        """Yield what deviates: number of a slot, where its samples are, and its step; one alone deviates by nothing."""
        if len(self.sums.lengths) > 1 and strength < NEVER:
            ends = torch.bincount(self.slots, minlength=len(self.sums.lengths)).cumsum(0).tolist()
            for slot, (first, last) in enumerate(zip([0, *ends], ends, strict=False)):
                seen = fit.seen[first:last]
                if seen.any():
                    heed()
                    step = OwnStep.of(fit.labels[first:last][seen], fit.rows[first:last][seen])
                    yield slot, slice(first, last), step

    def weights(self, without: int) -> Tensor:
        """Return (s,) what a sample of a fold counts: its tokens, and nothing in a slot that the others never saw."""
        lengths = self.sums.lengths.clamp(min=1).to(self.rows.dtype)
        return lengths * (self.totals[without].count > 0)

    def judged(self, without: int) -> Judged:
        """Hold the means of all folds but one against that one, all slots as one."""
        total, test, (label, row) = self.totals[without], self.folds == without, self._shifts[without]
        trained, slots, roots = total.count > 0, self.slots[test], self.roots[test]
        weights = rearrange(self.weights(without)[slots].sqrt(), "n -> n 1")
        a, x = (self.labels[test] - roots * label[slots]) * weights, (self.rows[test] - roots * row[slots]) * weights
        square = (self.sums.square[without] * trained).sum()
        moved = _moved(total, self.sums.fold(without))[trained].sum(0)
        return Judged(square[None], moved[None].to(x.dtype), (a.T @ a)[None], (a.T @ x)[None])

    def held(self, common: Tensor, strengths: Strengths, without: int, inside: Tensor) -> HeldOut:
        """Return what the fit to all folds but one leaves of that one, of some slots (s,)."""
        fit = self.fit(common, strengths.shared, without)
        test, some = ~fit.seen, (fit.total.count > 0) & inside
        left = fit.rows.clone()
        for _, where, step in self.own_steps(fit, strengths.own):
            index = test[where].nonzero()[:, 0] + where.start
            left[index] -= step.said(fit.labels[index], strengths.own)
        weights = rearrange((self.weights(without) * inside)[self.slots[test]], "n -> n 1")
        changed = reduce(weights * (left[test].square() - fit.before[test].square()), "n d -> d", "sum")
        moved = reduce(_moved(fit.total, self.sums.fold(without))[some], "s d -> d", "sum")
        return HeldOut(self.sums.square[without][some].sum(), moved, changed.double())


def _average(total: Sums) -> Tensor:
    """Return (s, d) the mean of a slot's tokens."""
    return total.heard / rearrange(total.count.clamp(min=1), "s -> s 1")


def _moved(train: Sums, test: Sums) -> Tensor:
    """Return (s, d) what training means change of Σ‖x‖² of a fold; as ``Judged.of``."""
    mean = train.mean_token
    return reduce(mean * (rearrange(test.count, "s -> s 1 1") * mean - 2 * test.token), "s t d -> s d", "sum")
