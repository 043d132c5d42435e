"""Code width: the directions that means and effects need most, and how few of them do (docs/method.md, 7)."""

from collections.abc import Sequence

import torch
from einops import rearrange, reduce
from torch import Tensor

from ...supsae_core.capture.kept import Samples, Summed
from ...supsae_core.capture.statistics import FOLDS, Sums
from .by_samples import GroupFit, SampleGroup, Strengths
from .effects import Commons, Effects, Ridges, of_group
from .eigen import eigh
from .groups import Groups
from .held_out import Judged, folds_of

KEPT = 0.98
"""Share of every mean token's square that codes hold: reading tells phrases by them, whatever context explains."""
SLACK = 0.01
"""The code width is the smallest within this share of the full held-out error."""
ROWS = 1024
"""Rows, at most, that directions are taken of: of more, and wider ones, effects are mixed at random into fewer."""


def weights_of(statistics: Summed) -> Tensor:
    """Return how much context varies, √Σ(a_k − ā_k)² (S, K): what effects are weighted by."""
    sums = statistics.sums.total()
    # of zeros and ones Σ a² = Σ a
    return (sums.label - rearrange(sums.count, "s -> s 1") * sums.mean_label.square()).clamp(min=0).sqrt()


def weighted(fitted: Effects, sums: Sums, origin: Tensor, used: Tensor, shared: Tensor) -> tuple[Tensor, Tensor]:
    """Return means about an origin (d,), and effects, as rows (·, d): a mean once a sample, an effect as it varies.

    Args:
        used: (S, K) how much the context of a slot varies.
        shared: (K,) the same over all slots.
    """
    means = ((fitted.mean - origin) * rearrange(sums.count.sqrt(), "s -> s 1 1"))[sums.valid]
    own = rearrange(fitted.own * rearrange(used, "s k -> s k 1"), "s k d -> (s k) d")
    of_groups = rearrange(fitted.shared * rearrange(shared, "k -> k 1"), "g k d -> (g k) d")
    return means, torch.cat([one for one in (own, of_groups) if one.any()] or [means[:0]])


def weighted_products(
    group: SampleGroup, fit: GroupFit, strengths: Strengths, origin: Tensor, used: Tensor, shared: Tensor
) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
    """Return the same of a fit by samples, the effects as products; ``used`` (s, K) is of its slots."""
    total = fit.total
    means = ((total.mean_token - origin) * rearrange(total.count.sqrt(), "s -> s 1 1"))[total.valid]
    effects = [(shared.to(fit.shared).diag(), fit.shared)]
    for slot, _, step in group.own_steps(fit, strengths.own):
        left, right = step.factors(strengths.own)
        effects.append((left * rearrange(used[slot].to(left), "k -> k 1"), right))
    return means, effects


class SpanOfRows:
    """Takes rows (·, d), many of them, and gives the directions that lose least of them. Built per fit and dropped."""

    def __init__(self, columns: int, blocks: int) -> None:
        """Expect rows of so many columns, in so many blocks."""
        self._columns, self._most = columns, max(ROWS // blocks, 1)
        self._rows, self._product = list[Tensor](), None
        self._generator = torch.Generator().manual_seed(0)

    def add(self, means: Tensor, effects: Tensor) -> None:
        """Add a block: rows that are kept, and rows that may be mixed."""
        if self._columns > ROWS and len(effects) > self._most:
            mixing = torch.randn(self._most, len(effects), generator=self._generator, dtype=effects.dtype)
            effects = mixing @ effects / self._most**0.5
        self._keep(means, effects)

    def _keep(self, means: Tensor, effects: Tensor) -> None:
        self._rows += [means, effects]
        if self._product is not None or sum(map(len, self._rows)) > max(self._columns, 2 * ROWS):
            rows, self._rows = torch.cat(self._rows), []
            self._product = rows.T @ rows + (0 if self._product is None else self._product)

    def add_products(self, means: Tensor, effects: Sequence[tuple[Tensor, Tensor]]) -> None:
        """Add a block whose rows that may be mixed are products of left (m, p) and right (p, d)."""
        count = sum(len(left) for left, _ in effects)
        if self._columns <= ROWS or count <= self._most:
            self._keep(means, torch.cat([left @ right for left, right in effects]))
            return
        mixed = means.new_zeros(self._most, self._columns)
        for left, right in effects:
            draw = torch.randn(self._most, len(left), generator=self._generator, dtype=left.dtype)
            mixed += (draw @ left) @ right
        self._keep(means, mixed / self._most**0.5)

    def directions(self) -> Tensor:
        """Return them (·, d), orthonormal, most needed first."""
        if self._product is not None:
            return eigh(self._product)[1].T.flip(0)
        rows = torch.cat(self._rows)
        if len(rows) > self._columns:
            return eigh(rows.T @ rows)[1].T.flip(0)
        across = eigh(rows @ rows.T)[1].flip(1).T @ rows
        return torch.linalg.qr(across.T).Q.T  # they fall in size, so that one after another stays as it is


def curve(coded: Summed, groups: Groups, ridges: Ridges) -> Tensor:
    """Return the held-out error with every code width (q + 1,), from 0 on, over the slots that are judged.

    In orthonormal directions errors add up, so that the error with r of them is a sum over the first r.

    Args:
        coded: sums of codes (q,), about the mean of all tokens, with their rows' squares.
        ridges: of the fit.
    """
    judged, commons = range(len(groups.of))[groups.judged], [Commons(coded, fold) for fold in range(FOLDS)]
    square, moved = torch.zeros(1, dtype=torch.float64), coded.sums.token.new_zeros(coded.sums.token.shape[-1])
    for group in range(groups.count):
        slots = [slot for slot in groups.slots(group) if slot in judged]
        strengths = Strengths(*(float(one[group]) for one in ridges))
        if slots and isinstance(coded, Samples) and coded.many:
            some, every = SampleGroup.of(coded, slots), torch.ones(len(slots), dtype=torch.bool)
            for fold, solved in enumerate(commons):
                held = some.held(solved(strengths.common), strengths, fold, every)
                square, moved = square + held.square, moved + held.moved + held.changed
            continue
        common, shared, own = strengths
        for fold, solved in zip(folds_of(coded.of(slots)) if slots else (), commons, strict=False):
            fitted = of_group(fold.train, solved(common), shared, own)
            held = Judged.of(fitted.mean, *fold)
            square += held.square.sum()
            moved += reduce(held.changed(fitted.shared + fitted.own), "s d -> d", "sum")
    return torch.cat([square, square + moved.cumsum(0)])


def width_of_means(means: Tensor, codes: Tensor, valid: Tensor) -> int:
    """Return the least width in which every mean token is held.

    Args:
        means: (S, T, d) about the origin.
        codes: (S, T, q) the same in codes.
        valid: (S, T) which there are.
    """
    held = codes[valid].square().cumsum(1)
    short = held < KEPT * reduce(means[valid].square(), "n d -> n 1", "sum")
    return min(int(reduce(short.int(), "n q -> n", "sum").max()) + 1, codes.shape[-1])


def smallest_width(least: int, errors: Tensor, error: float) -> int:
    """Return the smallest width, at least ``least``, whose error (q + 1,) is within the slack of the full one."""
    enough = (errors[least:] <= error * (1 + SLACK)).nonzero()[:, 0].tolist()
    return least + enough[0] if enough else len(errors) - 1
