"""What is learnt of one encoder while pairs are read, once, one after another: what they tell, and how they judge.

docs/method.md, 20.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from ...supsae_core.capture.kept import Summed
from ...supsae_core.capture.plan import TextPlan
from ...supsae_core.capture.typed import Typed
from ...supsae_core.dictionary.operator_rows import Frame
from ...supsae_core.encoders.base import Encoder
from .pairs import RewritePair
from .samples import Gathered, PhraseSample, RestSample, directions, frame_of, sampled
from .told import ToldPair, View, told

FIRST = 64
"""Pairs that the directions of changes are taken of; until then changes are kept in full."""


class JudgedPair(NamedTuple):
    """A pair kept apart, as those who have not seen it are told of it, and what the levels make of it."""

    rest: RestSample
    moved: float
    """squared change of the rows outside the phrase"""
    left: float
    """what the levels leave of it"""
    phrase: PhraseSample
    written: Tensor
    levels: Tensor
    mean: Tensor
    residual: Tensor
    """(T, d) the rewrite's rows of the new phrase, what the levels write, its mean tokens, the old phrase's residual"""


class Kept(NamedTuple):
    """What is kept of a pair to judge by until all are read."""

    told: ToldPair
    moved: float
    left: float
    written: Tensor
    levels: Tensor
    span: Tensor
    """(d,) mean of the old phrase's rows; the others as ``JudgedPair`` has them"""


@dataclass
class Lesson:
    """What pairs tell of one encoder. Built per fit and dropped."""

    plan: TextPlan
    encoder: Encoder
    whole: Frame
    """of all prompts"""
    unseen: Frame
    """of those that are not kept apart to judge by"""
    pad: int | None
    """number of the role of pads"""
    outputs: Tensor | None = None
    """(p, d) orthonormal: directions of changes; None until enough pairs were read"""
    told: list[ToldPair] = field(default_factory=list)
    apart: list[bool] = field(default_factory=list)
    """which of them are kept apart"""
    kept: list[Kept] = field(default_factory=list)

    @classmethod
    def begun(cls, plan: TextPlan, encoder: Encoder, statistics: Summed, inputs: Tensor, test: int) -> Lesson:
        """Return a lesson of no pairs.

        Args:
            inputs: (q, d) main directions of the encoder's rows.
            test: the fold of pairs to judge by.
        """
        frames = (frame_of(plan, encoder, statistics.sums.total(without=fold), inputs) for fold in (None, test))
        roles = plan.family.roles
        return cls(plan, encoder, *frames, pad=1 + roles.index("pad") if "pad" in roles else None)

    def take(self, pair: RewritePair, typed: Typed, test: bool) -> None:
        """Take what a pair tells, if its phrases stand there whole; few of its pads."""
        sample = sampled(self.plan, self.encoder, self.whole, pair, typed, self.pad)
        if sample is not None:
            self.told.append(self._along(told(self.whole, sample)))
            self.apart.append(test)
            if self.outputs is None and len(self.apart) - sum(self.apart) == FIRST:
                self._begin()

    def judge(self, pair: RewritePair, typed: Typed, step: Tensor) -> None:
        """Keep a swap to judge by, with all its pads.

        Args:
            step: (L, width) what the levels add to the prompt's rows, that have not seen it.
        """
        sample = sampled(self.plan, self.encoder, self.whole, pair, typed)
        if sample is not None:
            own, span = step[:, self.encoder.first : self.encoder.last], list(sample.spot.span)
            both = span[: len(sample.written)]
            left = float((sample.moved - own[sample.spot.rows]).square().sum())
            moved, levels = float(sample.moved.square().sum()), sample.x[both] + own[both]
            one = self._along(told(self.whole, sample))
            written = sample.written[: len(both)]
            self.kept.append(Kept(one, moved, left, written, levels, sample.x[span].mean(0)))

    def gathered(self, *, without_test: bool) -> Gathered:
        """Return what all pairs told, or all but those kept apart, in the frame of just these."""
        view = self._view(self.unseen if without_test else self.whole)
        told = [one for one, apart in zip(self.told, self.apart, strict=True) if not (without_test and apart)]
        told = [one for one in told if view.knows(one)]
        phrases = [view.phrase(one) for one in told if one.new is not None]
        return Gathered(view.frame, view.outputs, [view.rest(one) for one in told], phrases)

    def judged(self) -> list[JudgedPair]:
        """Return the pairs to judge by."""
        view = self._view(self.unseen)
        return [_judged(view, one) for one in self.kept if view.knows(one.told)]

    def _view(self, frame: Frame) -> View:
        if self.outputs is None:
            self._begin()
        assert self.outputs is not None
        return View.of(self.whole, frame, self.outputs)

    def _along(self, one: ToldPair) -> ToldPair:
        return one if self.outputs is None else one.along(self.outputs)

    def _begin(self) -> None:
        """Choose the directions of changes by the pairs so far."""
        moves = [self.whole.centre.new_zeros(1, self.encoder.width)]
        view = View.of(self.whole, self.unseen, torch.eye(0, self.encoder.width))
        for one, apart in zip(self.told, self.apart, strict=True):
            if not apart:
                moves += [one.moved, *([] if one.new is None else [view.off(one)])]
        self.outputs = directions(torch.cat(moves))
        self.told = [self._along(one) for one in self.told]
        self.kept = [one._replace(told=self._along(one.told)) for one in self.kept]


def _judged(view: View, one: Kept) -> JudgedPair:
    old, new, count = one.told.old, one.told.new, len(one.levels)
    assert old is not None and new is not None
    tokens, means = int(view.frame.phrase_tokens[old]), view.frame.phrase_means
    residual = one.span - means[old, :tokens].mean(0)
    rest, phrase = view.rest(one.told), view.phrase(one.told)
    return JudgedPair(rest, one.moved, one.left, phrase, one.written, one.levels, means[new, :count], residual)
