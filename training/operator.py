"""Fit the edit operator to prompts and their rewrites: kernel ridge on landmarks, all choices by held-out edit error.

docs/method.md, 20. For every encoder, apart for the rows that take a new phrase and for all others, the candidates are
the levels, what is trivial (replace the phrase by its mean tokens, or keep its residual, and leave the rest as it is) and
the kernel. What wins on prompts that no candidate has seen is fitted to all pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..supsae_core.capture.captures import Capture
from ..supsae_core.capture.statistics import FOLDS, Statistics, fold_of
from ..supsae_core.dictionary.model import Dictionary
from ..supsae_core.dictionary.operator import (
    Operator,
    PhraseKernel,
    PhrasePart,
    RestKernel,
    RestPart,
    in_half,
    swap_code,
)
from ..supsae_core.editing.apply import cond_step
from ..supsae_core.editing.change import Change
from ..supsae_core.encoders.base import Encoder
from .calibration import known_reading
from .operator_samples import (
    Gathered,
    PhraseSample,
    RestSample,
    Sample,
    directions,
    frame_of,
    main_directions,
    sampled,
    stacked_phrases,
    stacked_rest,
)
from .pairs import Pair, pairs_of
from .ridge import ridge

LEAST = 12
"""Pairs, both directions counted, below which nothing is learnt from them."""
MOST = 5000
"""Pairs, both directions counted, that are taken; of more, every so many-th."""
JUDGED = 96
"""Pairs kept apart that candidates are judged on, at most."""
TEST = FOLDS - 1
"""The fold that they are from."""
LANDMARKS, PHRASE_LANDMARKS = 1500, 800
SEARCH, SEARCHED = 500, 400
"""Landmarks, and pairs, with which constants are chosen."""
BATCH = 64
"""Pairs whose kernel is held at a time."""
RIDGES = (0.3, 3.0, 30.0)
REST_GRID: Mapping[str, tuple[float, ...]] = {
    "level": (1.0, 0.3, 5.0),
    "role": (0.0, 5.0),
    "everywhere": (0.5, 0.1, 1.0),
    "reach": (1.5, 0.8),
}
"""Constant of ``RestKernel`` → what is tried, one constant after the other, the default first."""
PHRASE_LEVELS = (1.0, 0.3, 5.0)
"""What is tried for the constant of ``PhraseKernel``."""

Errors = dict[str, float]
"""Candidate → squared error on the pairs kept apart."""


class Judged(NamedTuple):
    """A pair kept apart, and what the levels make of it without having seen it."""

    sample: Sample
    rest: Tensor
    """(n, d) what they add to the rows of the spot"""
    phrase: Tensor
    """(T, d) what they write on the rows of the old phrase"""


def fit_operators(
    capture: Capture,
    statistics: Mapping[str, Statistics],
    dictionary: Dictionary,
    levels: Callable[[Mapping[str, Statistics]], Dictionary],
    tick: Callable[[], None],
) -> tuple[dict[str, Operator], dict[str, Any]]:
    """Fit the operator of every encoder for which pairs say more than the levels; report what was chosen.

    Args:
        capture: finished.
        statistics: sums of its prompts to fit on, per part.
        dictionary: of levels, fitted to them.
        levels: fits such a dictionary to other sums.
        tick: called once per encoder.
    """
    plan = capture.plan
    count = 2 * sum(bool(entry.of) for entry in plan.entries)
    made, report = dict[str, Operator](), dict[str, Any]()
    if count < LEAST:
        return made, report
    unseen = levels({name: _without(one, TEST) for name, one in statistics.items()})
    for encoder in plan.family.encoders:
        fitted = _Fitting(capture, encoder, statistics[encoder.name], max(1, -(-count // MOST)))
        operator, report[encoder.name] = fitted.operator(dictionary, unseen)
        if operator is not None:
            made[encoder.name] = in_half(operator)
        tick()
    return made, report


def _without(statistics: Statistics, fold: int) -> Statistics:
    """Return sums without a fold's."""
    sums = {name: getattr(statistics, name).clone() for name in ("count", "label", "gram", "token", "cross", "square")}
    for one in sums.values():
        one[fold] = 0
    return replace(statistics, **sums)


class _Fitting:
    """The fit of one encoder's operator. Built per fit and dropped."""

    def __init__(self, capture: Capture, encoder: Encoder, statistics: Statistics, every: int) -> None:
        self.capture, self.plan, self.encoder, self.statistics = capture, capture.plan, encoder, statistics
        self.every = every
        self.inputs = main_directions(self.plan, encoder, capture.read())
        roles = self.plan.family.roles
        self.pad = 1 + roles.index("pad") if "pad" in roles else None

    def operator(self, dictionary: Dictionary, unseen: Dictionary) -> tuple[Operator | None, dict[str, Any]]:
        """Choose on one fold what was learnt on the others, then learn it from all."""
        some, apart = self._gathered(TEST)
        judged = [one for one in (self._judge(dictionary, unseen, pair, some) for pair in apart) if one][:JUDGED]
        if not some.rest or not some.phrases or not judged:
            return None, {"pairs": len(some.rest)}
        rest_kernel, rest_ridge = _choose_rest(some)
        phrase_kernel, phrase_ridge = _choose_phrase(some)
        rest, phrase = _fit_rest(some, rest_kernel, rest_ridge), _phrase_parts(some, phrase_kernel, phrase_ridge)
        rest_errors = _rest_errors(some, rest, judged)
        phrase_errors = _phrase_errors(some, phrase, judged)
        chosen = {"rest": _least(rest_errors), "phrase": _least(phrase_errors)}
        all_pairs, _ = self._gathered(None)
        made = Operator(
            all_pairs.frame,
            all_pairs.outputs,
            _rest_part(chosen["rest"], all_pairs, rest_kernel, rest_ridge),
            None
            if chosen["phrase"] == "levels"
            else _phrase_parts(all_pairs, phrase_kernel, phrase_ridge)[chosen["phrase"]],
        )
        report = {
            "pairs": len(all_pairs.rest),
            "rest": _shares(rest_errors),
            "phrase": _shares(phrase_errors),
            "chosen": chosen,
        }
        return (None if set(chosen.values()) == {"levels"} else made), report

    def _gathered(self, test: int | None) -> tuple[Gathered, list[Pair]]:
        """Gather pairs, those of one fold apart."""
        frame = frame_of(self.plan, self.encoder, self.statistics.total(without=test), self.inputs)
        pairs = islice(pairs_of(row for row in self.capture.read() if row.entry.set == "fit"), 0, None, self.every)
        learnt, apart = list[Sample](), list[Pair]()
        gathered: Gathered | None = None
        for pair in pairs:
            if test is not None and fold_of(pair.root) == test:
                if len(apart) < 2 * JUDGED:
                    apart.append(pair)
                continue
            sample = sampled(self.plan, self.encoder, frame, pair)
            if sample is None:
                continue
            if gathered is None:
                learnt.append(sample)
                if len(learnt) == BATCH:
                    gathered = self._begun(frame, learnt)
            else:
                gathered.add(sample, self.pad)
        return gathered or self._begun(frame, learnt), apart

    def _begun(self, frame: Any, samples: Sequence[Sample]) -> Gathered:
        """Choose the directions of changes by the first pairs, and add these."""
        moves = [one.moved for one in samples]
        moves += [
            one.written - frame.phrase_means[one.new, : len(one.written)] for one in samples if one.new is not None
        ]
        gathered = Gathered(frame, directions(torch.cat(moves)) if moves else torch.zeros(0, self.encoder.width))
        for one in samples:
            gathered.add(one, self.pad)
        return gathered

    def _judge(self, dictionary: Dictionary, unseen: Dictionary, pair: Pair, some: Gathered) -> Judged | None:
        """Return what the levels make of a pair; None if it is no swap into the phrase that an edit writes."""
        old, new = pair.phrases
        if old is None or new is None or pair.old is None:
            return None
        concepts = [self.plan.table.phrases[one].concept for one in (old, new)]
        sample = sampled(self.plan, self.encoder, some.frame, pair)
        if sample is None or dictionary.writes[concepts[1]] != new:
            return None
        try:
            reading = known_reading(unseen, pair.before)
            mentions = reading.concepts(unseen)[: pair.old + 1]
            change = Change(concepts[0], concepts[1], 1.0, occurrence=mentions.count(concepts[0]))
            step = cond_step(unseen, pair.before.cond, reading, [change])[:, self.encoder.first : self.encoder.last]
        except ValueError:  # no room
            return None
        span = list(sample.spot.span)[: len(sample.written)]
        return Judged(sample, step[sample.spot.rows], sample.x[span] + step[span])


def _choose_rest(some: Gathered) -> tuple[RestKernel, float]:
    """Choose the constants of rows outside, one after another, by pairs set aside of those to learn from."""
    samples = some.rest[:SEARCHED]
    learn, test = (
        [one for i, one in enumerate(samples) if i // 6 % 4],
        [one for i, one in enumerate(samples) if not i // 6 % 4],
    )
    best, least, strength = RestKernel(), float("inf"), RIDGES[0]
    held = stacked_rest(test or learn)
    for name, values in REST_GRID.items():
        for value in values:
            kernel = best._replace(**{name: value})
            if least < float("inf") and kernel == best:
                continue
            marks = _rest_marks(learn, kernel, SEARCH)
            solved = ridge(_rest_batches(some, learn, kernel, marks), kernel.of(some.frame, marks, marks))
            seen = kernel.of(some.frame, held.rows, marks)
            for one in RIDGES:
                error = float(((held.moved - seen @ solved(one)).square().sum(1) * held.weights).sum())
                if error < least:
                    least, strength, best = error, one, kernel
    return best, strength


def _choose_phrase(some: Gathered) -> tuple[PhraseKernel, float]:
    """Choose the constants of rows that take a phrase, as those of the rest."""
    samples = some.phrases[:SEARCHED]
    learn = stacked_phrases([one for i, one in enumerate(samples) if i // 6 % 4] or samples)
    held = stacked_phrases([one for i, one in enumerate(samples) if not i // 6 % 4] or samples)
    share = _kept_share(learn)
    best = (float("inf"), PhraseKernel(), RIDGES[0])
    for level in PHRASE_LEVELS:
        kernel = PhraseKernel(level)
        marks = _phrase_marks(learn, SEARCH)
        solved = _phrase_ridge(some, learn, kernel, marks, share)
        seen = kernel.of(some.frame, held.rows, marks)
        for one in RIDGES:
            error = float((held.off - share * held.kept - seen @ solved(one)).square().sum())
            best = min(best, (error, kernel, one))
    return best[1], best[2]


def _rest_batches(some: Gathered, samples: Sequence[RestSample], kernel: RestKernel, marks: Any) -> Any:
    for start in range(0, len(samples), BATCH):
        batch = stacked_rest(samples[start : start + BATCH])
        yield kernel.of(some.frame, batch.rows, marks), batch.moved, batch.weights


def _rest_marks(samples: Sequence[RestSample], kernel: RestKernel, count: int) -> Any:
    """Draw landmarks among the rows, near ones rather than far ones."""
    distance = torch.cat([one.rows.distance for one in samples])
    wanted = 0.15 + torch.exp(-2 * (distance - 1) / kernel.reach)
    drawn = torch.multinomial(wanted, min(count, len(wanted)), generator=torch.Generator().manual_seed(0)).sort()[0]
    found, first = [], 0
    for start in range(0, len(samples), BATCH):
        batch = stacked_rest(samples[start : start + BATCH]).rows
        here = drawn[(drawn >= first) & (drawn < first + len(batch.distance))] - first
        found.append(batch.pick(here))
        first += len(batch.distance)
    return type(found[0])(*(torch.cat(some) for some in zip(*found, strict=True)))


def _fit_rest(some: Gathered, kernel: RestKernel, strength: float) -> RestPart:
    marks = _rest_marks(some.rest, kernel, LANDMARKS)
    solved = ridge(_rest_batches(some, some.rest, kernel, marks), kernel.of(some.frame, marks, marks))
    return RestPart(torch.tensor(kernel), **marks._asdict(), weights=solved(strength))


def _phrase_marks(sample: PhraseSample, count: int) -> Any:
    order = torch.randperm(len(sample.off), generator=torch.Generator().manual_seed(0))[:count].sort()[0]
    return sample.rows.pick(order)


def _phrase_ridge(some: Gathered, sample: PhraseSample, kernel: PhraseKernel, marks: Any, share: float) -> Any:
    batch = (kernel.of(some.frame, sample.rows, marks), sample.off - share * sample.kept, torch.ones(len(sample.off)))
    return ridge([batch], kernel.of(some.frame, marks, marks))


def _kept_share(sample: PhraseSample) -> float:
    """Return the share of the old phrase's residual that is best kept."""
    return float((sample.off * sample.kept).sum() / sample.kept.square().sum().clamp(min=1e-12))


def _phrase_parts(some: Gathered, kernel: PhraseKernel, strength: float) -> dict[str, PhrasePart]:
    """Return what may write a phrase's rows, by its name."""
    sample = stacked_phrases(some.phrases)
    share, marks = _kept_share(sample), _phrase_marks(sample, PHRASE_LANDMARKS)
    weights = _phrase_ridge(some, sample, kernel, marks, share)(strength)
    none = sample.rows.pick(slice(0, 0))._asdict()

    def plain(kept: float) -> PhrasePart:
        return PhrasePart(torch.tensor([kept, kernel.level]), **none, weights=weights[:0])

    return {
        "replace": plain(0.0),
        "shortcut": plain(1.0),
        "share": plain(share),
        "kernel": PhrasePart(torch.tensor([share, kernel.level]), **marks._asdict(), weights=weights),
    }


def _rest_part(chosen: str, some: Gathered, kernel: RestKernel, strength: float) -> RestPart | None:
    if chosen == "levels":
        return None
    made = _fit_rest(some, kernel, strength)
    return made if chosen == "kernel" else _empty(made)


def _empty(part: RestPart) -> RestPart:
    """Return a part without landmarks, which adds nothing."""
    return RestPart(part.constants, **part.marks.pick(slice(0, 0))._asdict(), weights=part.weights[:0])


def _rest_errors(some: Gathered, part: RestPart, judged: Sequence[Judged]) -> Errors:
    operator, errors = (
        Operator(some.frame, some.outputs, part, None),
        dict.fromkeys(("nothing", "levels", "kernel"), 0.0),
    )
    for sample, levels, _ in judged:
        step = operator.rest_step(sample.x, sample.spot, sample.old, *swap_code(some.frame, sample.old, sample.new))
        for name, one in (("nothing", torch.zeros_like(step)), ("levels", levels), ("kernel", step)):
            errors[name] += float((sample.moved - one).square().sum())
    return errors


def _phrase_errors(some: Gathered, parts: Mapping[str, PhrasePart], judged: Sequence[Judged]) -> Errors:
    errors = dict.fromkeys(("levels", *parts), 0.0)
    for sample, _, levels in judged:
        assert sample.new is not None
        written = sample.written[: len(levels)]
        errors["levels"] += float((written - levels).square().sum())
        for name, part in parts.items():
            made = Operator(some.frame, some.outputs, None, part).phrase_rows(
                sample.x, sample.spot, sample.old, sample.new
            )
            errors[name] += float((written - made[: len(levels)]).square().sum())
    return errors


def _least(errors: Errors) -> str:
    return min(errors, key=errors.__getitem__)


def _shares(errors: Errors) -> Errors:
    """Return errors as shares of the largest, which is mostly what doing nothing leaves."""
    most = max(errors.values()) or 1.0
    return {name: round(error / most, 4) for name, error in errors.items()}
