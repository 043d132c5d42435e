"""Fit the edit operators of a dictionary: what wins on prompts that no candidate has seen is learnt from all pairs.

docs/method.md, 20. For every encoder, apart for the rows that take a new phrase and for all others, the candidates are
the levels, what is trivial (replace the phrase by its mean tokens, or keep its residual; leave the rest as it is) and
the kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ...supsae_core.capture.captures import Capture
from ...supsae_core.capture.kept import Summed
from ...supsae_core.capture.statistics import FOLDS, fold_of
from ...supsae_core.capture.typed import Typed
from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.dictionary.operator import Operator, PhrasePart, RestPart, in_half
from ...supsae_core.dictionary.operator_rows import Frame, swap_code
from ...supsae_core.editing.apply import cond_step
from ...supsae_core.editing.change import Change
from ...supsae_core.encoders.base import Encoder
from ...supsae_core.reading.readout import reading_of_prompt
from .pairs import RewritePair, pairs_of
from .phrases import chosen_phrase, phrase_parts
from .rest import chosen_rest, nothing, rest_part
from .samples import Gathered, PairSample, directions, frame_of, main_directions, sampled

LEAST = 12
"""Pairs, both directions counted, below which nothing is learnt from them."""
MOST = 5000
"""Pairs, both directions counted, that are taken; of more, every so many-th."""
FIRST = 64
"""Pairs that the directions of changes are taken of."""
JUDGED = 96
"""Pairs kept apart that candidates are judged on, at most."""
TEST = FOLDS - 1
"""The fold that they are from."""
LEVELS, KERNEL = "levels", "kernel"

Errors = dict[str, float]
"""Candidate → squared error on the pairs kept apart."""


class JudgedPair(NamedTuple):
    """A pair kept apart, and what the levels make of it without having seen it."""

    sample: PairSample
    rest: Tensor
    """(n, d) what they add to the rows of the spot"""
    phrase: Tensor
    """(T, d) what they write on the rows of the old phrase"""


def fit_operators(
    capture: Capture,
    statistics: Mapping[str, Summed],
    levels: Callable[[], Dictionary],
    tick: Callable[[], None],
    typed: Typed,
    encoders: Sequence[Encoder] | None = None,
) -> tuple[dict[str, Operator], dict[str, Any]]:
    """Fit the operator of every encoder for which pairs say more than the levels; report what was chosen.

    Args:
        capture: finished.
        statistics: sums of its prompts to fit on, per part.
        levels: gives the dictionary of levels that has not seen the last fold.
        tick: called once per encoder.
        typed: knows the capture's prompts.
        encoders: all, or some.
    """
    made, report = dict[str, Operator](), dict[str, Any]()
    count = 2 * sum(bool(entry.of) for entry in capture.plan.entries)
    unseen = levels() if count >= LEAST else None
    for encoder in capture.plan.family.encoders if encoders is None else encoders:
        if unseen is not None:
            fitting = _Fitting(capture, encoder, statistics[encoder.name], -(-count // MOST), typed)
            operator, report[encoder.name] = fitting.operator(unseen)
            made |= {encoder.name: in_half(operator)} if operator else {}
        tick()
    return made, report


class _Fitting:
    """The fit of one encoder's operator. Built per fit and dropped."""

    def __init__(self, capture: Capture, encoder: Encoder, statistics: Summed, every: int, typed: Typed) -> None:
        self.capture, self.plan, self.encoder, self.statistics = capture, capture.plan, encoder, statistics
        self.every, self.typed = every, typed
        self.inputs = main_directions(encoder, capture.read(again=True), typed)
        roles = self.plan.family.roles
        self.pad = 1 + roles.index("pad") if "pad" in roles else None

    def operator(self, unseen: Dictionary) -> tuple[Operator | None, dict[str, Any]]:
        """Choose by one fold among what was learnt from the others, then learn it from all."""
        some, pairs = self._gathered(TEST)
        judged = [one for one in (self._judged(unseen, pair, some.frame) for pair in pairs) if one][:JUDGED]
        if not some.rest or not some.phrases or not judged:
            return None, {"pairs": len(some.rest)}
        rest_choice, phrase_choice = chosen_rest(some), chosen_phrase(some)
        rest_errors = _rest_errors(some, rest_part(some, *rest_choice), judged)
        phrase_errors = _phrase_errors(some, phrase_parts(some, phrase_choice), judged)
        rest, phrase = (min(one, key=one.__getitem__) for one in (rest_errors, phrase_errors))
        report = {"pairs": len(judged), "rest": _shares(rest_errors), "phrase": _shares(phrase_errors)}
        report["chosen"] = {"rest": rest, "phrase": phrase}
        if rest == phrase == LEVELS:
            return None, report
        every, _ = self._gathered(None)
        learnt = rest_part(every, *rest_choice) if rest != LEVELS else None
        return Operator(
            every.frame,
            every.outputs,
            learnt if learnt is None or rest == KERNEL else nothing(learnt),
            phrase_parts(every, phrase_choice).get(phrase),
        ), report

    def _gathered(self, test: int | None) -> tuple[Gathered, list[RewritePair]]:
        """Gather pairs, and return some of one fold, which is left out."""
        frame = frame_of(self.plan, self.encoder, self.statistics.sums.total(without=test), self.inputs)
        rows = self.capture.read("fit", again=True)
        apart, first = list[RewritePair](), list[PairSample]()
        gathered: Gathered | None = None
        for pair in islice(pairs_of(rows), 0, None, self.every):
            if test is not None and fold_of(pair.root) == test:
                apart += [pair] if len(apart) < 2 * JUDGED else []
                continue
            sample = sampled(self.plan, self.encoder, frame, pair, self.typed, self.pad)
            if sample is not None and gathered is None:
                first.append(sample)
                gathered = self._begun(frame, first) if len(first) == FIRST else None
            elif sample is not None and gathered is not None:
                gathered.add(sample)
        return gathered or self._begun(frame, first), apart

    def _begun(self, frame: Frame, samples: Sequence[PairSample]) -> Gathered:
        """Choose the directions of changes by the first pairs, and add these."""
        moves = [frame.phrase_means.new_zeros(1, self.encoder.width), *(one.moved for one in samples)]
        for one in samples:
            moves += [one.written - frame.phrase_means[one.new, : len(one.written)]] if one.new is not None else []
        gathered = Gathered(frame, directions(torch.cat(moves)))
        for one in samples:
            gathered.add(one)
        return gathered

    def _judged(self, unseen: Dictionary, pair: RewritePair, frame: Frame) -> JudgedPair | None:
        """Return what the levels make of a pair; None if it is no swap into the phrase that an edit writes."""
        (old, new), before = pair.phrases, pair.before
        if old is None or new is None or pair.old is None:
            return None
        went, came = (self.plan.table.phrases[one].concept for one in (old, new))
        sample = sampled(self.plan, self.encoder, frame, pair, self.typed)
        if sample is None or unseen.writes[came] != new:
            return None
        reading = reading_of_prompt(unseen, before.cond, before.entry.prompt, before.entry.counts)
        earlier = before.entry.prompt.support(self.plan.table)[: pair.old + 1]
        try:
            step = cond_step(unseen, before.cond, reading, [Change(went, came, 1.0, occurrence=earlier.count(went))])
        except ValueError:  # no room
            return None
        own, span = step[:, self.encoder.first : self.encoder.last], list(sample.spot.span)[: len(sample.written)]
        return JudgedPair(sample, own[sample.spot.rows], sample.x[span] + own[span])


def _rest_errors(some: Gathered, part: RestPart, judged: Sequence[JudgedPair]) -> Errors:
    operator = Operator(some.frame, some.outputs, part, None)
    errors: Errors = dict.fromkeys(("nothing", LEVELS, KERNEL), 0.0)
    for sample, levels, _ in judged:
        code = swap_code(some.frame, sample.old, sample.new)
        step = operator.rest_step(sample.x, sample.spot, sample.old, *code)
        for name, one in (("nothing", torch.zeros_like(step)), (LEVELS, levels), (KERNEL, step)):
            errors[name] += float((sample.moved - one).square().sum())
    return errors


def _phrase_errors(some: Gathered, parts: Mapping[str, PhrasePart], judged: Sequence[JudgedPair]) -> Errors:
    errors: Errors = dict.fromkeys((LEVELS, *parts), 0.0)
    for sample, _, levels in judged:
        assert sample.new is not None
        written = sample.written[: len(levels)]
        errors[LEVELS] += float((written - levels).square().sum())
        for name, part in parts.items():
            operator = Operator(some.frame, some.outputs, None, part)
            made = operator.phrase_rows(sample.x, sample.spot, sample.old, sample.new)
            errors[name] += float((written - made[: len(levels)]).square().sum())
    return errors


def _shares(errors: Errors) -> Errors:
    """Return errors as shares of the largest."""
    most = max(errors.values()) or 1.0
    return {name: round(error / most, 4) for name, error in errors.items()}
