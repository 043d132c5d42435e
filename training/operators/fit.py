"""Fit the edit operators of a dictionary: what wins on prompts that no candidate has seen is learnt from all pairs.

docs/method.md, 20. For every encoder, apart for the rows that take a new phrase and for all others, the candidates are
the levels, what is trivial (replace the phrase by its mean tokens, or keep its residual; leave the rest as it is) and
the kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any

from torch import Tensor

from ...supsae_core.capture.captures import Capture
from ...supsae_core.capture.kept import Summed
from ...supsae_core.capture.statistics import FOLDS, fold_of
from ...supsae_core.capture.typed import Typed
from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.dictionary.operator import Operator, PhrasePart, RestPart, in_half
from ...supsae_core.dictionary.operator_rows import PhraseKernel
from ...supsae_core.editing.change import Change
from ...supsae_core.editing.features import cond_step
from ...supsae_core.encoders.base import Encoder
from ...supsae_core.reading.readout import reading_of_prompt
from .lesson import JudgedPair, Lesson
from .pairs import RewritePair, pairs_of
from .phrases import chosen_phrase, phrase_parts
from .rest import chosen_rest, nothing, rest_part
from .samples import Gathered, main_directions

LEAST = 12
"""Pairs, both directions counted, below which nothing is learnt from them."""
MOST = 5000
"""Pairs, both directions counted, that are taken; of more, every so many-th."""
JUDGED = 96
"""Pairs kept apart that candidates are judged on, at most."""
TEST = FOLDS - 1
"""The fold that they are from."""
LEVELS, KERNEL = "levels", "kernel"

Errors = dict[str, float]
"""Candidate → squared error on the pairs kept apart."""


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
    some = capture.plan.family.encoders if encoders is None else encoders
    count = 2 * sum(bool(entry.of) for entry in capture.plan.entries)
    if count < LEAST:
        for _ in some:
            tick()
        return made, report
    unseen = levels()  # all ranks make it together, those without an encoder too
    lessons = _lessons(capture, statistics, typed, some) if some else {}
    if some:
        _teach(capture, lessons, unseen, -(-count // MOST), typed)
    for encoder in some:
        operator, report[encoder.name] = _operator(lessons.pop(encoder.name))
        made |= {encoder.name: in_half(operator)} if operator else {}
        tick()
    return made, report


def _lessons(
    capture: Capture, statistics: Mapping[str, Summed], typed: Typed, encoders: Sequence[Encoder]
) -> dict[str, Lesson]:
    plan = capture.plan
    inputs = main_directions(encoders, capture.read("fit", again=True), typed)
    return {one.name: Lesson.begun(plan, one, statistics[one.name], inputs[one.name], TEST) for one in encoders}


def _teach(capture: Capture, lessons: Mapping[str, Lesson], unseen: Dictionary, every: int, typed: Typed) -> None:
    """Tell every encoder's lesson of every so many-th pair, in one pass; some of one fold are judged by too."""
    apart = 0
    for pair in islice(pairs_of(capture.read("fit", again=True)), 0, None, every):
        test = fold_of(pair.root) == TEST
        for lesson in lessons.values():
            lesson.take(pair, typed, test)
        apart += test
        step = _step(unseen, pair) if test and apart <= 2 * JUDGED else None
        if step is not None:
            for lesson in lessons.values():
                lesson.judge(pair, typed, step)


def _step(unseen: Dictionary, pair: RewritePair) -> Tensor | None:
    """Return what the levels add to a prompt's rows; None if it is no swap into the phrase that an edit writes."""
    (old, new), before, table = pair.phrases, pair.before, unseen.table
    if old is None or new is None or pair.old is None:
        return None
    went, came = (table.phrases[one].concept for one in (old, new))
    if unseen.writes[came] != new:
        return None
    reading = reading_of_prompt(unseen, before.cond, before.entry.prompt, before.entry.counts)
    earlier = before.entry.prompt.support(table)[: pair.old + 1]
    try:
        change = Change(went, came, 1.0, occurrence=earlier.count(went))
        return cond_step(unseen, before.cond, reading, [change]).rows
    except ValueError:  # no room
        return None


def _operator(lesson: Lesson) -> tuple[Operator | None, dict[str, Any]]:
    """Choose by one fold among what was learnt from the others, then learn it from all."""
    some, judged = lesson.gathered(without_test=True), lesson.judged()[:JUDGED]
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
    every = lesson.gathered(without_test=False)
    learnt = rest_part(every, *rest_choice) if rest != LEVELS else None
    return Operator(
        every.frame,
        every.outputs,
        learnt if learnt is None or rest == KERNEL else nothing(learnt),
        phrase_parts(every, phrase_choice).get(phrase),
    ), report


def _rest_errors(some: Gathered, part: RestPart, judged: Sequence[JudgedPair]) -> Errors:
    """Return candidate → error; directions are orthonormal, so ‖y − z O‖² = ‖y‖² − 2 (y Oᵀ) · z + ‖z‖²."""
    errors: Errors = dict.fromkeys(("nothing", LEVELS, KERNEL), 0.0)
    for one in judged:
        said = part.kernel.of(some.frame, one.rest.rows, part.marks) @ part.weights
        errors["nothing"] += one.moved
        errors[LEVELS] += one.left
        errors[KERNEL] += one.moved + float((said * (said - 2 * one.rest.moved)).sum())
    return errors


def _phrase_errors(some: Gathered, parts: Mapping[str, PhrasePart], judged: Sequence[JudgedPair]) -> Errors:
    errors: Errors = dict.fromkeys((LEVELS, *parts), 0.0)
    for one in judged:
        errors[LEVELS] += float((one.written - one.levels).square().sum())
        for name, part in parts.items():
            kept, level = part.constants.tolist()
            made = one.mean + kept * one.residual
            if len(part.weights):
                kernel = PhraseKernel(level).of(some.frame, one.phrase.rows, part.marks)
                made = made + (kernel @ part.weights @ some.outputs)[: len(made)]
            errors[name] += float((one.written - made).square().sum())
    return errors


def _shares(errors: Errors) -> Errors:
    """Return errors as shares of the largest."""
    most = max(errors.values()) or 1.0
    return {name: round(error / most, 4) for name, error in errors.items()}
