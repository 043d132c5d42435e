"""Samples in the place of their sums: smaller wherever a concept is heard by few of a slot's samples.

Sums of labels with rows are K · d numbers for each slot and fold; a sample is d, and K labels of one byte. What is
asked of either is the same, slot by slot.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property, partial
from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor

from .statistics import FOLDS, Statistics, Sums, folded

FEW = 64
"""Concepts above which nothing is made that has slots × concepts × concepts numbers."""
WIDE = 1024
"""Columns above which products of samples are made in single precision, and of many concepts always: half the time, and
samples are no better."""


class Batch(NamedTuple):
    """Some samples, as ``Statistics.scatter`` takes them."""

    folds: Tensor
    """(n,), as ``slots``"""
    slots: Tensor
    labels: Tensor
    """(n, K) uint8, zeros and ones"""
    means: Tensor
    """(n, d) the mean of a sample's tokens; of samples of one context the sum of these"""
    times: Tensor
    """(n,) how many samples that is"""

    def where(self, chosen: Tensor) -> Batch:
        """Return some of the samples (n,)."""
        return Batch(*(one[chosen] for one in self))


@dataclass(frozen=True)
class Samples:
    """The samples of a part; ``sums`` says all that is no product of labels."""

    sums: Statistics
    """without ``gram`` and ``cross``: both have no concepts"""
    batches: tuple[Batch, ...]
    dtype: torch.dtype = torch.float64
    """of the products that are made of them"""

    def __add__(self, other: Samples) -> Samples:
        return Samples(self.sums + other.sums, self.batches + other.batches, self.dtype)

    @classmethod
    def zeros(cls, slots: int, concepts: int, tokens: int, width: int) -> Samples:
        """Return no samples; ``tokens`` is T, of the longest slot."""
        with torch.device("meta"):
            empty = Statistics.zeros(slots, concepts, tokens, width)
        some = {
            f.name: torch.zeros(getattr(empty, f.name).shape, dtype=getattr(empty, f.name).dtype)
            for f in fields(empty)
            if f.name not in ("gram", "cross")
        }
        gram, cross = (torch.zeros(FOLDS, slots, 0, last, dtype=torch.float64) for last in (0, width))
        single = width > WIDE or concepts > FEW
        return cls(Statistics(**some, gram=gram, cross=cross), (), torch.float32 if single else torch.float64)

    def more(self, batch: Batch) -> Samples:
        """Return these samples and some more."""
        return replace(self, batches=(*self.batches, batch))

    def joined(self) -> Samples:
        """Return the same as one batch."""
        if len(self.batches) < 2:
            return self
        joined = (torch.cat(some) for some in zip(*self.batches, strict=True))
        return replace(self, batches=(Batch(*joined),))

    @property
    def many(self) -> bool:
        """Whether there are many concepts, so that a fit is made of the samples themselves."""
        return bool(self.batches) and self.sums.label.shape[-1] > FEW

    @property
    def lengths(self) -> Tensor:
        """(S,) tokens of a slot; 0 where it never occurred"""
        return self.sums.lengths

    def of(self, slots: Sequence[int]) -> Statistics:
        """Return the sums of some slots."""
        some, shape, concepts = self.sums.of(slots), (FOLDS, len(slots)), self.sums.label.shape[-1]
        some, new = some.to(self.dtype), partial(torch.zeros, dtype=self.dtype)
        made = replace(some, gram=new(*shape, concepts, concepts), cross=new(*shape, concepts, some.token.shape[-1]))
        number = torch.full(self.lengths.shape, -1)
        number[list(slots)] = torch.arange(len(slots))
        for batch in self.batches:
            own = batch.where(number[batch.slots] >= 0)
            at = own.folds * len(slots) + number[own.slots]
            made.multiply(at, *(one.to(self.dtype) for one in (own.labels, own.times, own.means)))
        return made

    def whole(self) -> Statistics:
        """Return the sums of all slots."""
        return self.of(range(len(self.lengths)))

    def in_codes(self, decoder: Tensor, origin: Tensor) -> Samples:
        """Return the samples' codes; as ``Statistics.in_codes``."""
        made, offset = list[Batch](), decoder @ origin
        for batch in self.batches:
            kind = batch.means.dtype
            codes = batch.means @ decoder.T.to(kind) - (rearrange(batch.times, "n -> n 1") * offset).to(kind)
            made.append(batch._replace(means=codes))
        return replace(self, sums=self.sums.in_codes(decoder, origin), batches=tuple(made))

    def narrowed(self, width: int) -> Samples:
        """Return the samples' first so many columns; squares stay those of all."""
        sums = replace(self.sums, token=self.sums.token[..., :width], cross=self.sums.cross[..., :width])
        return replace(self, sums=sums, batches=tuple(one._replace(means=one.means[:, :width]) for one in self.batches))

    def folded(self, buckets: Tensor, signs: Tensor, width: int) -> Samples:
        """Return the samples with their columns added up; as ``Statistics.folded``."""
        made = (batch._replace(means=folded(batch.means, buckets, signs, width)) for batch in self.batches)
        dtype = self.dtype if self.many else torch.float64
        return replace(self, sums=self.sums.folded(buckets, signs, width), batches=tuple(made), dtype=dtype)

    def over_slots(self) -> tuple[Tensor, Tensor]:
        """Return, per fold, Σ a aᵀ (F, K, K) and Σ a xᵀ (F, K, d) over the samples of all slots."""
        return self._over_slots

    @cached_property
    def _over_slots(self) -> tuple[Tensor, Tensor]:
        concepts, new = self.sums.label.shape[-1], self.sums.token.new_zeros
        gram, cross = new(FOLDS, concepts, concepts), new(FOLDS, concepts, self.sums.token.shape[-1])
        for batch in self.batches:
            for fold in range(FOLDS):
                own = batch.where(batch.folds == fold)
                a, times, means = (one.to(self.dtype) for one in (own.labels, own.times, own.means))
                gram[fold] += (times * a.T) @ a
                cross[fold] += a.T @ means
        return gram, cross

    def total(self, without: int | None = None) -> Sums:
        """Sum the folds, all or all but one."""
        return self.whole().total(without)

    def fold(self, index: int) -> Sums:
        """Return one fold's sums."""
        return self.whole().fold(index)


Summed = Statistics | Samples
"""What is known of the rows of a part; either adds, and either says the same."""
