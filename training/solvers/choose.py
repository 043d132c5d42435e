"""Every group's ridges by its own held-out error, judged in a random sketch of the columns (docs/method.md, 5).

Letters: K concepts, q columns of the sketch, b equations at a time.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, Self

import torch
from einops import rearrange, reduce
from torch import Tensor

from ...supsae_core.capture.kept import Samples, Summed
from ...supsae_core.capture.statistics import FOLDS, Statistics
from ...supsae_core.stopping import heed
from .by_samples import SampleGroup
from .effects import NEVER, Commons, Ridges
from .eigen import eigh
from .groups import Groups
from .held_out import Fold, Judged, folds_of

SKETCH = 512
"""Columns of the sketch: a sum of squares over all columns is right in the mean, and to about √(2 / 512) = 6 % of what
two candidates differ in."""


class Candidates(Protocol):
    """The strengths that are tried."""

    @property
    def common_ridges(self) -> Sequence[float]: ...
    @property
    def shared_ridges(self) -> Sequence[float]: ...
    @property
    def own_ridges(self) -> Sequence[float]: ...


def choose(statistics: Summed, groups: Groups, config: Candidates) -> Ridges:
    """Choose every group's ridges by its own held-out error: common and shared first, then own."""
    seen = sketched(statistics)
    commons = [Commons(seen, fold) for fold in range(FOLDS)]
    starts = [[common(strength) for strength in config.common_ridges] for common in commons]
    found = []
    for group in range(groups.count):
        slots = groups.slots(group)
        if not slots:
            found.append((NEVER, NEVER, NEVER))
        elif isinstance(seen, Samples) and seen.many:
            found.append(_of_samples(SampleGroup.of(seen, slots), starts, config))
        else:
            found.append(_of_group(seen.of(slots), starts, config))
    return Ridges(*(torch.tensor(some, dtype=torch.float64) for some in zip(*found, strict=True)))


def sketched(statistics: Summed) -> Summed:
    """Return the statistics with columns added up at random, by random signs: products keep their expectation."""
    columns = statistics.sums.token.shape[-1]
    if columns <= SKETCH:
        return statistics
    generator = torch.Generator().manual_seed(0)
    buckets = torch.randperm(columns, generator=generator) % SKETCH
    return statistics.folded(buckets, torch.randint(0, 2, (columns,), generator=generator) * 2.0 - 1, SKETCH)


def _of_group(part: Statistics, starts: Sequence[Sequence[Tensor]], config: Candidates) -> tuple[float, float, float]:
    """Choose for the slots of one group.

    Args:
        starts: per fold, the common effects (K, q) by every candidate.
    """
    heed()
    folds = [Held.of(fold) for fold in folds_of(part)]
    pairs = [(common, shared) for common in range(len(config.common_ridges)) for shared in config.shared_ridges]
    errors = torch.zeros(len(pairs), dtype=torch.float64)
    for held, start in zip(folds, starts, strict=True):
        errors += torch.cat([held.shared(one).errors(config.shared_ridges)[:, 0] for one in start])
    common, shared = pairs[int(errors.argmin())]
    errors = torch.zeros(len(config.own_ridges), dtype=torch.float64)
    if len(part.lengths) > 1:  # one that is alone has nothing to deviate from
        for held, start in zip(folds, starts, strict=True):
            fitted = start[common].to(part.gram.dtype) + held.shared(start[common]).solved(shared)
            errors += held.own(fitted[0]).errors(config.own_ridges).sum(1)
    return config.common_ridges[common], shared, config.own_ridges[int(errors.argmin())]


def _of_samples(
    group: SampleGroup, starts: Sequence[Sequence[Tensor]], config: Candidates
) -> tuple[float, float, float]:
    """Choose for the slots of one group, by its samples; arguments as of ``_of_group``."""
    pairs = [(common, shared) for common in range(len(config.common_ridges)) for shared in config.shared_ridges]
    errors = torch.zeros(len(pairs), dtype=torch.float64)
    for fold, start in enumerate(starts):
        gram, cross = group.equations(fold)
        judged, turn = group.judged(fold), Turned.of(gram[None])
        steps = (Step.of(turn, cross[None], one, judged) for one in start)
        errors += torch.cat([step.errors(config.shared_ridges)[:, 0] for step in steps]).double()
    common, shared = pairs[int(errors.argmin())]
    errors = torch.zeros(len(config.own_ridges), dtype=torch.float64)
    for fold, start in enumerate(starts if len(group.sums.lengths) > 1 else ()):
        fit = group.fit(start[common], shared, fold)
        weights = group.weights(fold).tolist()
        for slot, where, step in group.own_steps(fit, 0.0):
            test = ~fit.seen[where]
            labels, rows = fit.labels[where][test], fit.rows[where][test]
            errors += weights[slot] * step.errors(config.own_ridges, labels, rows).double()
    return config.common_ridges[common], shared, config.own_ridges[int(errors.argmin())]


class Held(NamedTuple):
    """A fold of a group's slots: what the others fit, ready for any strength, and what it is held against."""

    gram: Tensor
    """(s, K, K)"""
    cross: Tensor
    """(s, K, q)"""
    judged: Judged

    @classmethod
    def of(cls, fold: Fold) -> Self:
        return cls(*fold.train.centred(), Judged.of(fold.train.mean_token, *fold))

    def shared(self, start: Tensor) -> "Step":
        """Return the step of the whole group from effects (K, q)."""
        gram, cross = (reduce(one, "s k x -> 1 k x", "sum") for one in (self.gram, self.cross))
        return Step.of(Turned.of(gram), cross, start, self.judged.together())

    def own(self, start: Tensor) -> "Step":
        """Return the step of each slot from effects (K, q)."""
        return Step.of(Turned.of(self.gram), self.cross, start, self.judged)


class Turned(NamedTuple):
    """A gram by its eigenvectors."""

    gram: Tensor
    """(b, K, K), as ``vectors``"""
    values: Tensor
    """(b, K)"""
    vectors: Tensor

    @classmethod
    def of(cls, gram: Tensor) -> Self:
        return cls(gram, *eigh(gram))


class Step(NamedTuple):
    """A ridge step whose held-out error is known at every strength, by one eigendecomposition of its gram."""

    values: Tensor
    """(b, K) of the gram"""
    vectors: Tensor
    """(b, K, K)"""
    turned: Tensor
    """(b, K, q) what the start leaves, along the vectors"""
    begun: Tensor
    """(b,) the error of the start"""
    linear: Tensor
    """(b, K)"""
    quadratic: Tensor
    """(b, K, K)"""

    @classmethod
    def of(cls, turn: Turned, cross: Tensor, start: Tensor, judged: Judged) -> Self:
        """Begin at effects (K, q)."""
        gram, values, vectors = turn
        start = start.to(gram.dtype)
        turned = vectors.mT @ (cross - gram @ start)
        slope = start.expand_as(cross)
        # With w along the vectors, ‖r − (start + w)ᵀa‖² has these three terms in w.
        linear = turned * (vectors.mT @ (judged.gram @ slope - judged.cross))
        quadratic = (vectors.mT @ judged.gram @ vectors) * (turned @ turned.mT)
        return cls(values, vectors, turned, judged.left(slope), reduce(linear, "b k q -> b k", "sum"), quadratic)

    def errors(self, strengths: Sequence[float]) -> Tensor:
        """Return the held-out errors (strengths, b)."""
        found = []
        for strength in strengths:
            w = self._weights(strength)
            squares = (rearrange(w, "b k -> b k 1") * self.quadratic * rearrange(w, "b k -> b 1 k")).sum((1, 2))
            found.append(self.begun + 2 * (w * self.linear).sum(1) + squares)
        return torch.stack(found)

    def solved(self, strength: float) -> Tensor:
        """Return the step (b, K, q)."""
        return self.vectors @ (rearrange(self._weights(strength), "b k -> b k 1") * self.turned)

    def _weights(self, strength: float) -> Tensor:
        return 1 / (self.values.clamp(min=0) + strength) if strength < NEVER else torch.zeros_like(self.values)
