"""What reads where changes were made, and away from them, once the edited rows stand in the order of writing."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from torch import Tensor

from ..dictionary.model import Dictionary
from ..reading.members import narrowed
from ..reading.places import Found, score_places
from ..reading.readout import Reading
from ..reading.scene import Scene
from .apply import Edited
from .change import Change
from .members import rows_for_new, shares
from .room import changed_spans, room_for


class Standing(NamedTuple):
    """What reads at one place of a change."""

    wanted: Found | None
    """the best phrase of the concept that should be read there; None if nothing should"""
    rival: Found
    """the best phrase of the category's other concepts; without rows if there is none"""
    taken: tuple[int, ...]
    """all rows of the change"""

    def margin(self, least: float) -> float:
        """Return how clearly the wanted phrase is read, against others and the least score; or how clearly none is."""
        if self.wanted is None:
            return least - self.rival.score
        return self.wanted.score - max(least, self.rival.score)


class EditedText:
    """The edited rows of the leading encoder, every phrase at every place. Built per call and dropped."""

    def __init__(
        self, dictionary: Dictionary, scenes: Mapping[str, Scene], made: Edited, after: Reading, order: Sequence[int]
    ) -> None:
        """Score the edited rows, which stand in their order and of which there are scenes; ``after`` was read there."""
        reading = made.reading
        self.dictionary, self.reading, self.after, self.order = dictionary, reading, after, order
        self.encoder = after.encoders(dictionary.family)[-1]
        self.layout, self.at = reading.layouts[self.encoder.name], {row: place for place, row in enumerate(order)}
        asked = list(chain.from_iterable(chain(*self._phrases(change)) for change in made.changes))
        places = score_places(scenes[self.encoder.name], after.found, asked)
        self.words, self.scores = places.words, places.table.tolist()
        part = dictionary.parts[self.encoder.name]
        self.least, self.lengths = float(part.thresholds[1]), part.slot_tokens.tolist()
        self.written = dict[int, tuple[int, ...]]()
        if self.encoder.layout.has_pads:
            room = room_for(reading.coded(dictionary, self.encoder), self.layout, made.changes, made.inserted)
            self.written = {id(one.change): one.rows for one in room.written}

    def standing(self, change: Change) -> Standing:
        """Return what reads where a change was made; of several mentions, at the one where it stands worst."""
        places = self._places_of(change)
        own, others = self._phrases(change)
        taken = tuple(sorted(chain.from_iterable(places)))
        found = [Standing(self._best(own, rows) if own else None, self._best(others, rows), taken) for rows in places]
        return min(found, key=lambda one: one.margin(self.least))

    def beside(self, taken: Collection[int]) -> tuple[list[Found], list[Found]]:
        """Return what is read away from all changes, which took some rows, as ``beside`` does."""
        return beside(self.reading, self.after, self.order, taken)

    def usual(self, phrase: int) -> float:
        """Return the score that a phrase as long as this one has where it is written, by all that was read before."""
        read = [one for one in self.reading.found if one.score >= self.least]  # not offers that were taken
        each = [one.score / len(one.rows) for one in read]
        return sum(each) / len(each) * self.lengths[phrase] if each else self.least

    def outside(self, change: Change) -> bool:
        """Tell whether a change replaces words outside the table: an offer that was taken, not what was read."""
        return any(one.score < self.least for one in self.reading.found if self.concept(one) == change.old)

    def concept(self, found: Found) -> int:
        return self.dictionary.table.phrases[found.phrase].concept

    def _places_of(self, change: Change) -> list[tuple[int, ...]]:
        """Return the rows of every mention that a change was made at, as they stand in their order."""
        pads = self.written.get(id(change), ()) if self.encoder.layout.has_pads else self.layout.roles.pad
        spans = changed_spans(self.dictionary, self.layout, change) if change.old is not None else []
        places = [span.rows for span in spans] or [pads]
        if spans and pads:  # only at the first one a reader is shown all tokens side by side (``written_order``)
            places = [(*places[0], *pads)]
        return [tuple(self.at[row] for row in rows) for rows in places]

    def _phrases(self, change: Change) -> tuple[list[int], list[int]]:
        """Return the phrases that should be read where a change was made, and those of its category's others."""
        table = self.dictionary.table
        wanted = change.old if change.scale or change.alpha < 0 else change.new  # below 0 a change leads away
        own = [slot for slot, phrase in enumerate(table.phrases) if phrase.concept == wanted]
        members = table.category(category_of(self.dictionary, change))
        alike = [slot for slot, phrase in enumerate(table.phrases) if phrase.concept in members]
        return own, [slot for slot in alike if slot not in own]

    def _best(self, phrases: Sequence[int], rows: Sequence[int]) -> Found:
        """Return the best place of some phrases among those that share a row with others."""
        best, near = Found(-1, (), -math.inf), [place for place, row in enumerate(self.words) if row in {*rows}]
        for phrase in phrases:
            scores, length = self.scores[phrase], self.lengths[phrase]
            for place in sorted({one - back for one in near for back in range(length) if one >= back}):
                if scores[place] > best.score:
                    best = Found(phrase, tuple(self.words[place : place + length]), scores[place])
        return best


def edited_texts(
    dictionary: Dictionary,
    edited: tuple[Tensor, Mapping[str, Scene]],
    made: Edited,
    after: Reading,
    order: Sequence[int],
) -> list[tuple[EditedText, Change]]:
    """Return, per change, the edited text as who made it reads it, and the change in that one's numbers.

    Args:
        edited: the rows (L, width) in their order, and their scenes as ``read_scenes`` has them.
        made, after, order: as of ``EditedText``.
    """
    found = dict[int, tuple[EditedText, Change]]()
    encoder = after.encoders(dictionary.family)[-1]
    inserted = rows_for_new(dictionary, encoder, made.reading, made.changes, made.inserted)
    for one in shares(dictionary, made.reading, made.changes):
        own = made._replace(reading=one.reading, changes=[*one.changes], inserted=one.inserted(inserted))
        then = after if one.member is None else narrowed(dictionary, one.member, after)
        rows, scenes = edited
        if one.member is not None:
            scenes = {encoder.name: Scene(one.dictionary, encoder, rows, then.rows)}
        text = EditedText(one.dictionary, scenes, own, then, order)
        found |= {id(whole): (text, change) for whole, change in zip(one.given, one.changes, strict=True)}
    return [found[id(change)] for change in made.changes]


def beside(
    before: Reading, after: Reading, order: Sequence[int], taken: Collection[int]
) -> tuple[list[Found], list[Found]]:
    """Return what is read away from changes, before and after, in order of writing.

    Args:
        order: the rows before, as they stand after.
        taken: rows after that changes have.
    """
    at, taken = {row: place for place, row in enumerate(order)}, frozenset(taken)
    was = [one for one in before.found if taken.isdisjoint(at[row] for row in one.rows)]
    return was, [one for one in after.found if taken.isdisjoint(one.rows)]


def category_of(dictionary: Dictionary, change: Change) -> str:
    """Return the category that a change is made in."""
    concept = change.old if change.new is None else change.new
    assert concept is not None
    return dictionary.table.concepts[concept].category
