"""What a phrase's rows become, as ``PhrasePart``s learnt from pairs, the trivial ones among them."""

from __future__ import annotations

from typing import NamedTuple

import torch

from ...supsae_core.dictionary.operator import PhrasePart
from ...supsae_core.dictionary.operator_rows import PhraseKernel, PhraseRows
from .ridge import RIDGES, Solved, solved_ridge
from .samples import Gathered, PhraseSample, apart, stacked_phrases

LANDMARKS = 2000
"""Rows that what is learnt is told of."""
SEARCH = 500
"""Of them, with which constants are chosen."""
LEVELS = (1.0, 0.3, 5.0)
"""What is tried for the constant of ``PhraseKernel``."""


class Choice(NamedTuple):
    """Constants of the kernel of a phrase's rows."""

    kernel: PhraseKernel
    ridge: float


def chosen_phrase(some: Gathered) -> Choice:
    """Choose the kernel's constants and the ridge, on pairs set aside of those to learn from."""
    learn, held = (stacked_phrases(one) for one in apart(some.phrases))
    share, marks = kept_share(learn), _landmarks(learn, SEARCH)
    errors: dict[Choice, float] = {}
    for kernel in map(PhraseKernel, LEVELS):
        solved, seen = _solved(some, learn, kernel, marks, share), kernel.of(some.frame, held.rows, marks)
        for ridge in RIDGES:
            off = held.off - share * held.kept - seen @ solved(ridge)
            errors[Choice(kernel, ridge)] = float(off.square().sum())
    return min(errors, key=errors.__getitem__)


def phrase_parts(some: Gathered, choice: Choice) -> dict[str, PhrasePart]:
    """Return what may write a phrase's rows, by name, learnt from all pairs.

    ``replace``: its mean tokens. ``shortcut``: and the old phrase's residual. ``share``: and the best share of that.
    ``kernel``: and what the kernel adds.
    """
    sample = stacked_phrases(some.phrases)
    share, marks = kept_share(sample), _landmarks(sample, LANDMARKS)
    weights = _solved(some, sample, choice.kernel, marks, share)(choice.ridge)

    def part(kept: float, rows: PhraseRows, count: int) -> PhrasePart:
        return PhrasePart(torch.tensor([kept, choice.kernel.level]), **rows._asdict(), weights=weights[:count])

    none = marks.pick(slice(0, 0))
    plain = {name: part(kept, none, 0) for name, kept in (("replace", 0.0), ("shortcut", 1.0), ("share", share))}
    return plain | {"kernel": part(share, marks, len(weights))}


def kept_share(sample: PhraseSample) -> float:
    """Return the share of the old phrase's residual that is best kept."""
    return float((sample.off * sample.kept).sum() / sample.kept.square().sum().clamp(min=1e-12))


def _landmarks(sample: PhraseSample, count: int) -> PhraseRows:
    drawn = torch.randperm(len(sample.off), generator=torch.Generator().manual_seed(0))[:count]
    return sample.rows.pick(drawn.sort()[0])


def _solved(some: Gathered, sample: PhraseSample, kernel: PhraseKernel, marks: PhraseRows, share: float) -> Solved:
    seen, off = kernel.of(some.frame, sample.rows, marks), sample.off - share * sample.kept
    return solved_ridge([(seen, off, torch.ones(len(off)))], kernel.of(some.frame, marks, marks))
