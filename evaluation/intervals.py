"""Shares and what surrounds them: estimates with their 95 % intervals."""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import isfinite, sqrt
from typing import Any, NamedTuple, Self

import numpy as np

Z = 1.959964
"""Two-sided 95 % point of the normal distribution."""
RESAMPLED = 2_000
"""Draws of cases that an interval of errors is taken of."""
Squares = tuple[Sequence[float], Sequence[float]]
"""Per case: what is off, and what it is a share of"""


class Interval(NamedTuple):
    """An estimate and its 95 % interval."""

    estimate: float
    low: float
    high: float
    count: int  # pyright: ignore[reportIncompatibleMethodOverride] - no tuple is counted here
    """cases behind it"""

    def json(self) -> dict[str, float | int | None]:
        """Round to what is printed; what is no number, such as a share of nothing, is null."""
        found = {name: value if isfinite(value) else None for name, value in self._asdict().items()}
        return {name: value and round(value, 4) for name, value in found.items()}

    @classmethod
    def parse(cls, found: Mapping[str, Any]) -> Self:
        """Read back what ``json`` wrote; what it left out is not a number, or has no end."""
        nothing = {"estimate": float("nan"), "low": float("-inf"), "high": float("inf")}
        known = {name: found[name] for name in nothing if found[name] is not None}
        return cls(**{**nothing, **known}, count=found["count"])


def share(answers: Sequence[bool]) -> Interval:
    """Return how often the answer is yes."""
    return wilson(sum(answers), len(answers))


def wilson(successes: int, count: int) -> Interval:
    """Return a proportion with its Wilson score interval (1927); of nothing, all is possible."""
    if not count:
        return Interval(float("nan"), 0.0, 1.0, 0)
    share, z2 = successes / count, Z * Z
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = Z * sqrt(share * (1 - share) / count + z2 / (4 * count * count)) / (1 + z2 / count)
    return Interval(share, max(0.0, middle - half), min(1.0, middle + half), count)


def paired_interval(one: Sequence[bool], other: Sequence[bool]) -> Interval:
    """Return the difference of two proportions over the same cases, ``one`` − ``other``.

    The interval is Newcombe's square-and-add of two Wilson intervals with the pairs' correlation (Statistics in
    Medicine 17, 2635, 1998, method 10): it keeps its width where the two agree in every case.
    """
    count = len(one)
    if not count:
        return Interval(float("nan"), -1.0, 1.0, 0)
    first, second = wilson(sum(one), count), wilson(sum(other), count)
    phi = _correlation(Counter(zip(map(bool, one), map(bool, other), strict=True)), count)
    return difference(first, second, phi=phi)


def difference(first: Interval, second: Interval, *, phi: float = 0.0) -> Interval:
    """Return the difference of two proportions, ``first`` − ``second``, by their Wilson intervals.

    Without a correlation φ each is over cases of its own (Newcombe, Statistics in Medicine 17, 873, 1998, method 10).
    """
    apart = first.estimate - second.estimate
    down, up = _square_and_add(first, second, phi), _square_and_add(second, first, phi)
    return Interval(apart, apart - down, apart + up, min(first.count, second.count))


def failure_ratio(one: Sequence[bool], other: Sequence[bool]) -> Interval:
    """Return how often ``one`` fails for every failure of ``other`` over the same cases, cases resampled."""
    a, b = ~np.asarray(one, bool), ~np.asarray(other, bool)
    if not b.any():
        return Interval(float("nan"), 0.0, float("inf"), len(b))
    chosen = np.random.default_rng(0).integers(len(a), size=(10_000, len(a)))
    ratios = a[chosen].mean(1) / np.maximum(b[chosen].mean(1), 1 / len(b))
    low, high = np.quantile(ratios, [0.025, 0.975])
    return Interval(float(a.mean() / b.mean()), float(low), float(high), len(a))


def error_interval(off: Sequence[float], whole: Sequence[float]) -> Interval:
    """Return √(Σ off / Σ whole) of squares over cases, cases resampled."""
    return _of_errors((off, whole), None)


def paired_error(one: Squares, other: Squares) -> Interval:
    """Return how much larger the error of ``one`` is than that of ``other`` over the same cases, cases resampled."""
    return _of_errors(one, other)


def _of_errors(one: Squares, other: Squares | None) -> Interval:
    sums = np.array([*one, *(other or ())], float).T
    if not len(sums) or not sums[:, 1::2].sum(0).all():
        return Interval(float("nan"), float("-inf"), float("inf"), len(sums))
    chosen = np.random.default_rng(0).integers(len(sums), size=(RESAMPLED, len(sums)))
    drawn = np.concatenate([sums.sum(0, keepdims=True), sums[chosen].sum(1)])
    errors = np.sqrt(drawn[:, ::2] / np.maximum(drawn[:, 1::2], np.finfo(float).tiny))
    apart = errors[:, 0] - (errors[:, 1] if other else 0)
    low, high = np.quantile(apart[1:], [0.025, 0.975])
    return Interval(float(apart[0]), float(low), float(high), len(sums))


def variation_interval(groups: Sequence[tuple[Sequence[str], Sequence[str]]]) -> Interval:
    """Return the mean total variation between paired values, groups weighted by their cases, with about 95 % around it.

    Finite lists differ by chance alone, so the measured value is too large. What chance makes of it is drawn by
    exchanging the sides of pairs at random: the true value lies no more than its 97.5 % quantile lower, and no more
    than its spread higher.

    Args:
        groups: (values of the one, values of the other) over the same cases, a pair a category.
    """
    rng, count, draws = np.random.default_rng(0), sum(len(one) for one, _ in groups), 2_000
    if not count:
        return Interval(float("nan"), 0.0, 1.0, 0)
    measured, chance = 0.0, np.zeros(draws)
    for one, other in groups:
        values = np.array(sorted({*one, *other}))
        apart = (np.array(one)[:, None] == values).astype(int) - (np.array(other)[:, None] == values)
        measured += np.abs(apart.sum(0)).sum() / 2 / count
        chance += np.abs(rng.choice([-1, 1], (draws, len(one))) @ apart).sum(1) / 2 / count
    low, high = np.quantile(chance, [0.025, 0.975])
    return Interval(measured, max(0.0, measured - high), min(1.0, measured + float(chance.mean()) - low), count)


def _square_and_add(first: Interval, second: Interval, phi: float) -> float:
    """√(a² − 2φab + b²) with a the first one's reach below and b the second one's above."""
    a, b = first.estimate - first.low, second.high - second.estimate
    return sqrt(max(0.0, a * a - 2 * phi * a * b + b * b))


def _correlation(pairs: Mapping[tuple[bool, bool], int], count: int) -> float:
    """φ of a fourfold table, its numerator brought towards 0 by half the count where it is positive."""
    e, f, g, h = (pairs[key] for key in ((True, True), (True, False), (False, True), (False, False)))
    product = (e + f) * (g + h) * (e + g) * (f + h)
    if not product:
        return 0.0
    excess = e * h - f * g
    return (max(excess - count / 2, 0.0) if excess > 0 else excess) / sqrt(product)


def mean_interval(values: Sequence[float]) -> Interval:
    """Return a mean with its interval by the normal distribution; one value alone has none."""
    if len(values) == 1:
        return Interval(values[0], float("-inf"), float("inf"), 1)
    middle, half = float(np.mean(values)), Z * float(np.std(values, ddof=1)) / len(values) ** 0.5
    return Interval(middle, middle - half, middle + half, len(values))
