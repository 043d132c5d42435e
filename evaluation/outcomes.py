"""What readings of pictures amount to: success, what was kept, and the intervals around both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import sqrt
from typing import NamedTuple

import numpy as np

from ..portraits.reader import UNREADABLE
from .cases import Case

Z = 1.959964
"""Two-sided 95 % point of the normal distribution."""

Read = Mapping[str, str]
"""Category → value or ``unreadable``."""


class Outcome(NamedTuple):
    """What became of one case."""

    success: bool
    """every category asked for reads as wanted"""
    kept: dict[str, bool]
    """every other category → whether it reads as in the unedited picture of the same seed"""

    @property
    def all_kept(self) -> bool:
        return all(self.kept.values())

    @property
    def both(self) -> bool:
        return self.success and self.all_kept


def judge(before: Read, after: Read, wanted: Read) -> Outcome:
    """Judge one picture by its readings; what is unreadable counts against both."""
    same = {name: value == before[name] != UNREADABLE for name, value in after.items() if name not in wanted}
    return Outcome(all(after[name] == value != UNREADABLE for name, value in wanted.items()), same)


def judge_all(
    cases: Sequence[Case], before: Sequence[Read], after: Sequence[Read], rewrite: Sequence[Read]
) -> list[Outcome]:
    """Judge every case; after a removal the value wanted is what the picture of the shortened prompt shows."""
    return [
        judge(b, a, {case.category: case.wanted or r[case.category]})
        for case, b, a, r in zip(cases, before, after, rewrite, strict=True)
    ]


def total_variation(one: Sequence[str], other: Sequence[str]) -> float:
    """Return half the summed difference of the two lists' value frequencies, 0 … 1."""
    a, b = Counter(one), Counter(other)
    return sum(abs(a[value] / len(one) - b[value] / len(other)) for value in {*a, *b}) / 2


class Interval(NamedTuple):
    """An estimate and its 95 % interval."""

    estimate: float
    low: float
    high: float
    count: int
    """cases behind it"""

    def __str__(self) -> str:
        return f"{self.estimate:.1%} ({self.low:.1%} … {self.high:.1%})"


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


def failure_ratio(one: Sequence[bool], other: Sequence[bool], *, draws: int = 10_000, seed: int = 0) -> Interval:
    """Return how often ``one`` fails for every failure of ``other`` over the same cases, cases resampled."""
    a, b = ~np.asarray(one, bool), ~np.asarray(other, bool)
    if not b.any():
        return Interval(float("nan"), 0.0, float("inf"), len(b))
    chosen = np.random.default_rng(seed).integers(len(a), size=(draws, len(a)))
    ratios = a[chosen].mean(1) / np.maximum(b[chosen].mean(1), 1 / len(b))
    low, high = np.quantile(ratios, [0.025, 0.975])
    return Interval(float(a.mean() / b.mean()), float(low), float(high), len(a))


def variation_interval(
    groups: Sequence[tuple[Sequence[str], Sequence[str]]], *, draws: int = 2_000, seed: int = 0
) -> Interval:
    """Return the mean total variation between paired values, groups weighted by their cases, with about 95 % around it.

    Finite lists differ by chance alone, so the measured value is too large. What chance makes of it is drawn by
    exchanging the sides of pairs at random: the true value lies no more than its 97.5 % quantile lower, and no more
    than its spread higher.

    Args:
        groups: (values of the one, values of the other) over the same cases, a pair a category.
        draws: of chance.
        seed: of chance.
    """
    rng, count = np.random.default_rng(seed), sum(len(one) for one, _ in groups)
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


class Score(NamedTuple):
    """What a method's outcomes amount to."""

    success: Interval
    kept: Interval
    """all other categories as they were"""
    both: Interval
    attributes: dict[str, Interval]
    """category → kept, over the cases that edit another one"""


def score(outcomes: Sequence[Outcome]) -> Score:
    """Sum outcomes up."""
    names = dict.fromkeys(name for outcome in outcomes for name in outcome.kept)
    each = {name: [outcome.kept[name] for outcome in outcomes if name in outcome.kept] for name in names}
    return Score(
        share([outcome.success for outcome in outcomes]),
        share([outcome.all_kept for outcome in outcomes]),
        share([outcome.both for outcome in outcomes]),
        {name: share(kept) for name, kept in each.items()},
    )


def share(answers: Sequence[bool]) -> Interval:
    """Return how often the answer is yes."""
    return wilson(sum(answers), len(answers))
