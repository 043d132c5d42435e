"""The exact solver: effects of context by linear solves on sums, codes by a truncated SVD (docs/method.md, 5 to 7)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Self

import torch
from torch import Tensor

from ...supsae_core.capture.statistics import Statistics
from .effects import NEVER, Effects, Levels, Ridges, effects
from .held_out import Fold, Judged, error_over, folds_of, measured, origin_of, require_enough
from .options import about
from .solution import Groups, Solution, encoded
from .width import directions, narrowed, smallest_width, width_of_means

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


def choose(folds: Sequence[Fold], groups: Groups, config: ExactConfig) -> Ridges:
    """Choose every group's ridges by its own held-out error: common and shared first, then own."""
    every = torch.ones(groups.count, dtype=torch.float64)
    levels = [Levels(fold.train, groups.of, groups.count) for fold in folds]
    judged = [Judged.of(level.mean, *fold) for level, fold in zip(levels, folds, strict=True)]
    # All pairs of the two upper levels, without deviations of slots: these are the same for a whole group.
    first = [(common, shared) for common in config.common_ridges for shared in config.shared_ridges]
    errors = torch.zeros(len(first), groups.count, dtype=torch.float64)
    for level, one in zip(levels, judged, strict=True):
        summed = one.summed(groups.of, groups.count)
        solved = {common: level.common(common * every) for common in config.common_ridges}
        for row, (common, shared) in zip(errors, first, strict=True):
            row += summed.left(level.shared(solved[common], shared * every))
    best = [first[index] for index in errors.argmin(0).tolist()]
    common, shared = (torch.tensor(some, dtype=torch.float64) for some in zip(*best, strict=True))
    # With these fixed, the strength of a slot's own deviation.
    errors = torch.zeros(len(config.own_ridges), groups.count, dtype=torch.float64)
    for level, one in zip(levels, judged, strict=True):
        fitted = level.shared(level.common(common), shared)
        for row, own in zip(errors, config.own_ridges, strict=True):
            row.index_add_(0, groups.of, one.left(fitted[groups.of] + level.own(fitted, own * every)))
    own = [config.own_ridges[index] for index in errors.argmin(0).tolist()]
    return Ridges(common, shared, torch.tensor(own, dtype=torch.float64))


def exact(statistics: Statistics, groups: Groups, config: ExactConfig = EXACT) -> Solution:
    """Fit one part: choose the ridges and the code width by held-out error, then factor all effects.

    Raises:
        ValueError: if nothing occurs twice.
    """
    folds, total = folds_of(statistics), statistics.total()
    # Every group's ridges, and with them the fits of all folds but one that the width is then judged on.
    ridges = choose(folds, groups, config)
    fits = [effects(fold.train, groups.of, ridges) for fold in folds]
    full = error_over(folds, fits, groups)
    require_enough(full.base)
    # The fit to everything, and the directions that its means and effects need.
    fitted, origin = effects(total, groups.of, ridges), origin_of(total, groups.judged)
    decoder = directions(fitted, total, origin)
    at_width = partial(_error_at, folds, fits, groups, decoder, origin)
    widths = (width_of_means(fitted, total, decoder, origin), len(decoder))
    decoder = decoder[: _width(config, widths, at_width, full.left)]
    narrow = full._replace(left=at_width(len(decoder)))
    found = measured(narrow, total, groups.judged, len(decoder))
    found["fvu_slot_full_rank"] = full.left / full.base
    before = encoded(fits[-1], folds[-1].train, decoder, origin, found)
    return encoded(fitted, total, decoder, origin, found)._replace(without_last=before)


def _width(config: ExactConfig, widths: tuple[int, int], at_width: partial[float], error: float) -> int:
    """Return the code width that is asked for, or else chosen between the least and the full one."""
    if config.rank:
        return config.rank
    return min(config.widths, key=at_width) if config.widths else smallest_width(*widths, at_width, error)


def _error_at(
    folds: Sequence[Fold], fits: Sequence[Effects], groups: Groups, decoder: Tensor, origin: Tensor, width: int
) -> float:
    """Return the held-out error with codes of a width.

    Args:
        fits: to all folds but one, in full width.
        decoder: (·, d) directions, most needed first.
        origin: (d,)
    """
    return error_over(folds, [narrowed(fit, decoder[:width], origin) for fit in fits], groups).left
