"""Streaming sufficient statistics of slots: what a linear fit, its held-out error and its rank need, nothing more.

Letters (docs/method.md, 1): K concepts, d columns, T tokens, a (K,) context of a row, x (d,) the row. Folds make
held-out errors exact without a second pass; everything adds, so captures and machines merge by ``+``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from einops import einsum, rearrange, reduce
from torch import Tensor
from torch.nn import functional as F

FOLDS = 5
FOLDED = ("count", "label", "gram", "token", "cross", "square")
"""What is summed up fold by fold."""


def fold_of(text: str) -> int:
    """Return the fold of a prompt, by hash: the same in every run and on every machine."""
    return hashlib.sha256(text.encode()).digest()[0] % FOLDS


@dataclass(frozen=True)
class Statistics:
    """Sums over samples of a slot, per fold (F) and slot (S); float64."""

    count: Tensor
    """(F, S) samples."""
    label: Tensor
    """(F, S, K) Σ a"""
    gram: Tensor
    """(F, S, K, K) Σ a aᵀ"""
    token: Tensor
    """(F, S, T, d) Σ x_j"""
    cross: Tensor
    """(F, S, K, d) Σ a (mean_j x_j)ᵀ"""
    square: Tensor
    """(F, S) Σ Σ_j ‖x_j‖²"""
    lengths: Tensor
    """(S,) tokens of a slot; 0 where it never occurred"""

    @classmethod
    def zeros(cls, slots: int, concepts: int, tokens: int, width: int) -> Statistics:
        """Return empty sums; ``tokens`` is T, of the longest slot."""
        new = lambda *shape: torch.zeros(shape, dtype=torch.float64)  # noqa: E731
        return cls(
            new(FOLDS, slots), new(FOLDS, slots, concepts), new(FOLDS, slots, concepts, concepts),
            new(FOLDS, slots, tokens, width), new(FOLDS, slots, concepts, width), new(FOLDS, slots),
            torch.zeros(slots, dtype=torch.int64),
        )  # fmt: skip

    def __add__(self, other: Statistics) -> Statistics:
        one, two = ((*stats.token.shape, stats.label.shape[-1]) for stats in (self, other))
        if one != two:
            raise ValueError(f"Statistics of {one} and {two} folds, slots, tokens, columns and concepts do not add.")
        sums = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self) if f.name != "lengths"}
        return Statistics(**sums, lengths=torch.maximum(self.lengths, other.lengths))

    def add(self, fold: int, slot: int, labels: Tensor, rows: Tensor) -> None:
        """Add n samples of one slot in place: labels (n, K), zeros and ones, and rows (n, T of the slot, d)."""
        a, x = labels.double(), rows.double()
        tokens = x.shape[1]
        self.count[fold, slot] += len(a)
        self.label[fold, slot] += a.sum(0)
        self.gram[fold, slot] += a.T @ a
        self.token[fold, slot, :tokens] += x.sum(0)
        self.cross[fold, slot] += a.T @ x.mean(1)
        self.square[fold, slot] += x.square().sum()
        self.lengths[slot] = tokens

    def scatter(self, folds: Tensor, slots: Tensor, labels: Tensor, rows: Tensor, lengths: Tensor) -> None:
        """Add n samples of many slots in place.

        Args:
            folds: (n,), as ``slots`` and ``lengths``, the tokens of each.
            labels: (n, K)
            rows: (R, d) the tokens of all samples, one behind the other.
        """
        sample = torch.arange(len(slots)).repeat_interleave(lengths)
        squares = torch.zeros(len(slots), dtype=torch.float64)
        squares.index_add_(0, sample, reduce(rows.double().square(), "r d -> r", "sum"))
        times = torch.ones_like(squares)
        means = self.scatter_sums(folds, slots, labels, rows, lengths, times, squares)
        self.multiply(folds * self.count.shape[1] + slots, labels.double(), times, means)

    def scatter_sums(
        self, folds: Tensor, slots: Tensor, labels: Tensor, rows: Tensor, lengths: Tensor, times: Tensor,
        squares: Tensor,
    ) -> Tensor:  # fmt: skip
        """Add n samples in place, all but products of labels; return the means of their tokens (n, d).

        Args:
            folds: (n,), as ``slots``, ``lengths``, ``times`` and ``squares``; other arguments as of ``scatter``.
            times: samples with the same labels that each stands for, with the sum of their rows.
            squares: Σ‖x‖² over the rows of each.
        """
        at, x, number = folds * self.count.shape[1] + slots, rows.double(), times.double()
        count, label, square = (getattr(self, name).flatten(0, 1) for name in ("count", "label", "square"))  # views
        count.index_add_(0, at, number)
        label.index_add_(0, at, rearrange(number, "n -> n 1") * labels.double())
        square.index_add_(0, at, squares)
        sample = torch.arange(len(at)).repeat_interleave(lengths)
        first = (lengths.cumsum(0) - lengths)[sample]
        tokens = at[sample] * self.token.shape[2] + torch.arange(len(sample)) - first
        self.token.flatten(0, 2).index_add_(0, tokens, x)
        self.lengths[slots] = lengths
        means = x.new_zeros(len(at), x.shape[1]).index_add_(0, sample, x)
        return means / rearrange(lengths, "n -> n 1")

    def multiply(self, at: Tensor, labels: Tensor, times: Tensor, means: Tensor) -> None:
        """Add products of labels (n, K) with themselves, ``times`` (n,) each, and with means (n, d), in place.

        Args:
            at: (n,) fold · S + slot of every sample.
        """
        gram, cross = self.gram.flatten(0, 1), self.cross.flatten(0, 1)
        places, sizes = at.sort()[0].unique_consecutive(return_counts=True)
        for place, index in zip(places.tolist(), at.argsort(stable=True).split(sizes.tolist()), strict=True):
            own = labels[index]
            gram[place] += (times[index] * own.T) @ own
            cross[place].addmm_(own.T, means[index])

    def lengthened(self, tokens: int) -> Statistics:
        """Return the sums with room for slots of more tokens."""
        more = tokens - self.token.shape[2]
        return self if not more else replace(self, token=F.pad(self.token, (0, 0, 0, more)))

    def of(self, slots: Sequence[int]) -> Statistics:
        """Return the sums of some slots; of neighbours they are views."""
        first, last = slots[0], slots[-1] + 1
        index = slice(first, last) if last - first == len(slots) else list(slots)
        return Statistics(**{name: getattr(self, name)[:, index] for name in FOLDED}, lengths=self.lengths[index])

    def to(self, dtype: torch.dtype) -> Statistics:
        """Return the sums in another precision."""
        return Statistics(**{name: getattr(self, name).to(dtype) for name in FOLDED}, lengths=self.lengths)

    def whole(self) -> Statistics:
        """Return these sums; what keeps samples instead makes them here."""
        return self

    @property
    def sums(self) -> Statistics:
        """Return all that is no product of labels."""
        return self

    def in_codes(self, decoder: Tensor, origin: Tensor) -> Statistics:
        """Return the sums of codes (x − origin) Wᵀ of the rows x; their squares are those of x − origin.

        Args:
            decoder: W (q, d), orthonormal rows.
            origin: (d,)
        """
        offset, number = decoder @ origin, rearrange(self.count, "f s -> f s 1 1")
        inside = rearrange(tokens_of(self.lengths, self.token.shape[2]), "s t -> s t 1")
        heard = reduce(self.token, "f s t d -> f s d", "sum")
        return replace(
            self,
            token=self.token @ decoder.T - number * inside * offset,
            cross=self.cross @ decoder.T
            - rearrange(self.label[..., : self.cross.shape[2]], "f s k -> f s k 1") * offset,
            square=self.square - 2 * heard @ origin + self.count * self.lengths * origin.square().sum(),
        )

    def folded(self, buckets: Tensor, signs: Tensor, width: int) -> Statistics:
        """Return the sums of rows whose columns are added up, with ``signs`` (d,), in ``buckets`` (d,) of so many."""
        return replace(
            self, token=folded(self.token, buckets, signs, width), cross=folded(self.cross, buckets, signs, width)
        )

    def over_slots(self) -> tuple[Tensor, Tensor]:
        """Return, per fold, Σ a aᵀ (F, K, K) and Σ a xᵀ (F, K, d) over the samples of all slots."""
        return reduce(self.gram, "f s k l -> f k l", "sum"), reduce(self.cross, "f s k d -> f k d", "sum")

    def total(self, without: int | None = None) -> Sums:
        """Sum the folds, all or all but one."""
        return self._sums([fold for fold in range(FOLDS) if fold != without])

    def without(self, index: int) -> Statistics:
        """Return the same without what a fold's samples added."""
        sums = {name: getattr(self, name).clone() for name in FOLDED}
        for one in sums.values():
            one[index] = 0
        return replace(self, **sums)

    def fold(self, index: int) -> Sums:
        """Return one fold's sums."""
        return self._sums([index])

    def _sums(self, keep: Sequence[int]) -> Sums:
        return Sums(**{name: getattr(self, name)[list(keep)].sum(0) for name in FOLDED}, lengths=self.lengths)


def tokens_of(lengths: Tensor, most: int) -> Tensor:
    """Tell which of ``most`` tokens slots of some ``lengths`` (S,) have: (S, most)."""
    return torch.arange(most) < rearrange(lengths, "s -> s 1")


def folded(x: Tensor, buckets: Tensor, signs: Tensor, width: int) -> Tensor:
    """Return x (…, d) with its columns added up, with ``signs`` (d,), in ``buckets`` (d,) of so many."""
    return x.new_zeros(*x.shape[:-1], width).index_add_(-1, buckets, x * signs.to(x.dtype))


@dataclass(frozen=True)
class Sums:
    """``Statistics`` with the folds summed: the same fields without the leading axis."""

    count: Tensor
    label: Tensor
    gram: Tensor
    token: Tensor
    cross: Tensor
    square: Tensor
    lengths: Tensor

    @property
    def mean_label(self) -> Tensor:
        """(S, K)"""
        return self.label / rearrange(self.count.clamp(min=1), "s -> s 1")

    @property
    def mean_token(self) -> Tensor:
        """(S, T, d)"""
        return self.token / rearrange(self.count.clamp(min=1), "s -> s 1 1")

    @property
    def valid(self) -> Tensor:
        """(S, T) whether a slot has that token"""
        return tokens_of(self.lengths, self.token.shape[1])

    @property
    def heard(self) -> Tensor:
        """(S, d) Σ over samples of the mean of their tokens"""
        return reduce(self.token, "s t d -> s d", "sum") / rearrange(self.lengths.clamp(min=1), "s -> s 1")

    def centred(self) -> tuple[Tensor, Tensor]:
        """Return the gram (S, K, K) and cross (S, K, d) about each slot's own means."""
        label, count = self.mean_label, rearrange(self.count, "s -> s 1 1")
        # Σ (a − ā)(a − ā)ᵀ = Σ a aᵀ − n ā āᵀ, and the same of labels and tokens.
        gram = self.gram - count * rearrange(label, "s k -> s k 1") * rearrange(label, "s l -> s 1 l")
        return gram, self.cross - einsum(label, self.heard, "s k, s d -> s k d")
