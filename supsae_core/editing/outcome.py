"""What became of every change: the edited rows are read again, as they would be written (docs/method.md, 10 and 12).

The dictionary reads what the dictionary wrote. So this tells whether a change is strong enough, whether its place fits
and what else moved; not whether the dictionary knows the encoder well, which its report says.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

from ..dictionary.clash import FILLER
from ..dictionary.model import Dictionary
from ..reading.places import Found
from ..reading.readout import Reading, read_scenes
from ..table.concepts import normal
from .apply import Edited, ordered, ordered_codes, written_order
from .change import Change
from .members import standing_in
from .mix_report import by_category
from .room import changed_spans
from .standing import EditedText, Standing, beside, category_of, edited_texts

TOOK, WEAK, FAILED = VERDICTS = "took", "weak", "did not take"
SURE, GONE = 0.5, 1.0
"""How far above the least score that counts, or below it where words are to go, counts as taken: in units of what
written words are above it. So judged, 92 of 93 swaps of Portraits that took, 42 of 55 weak ones and 6 of 44 that did
not take were drawn (strengths 0.25 to 2), and of removals 43 of 57, 3 of 15 and 1 of 24."""


class ChangeOutcome(NamedTuple):
    """What became of one change."""

    change: Change
    verdict: str
    """one of ``VERDICTS``"""
    score: float
    """of what is wanted at its place; where words are to go, of the most that is left of their category"""
    margin: float
    """by how much it is above the least score that counts and above the category's other values there; where words are
    to go, by how much they are below the least score"""
    reason: str = ""
    """why it did not simply take"""


class Unasked(NamedTuple):
    """A category that reads differently away from all changes."""

    category: str
    before: tuple[str, ...]
    """names of its concepts, in order of writing"""
    after: tuple[str, ...]


class ReadAgain(NamedTuple):
    """What an edited conditioning says, held against what was asked for."""

    outcomes: tuple[ChangeOutcome, ...]
    """one a change"""
    unasked: tuple[Unasked, ...]
    reading: Reading | None
    """of the rows in order, as the leading encoder has it; None if they cannot be read any more"""


def read_again(dictionary: Dictionary, made: Edited) -> ReadAgain:
    """Read an edited conditioning again and hold it against the changes that the dictionary made.

    The encoder leads that led before: rows of another one could not be held against those of the changes.
    """
    reading, changes = made.reading, made.changes
    if not changes:
        return ReadAgain((), (), reading)
    order = written_order(dictionary, made)
    rows = ordered(made.cond, order).float().cpu()
    try:
        codes = ordered_codes(made, order)
        after, scenes = read_scenes(dictionary, rows, led_by=reading.lead, codes=codes, lead_alone=True)
    except ValueError as error:
        why = f"the edited rows cannot be read any more: {error}"
        return ReadAgain(tuple(ChangeOutcome(one, FAILED, -math.inf, -math.inf, why) for one in changes), (), None)
    texts = edited_texts(dictionary, (rows, scenes), made, after, order)
    standings = [text.standing(change) for text, change in texts]
    taken = frozenset(chain.from_iterable(one.taken for one in standings))
    outcomes, instead = list[ChangeOutcome](), standing_in(dictionary, reading, changes)
    for whole, (text, change), standing in zip(changes, texts, standings, strict=True):
        before, now = text.beside(taken)
        said = {text.concept(one) for one in before}
        found = _outcome(text, change, standing, [one for one in now if text.concept(one) not in said])
        outcomes.append(_in_every_encoder(dictionary, reading, found._replace(change=whole)))
    outcomes = [_stood_in(dictionary, one, instead) for one in outcomes]
    before, now = beside(reading, after, order, taken)
    return ReadAgain(tuple(outcomes), _unasked(dictionary, before, now), after)


def by_categories(dictionary: Dictionary, found: ReadAgain) -> dict[str, tuple[str, str]]:
    """Return category → the worst verdict on its changes, and the reason."""
    worst: dict[str, ChangeOutcome] = {}
    for one in found.outcomes:
        name = category_of(dictionary, one.change)
        if name not in worst or VERDICTS.index(one.verdict) > VERDICTS.index(worst[name].verdict):
            worst[name] = one
    return {name: (one.verdict, one.reason) for name, one in worst.items()}


def tell(dictionary: Dictionary, found: ReadAgain) -> list[str]:
    """Return a line on every change that did not simply take, and on what changed though nobody asked."""
    told = [one for one in found.outcomes if one.verdict != TOOK or one.reason]
    lines = [_told(dictionary, one) for one in told]
    for name, before, after in found.unasked:
        was, now = (", ".join(some) or "nothing" for some in (before, after))
        lines.append(f"{name} reads {now} now and {was} before, though nobody asked")
    return lines


def _told(dictionary: Dictionary, one: ChangeOutcome) -> str:
    """Say what is asked for and how it fell short, in whole sentences: other languages order their words otherwise."""
    (old, new), why = _names(dictionary, one.change), one.reason
    if one.verdict == TOOK:
        return f"{new or old} took, but {why}"
    if one.verdict == WEAK:
        gone = f"scaling {old} is weak: {why}" if one.change.scale else f"removing {old} is weak: {why}"
        return f"{new} is weak: {why}" if new else gone
    gone = f"scaling {old} did not take: {why}" if one.change.scale else f"removing {old} did not take: {why}"
    return f"{new} did not take: {why}" if new else gone


def to_json(dictionary: Dictionary, found: ReadAgain) -> dict[str, Any]:
    """Return what JSON can hold: concepts by their names, null for a score of what cannot be read."""
    return {
        "outcomes": [_outcome_to_json(dictionary, one) for one in found.outcomes],
        "unasked": [{**one._asdict(), "before": [*one.before], "after": [*one.after]} for one in found.unasked],
        "readable": found.reading is not None,
    }


def _outcome_to_json(dictionary: Dictionary, one: ChangeOutcome) -> dict[str, Any]:
    old, new = _names(dictionary, one.change)
    score, margin = (round(value, 3) if math.isfinite(value) else None for value in (one.score, one.margin))
    return {"old": old, "new": new, "outcome": one.verdict, "score": score, "margin": margin, "reason": one.reason}


def _names(dictionary: Dictionary, change: Change) -> list[str | None]:
    return [None if one is None else str(dictionary.table.concepts[one]) for one in (change.old, change.new)]


def _unasked(dictionary: Dictionary, before: Sequence[Found], now: Sequence[Found]) -> tuple[Unasked, ...]:
    """Return the categories that read differently away from all changes."""
    table = dictionary.table
    old, new = (by_category(table, [table.phrases[one.phrase].concept for one in some]) for some in (before, now))
    moved = [name for name in old if old[name] != new[name] and normal(name) != FILLER]  # of which nothing is shown
    return tuple(Unasked(name, tuple(old[name]), tuple(new[name])) for name in moved)


def _outcome(text: EditedText, change: Change, standing: Standing, new: Sequence[Found]) -> ChangeOutcome:
    """Judge a change; ``new`` is what is read away from all changes and was not before."""
    verdict, reason = _judged(text, change, standing)
    concepts, category = text.dictionary.table.concepts, category_of(text.dictionary, change)
    beside = [one for one in new if concepts[text.concept(one)].category == category]
    if verdict == TOOK and beside:
        words, name = _text(text, beside[0]), concepts[text.concept(beside[0])].name
        verdict, reason = WEAK, f"{words} behind it still speaks of {name}"
        if beside[0].rows < standing.taken:
            reason = f"{words} before it still speaks of {name}"
    score = (standing.wanted or standing.rival).score
    return ChangeOutcome(change, verdict, score, standing.margin(text.least), reason)


def _in_every_encoder(dictionary: Dictionary, reading: Reading, one: ChangeOutcome) -> ChangeOutcome:
    """Call weak what took where it was read, if the words were not found in another encoder: its rows did not move."""
    if one.verdict != TOOK or one.change.old is None:
        return one
    left = [repr(name) for name, layout in reading.layouts.items() if not changed_spans(dictionary, layout, one.change)]
    if not left:
        return one
    old = dictionary.table.concepts[one.change.old]
    reason = f"{old} was not found in the rows of {', '.join(left)}, which stay as they were"
    return one._replace(verdict=WEAK, reason=reason)


def _stood_in(dictionary: Dictionary, one: ChangeOutcome, instead: Mapping[int, int]) -> ChangeOutcome:
    """Say of what simply took that another value was taken for the old one, where that is so."""
    if one.verdict != TOOK or id(one.change) not in instead:
        return one
    concepts, own = dictionary.table.concepts, instead[id(one.change)]
    assert one.change.old is not None
    old, other = concepts[one.change.old], concepts[own]
    known = f"only another of the combined dictionaries knows {old}, so this is less exact"
    return one._replace(reason=f"{known}: it is taken for {other}" if own >= 0 else known)


def _judged(text: EditedText, change: Change, standing: Standing) -> tuple[str, str]:
    """Return a verdict on what reads at the place itself, and why it is no better one."""
    wanted, rival = standing.wanted, standing.rival
    usual = text.usual((wanted or rival).phrase)
    if wanted is not None and change.scale and change.alpha < 0:  # to say less of it, whatever then reads
        less = wanted.score < max(one.score for one in text.reading.found if one.phrase == wanted.phrase)
        return (TOOK, "") if less else (FAILED, f"{_text(text, wanted)} reads as strong as before")
    least = text.least
    if wanted is not None and text.outside(change):  # what no phrase explains stays, so that scores are low altogether
        least, usual = rival.score, rival.score + max(usual - text.least, 0.0)
    made = verdict(wanted and wanted.score, rival.score, least, usual)
    if made == TOOK:
        return made, ""
    if wanted is None:
        told = f"{_text(text, rival)} can still be told there ({_numbers(rival.score, 2 * text.least - usual)})"
    else:  # by the phrase that an edit writes, whichever of the concept's it is nearest to
        written = wanted if change.new is None else wanted._replace(phrase=text.dictionary.phrase(change.new))
        if not math.isfinite(wanted.score):
            told = f"{_text(text, written)} is not read there at all"
        elif made == FAILED:
            numbers = _numbers(rival.score, wanted.score)
            told = f"{_text(text, rival)} reads stronger there than {_text(text, written)} ({numbers})"
        else:
            told = f"{_text(text, written)} reads weaker there than written words do ({_numbers(wanted.score, usual)})"
    return made, told + _remedy(change)


def verdict(wanted: float | None, rival: float, least: float, usual: float) -> str:
    """Judge scores at a place: of what should be read there (None: nothing should) and of the category's others.

    ``least`` is the score that counts as read, ``usual`` what words have that were written.
    """
    step = max(usual - least, 0.0)
    if wanted is None:
        return FAILED if rival >= least else TOOK if rival <= least - GONE * step else WEAK
    return FAILED if rival >= wanted else TOOK if wanted >= least + SURE * step else WEAK


def _text(text: EditedText, found: Found) -> str:
    return repr(text.dictionary.table.phrases[found.phrase].text)


def _numbers(one: float, other: float) -> str:
    return f"score {one:.1f} against {other:.1f}"


def _remedy(change: Change) -> str:
    """Return what the strength has to do with it."""
    if change.scale or abs(change.alpha) == 1:
        return ""
    return "; raise the strength" if abs(change.alpha) < 1 else "; lower the strength"
