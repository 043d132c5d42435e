"""The exact solver: effects of context by linear solves on sums, codes by a truncated SVD (docs/method.md, 5 to 7)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import torch
from einops import reduce
from torch import Tensor

from ...supsae_core.capture.kept import Samples, Summed
from ...supsae_core.capture.statistics import FOLDS
from .by_samples import SampleGroup, Strengths
from .choose import choose
from .effects import NEVER, Commons, Ridges, effects, of_group
from .groups import Groups
from .held_out import Error, Judged, folds_of, measured, origin_of, require_enough
from .low_rank import in_products
from .options import about
from .solution import Solution, written
from .width import (
    SpanOfRows,
    curve,
    smallest_width,
    weighted,
    weighted_products,
    weights_of,
    width_of_means,
)

MOST = 512
"""Directions that codes are tried in at first; where these are not enough, twice as many."""
STREAM_WIDTHS = (8, 16, 32, 64)
"""There are many parts inside a model: a limited code width keeps files small; behind the first block more gains under
one percent."""


@dataclass(frozen=True)
class ExactConfig:
    """Options of the exact solver; every candidate is judged by its exact held-out error over the folds."""

    common_ridges: Sequence[float] = field(
        default=(10.0, NEVER), metadata=about("candidates for effects that all slots share, in samples")
    )
    shared_ridges: Sequence[float] = field(
        default=(0.3, 3.0, 30.0, 300.0, NEVER), metadata=about("candidates for what a category deviates by")
    )
    own_ridges: Sequence[float] = field(
        default=(3.0, 30.0, 300.0, NEVER), metadata=about("candidates for what a phrase deviates by")
    )
    rank: int | None = field(default=None, metadata=about("code width; none chooses the smallest that is enough"))
    widths: Sequence[int] = field(
        default=(), metadata=about("code widths to choose the one of least held-out error from, in place of all")
    )

    def __post_init__(self) -> None:
        for name in ("common_ridges", "shared_ridges", "own_ridges"):
            candidates = getattr(self, name)
            if not candidates or not all(0 < one < math.inf for one in candidates):
                raise ValueError(
                    f"The option {name} is {tuple(candidates)}. It takes one number or more, each above 0; from "
                    f"{NEVER:g} on a level does nothing."
                )
        for one in (*self.widths, *([] if self.rank is None else [self.rank])):
            if one < 1:
                raise ValueError(f"A code width is {one} (options rank and widths). It must be at least 1.")

    def for_streams(self) -> Self:
        """Return these options for the streams inside a model, where a width that is not chosen is limited."""
        return self if self.rank or self.widths else replace(self, widths=STREAM_WIDTHS)


EXACT = ExactConfig()


def exact(statistics: Summed, groups: Groups, config: ExactConfig = EXACT) -> Solution:
    """Fit one part: choose the ridges and the code width by held-out error, then factor all effects.

    What needs every column is done group by group, and thrown away: no fit is ever held in full width.

    Raises:
        ValueError: if nothing occurs twice.
    """
    ridges = choose(statistics, groups, config)
    origin = origin_of(statistics.sums.total(), groups.judged)
    error, span = in_full(statistics, groups, ridges, origin)
    require_enough(error.base)
    directions = span.directions()
    decoder, coded, errors = _in_few(statistics, groups, ridges, config, (directions, origin, error.left))
    width = len(decoder)
    found = measured(error._replace(left=float(errors[width])), statistics, groups.judged, width)
    folds = (FOLDS - 1, None)
    if isinstance(coded, Samples) and coded.many:
        left, fits = in_products(coded.narrowed(width), groups, ridges, folds)
        found = measured(error._replace(left=left), statistics, groups.judged, width)
        found["own_rank"] = float(fits[0][1].shape[1])
    else:
        fits = [(effects(coded, groups, ridges, without), None) for without in folds]
    found["fvu_slot_full_rank"] = error.left / error.base
    before, fitted = (
        written(codes, statistics.sums.total(without), decoder, origin, found, products)
        for (codes, products), without in zip(fits, folds, strict=True)
    )
    return fitted._replace(without_last=before)


def in_full(statistics: Summed, groups: Groups, ridges: Ridges, origin: Tensor) -> tuple[Error, SpanOfRows]:
    """Return the held-out error with codes of every width, and the directions that the fit to all folds spans.

    Args:
        origin: (d,) mean of all tokens of the slots that are judged.
    """
    judged, left, base = range(len(groups.of))[groups.judged], 0.0, 0.0
    span, used = SpanOfRows(len(origin), groups.count), weights_of(statistics)
    every, commons = Commons(statistics), [Commons(statistics, fold) for fold in range(FOLDS)]
    shares = reduce(used.square(), "s k -> k", "mean").sqrt()
    for group in range(groups.count):
        slots = groups.slots(group)
        if not slots:
            continue
        if isinstance(statistics, Samples) and statistics.many:
            strengths = Strengths(*(float(one[group]) for one in ridges))
            some, inside = SampleGroup.of(statistics, slots), torch.tensor([slot in judged for slot in slots])
            fit = some.fit(every(strengths.common), strengths.shared)
            span.add_products(*weighted_products(some, fit, strengths, origin, used[slots], shares))
            for fold, solved in enumerate(commons if inside.any() else ()):
                held = some.held(solved(strengths.common), strengths, fold, inside)
                base += float(held.square + held.moved.sum())
                left += float(held.square + held.moved.sum() + held.changed.sum())
            continue
        part, (common, shared, own) = statistics.of(slots), (float(one[group]) for one in ridges)
        fitted = of_group(part.total(), every(common), shared, own)
        span.add(*weighted(fitted, part.total(), origin, used[slots], shares))
        inside = torch.tensor([slot in judged for slot in slots])
        for fold, solved in zip(folds_of(part) if inside.any() else (), commons, strict=False):
            fitted = of_group(fold.train, solved(common), shared, own)
            held = Judged.of(fitted.mean, *fold)
            left += float(held.left(fitted.shared + fitted.own)[inside].sum())
            base += float(held.base[inside].sum())
    return Error(left, base), span


def _in_few(
    statistics: Summed,
    groups: Groups,
    ridges: Ridges,
    config: ExactConfig,
    found: tuple[Tensor, Tensor, float],
) -> tuple[Tensor, Summed, Tensor]:
    """Return as many directions as are needed, the sums of codes in these or more, and the error with every width.

    Args:
        found: directions (·, d), the origin (d,), and the held-out error with all of them.
    """
    (directions, origin, error), most = found, MOST
    total = statistics.sums.total()
    while True:
        some = directions[:most]
        coded = statistics.in_codes(some, origin)
        errors = curve(coded, groups, ridges)
        least = width_of_means(total.mean_token - origin, coded.sums.total().mean_token, total.valid)
        width = _width(config, least, errors, error)
        if width < len(some) or len(some) == len(directions):
            return directions[:width], coded, errors
        most *= 2


def _width(config: ExactConfig, least: int, errors: Tensor, error: float) -> int:
    """Return the code width that is asked for, or else chosen between the least and the full one."""
    most = len(errors) - 1
    if config.rank:
        return min(config.rank, most)
    widths = [min(one, most) for one in config.widths]
    return min(widths, key=lambda one: float(errors[one])) if widths else smallest_width(least, errors, error)
