"""Where a prompt may speak of a category in words that the table lacks: the best place by the soft score, as an offer.

Everywhere this would read much that is not there; for the one category that an edit names it is worth to be asked
about. Nothing is edited there unless the offer is accepted (``accepted``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from einops import reduce
from torch import Tensor

from ..dictionary.model import Dictionary
from ..encoders.base import Encoder
from .known_text import KnownText
from .members import narrowed
from .places import Found, score_places
from .readout import Reading
from .scene import Scene
from .text_end import codes_of

TOLD, SURE, LIKELY, GUESS = HOW_SURE = "told", "sure", "likely", "a guess"
"""How sure an offer is: told by the person, or read."""
STRANGE = 0.2
"""Score per code from which on a row is no filler: so are 95 % of the places of words that Portraits' table lacks, and
3 % of the best places in prompts that say nothing of the category."""
OTHERS = 1.0
"""How much better, a token, another category's phrases may stand there than the offered one's."""


class Offer(NamedTuple):
    """A place that may speak of a category."""

    category: str
    rows: Mapping[str, tuple[int, ...]]
    """encoder → its rows; the leading one's are among them"""
    words: str
    """empty where the text is not known"""
    how: str
    """one of ``HOW_SURE``"""
    scores: Mapping[int, float]
    """phrase of the category → its best score a token there"""

    def nearest(self, dictionary: Dictionary, but: int | None = None) -> int:
        """Return the category's phrase that is nearest to what stands there, other than a concept's."""
        table = dictionary.table
        left = {slot: score for slot, score in self.scores.items() if table.phrases[slot].concept != but}
        return max(left or self.scores, key=self.scores.__getitem__)


def offer(
    dictionary: Dictionary, cond: Tensor, reading: Reading, category: str, text: KnownText | None = None, at: str = ""
) -> Offer | None:
    """Return the place of a conditioning (L, width) that may speak of a category; None if it has no free words.

    Args:
        dictionary: of the category.
        cond: the rows that were read.
        reading: what is said; those words are taken.
        category: that is not said.
        text: the words, if they are known: an offer is then widened up to the next mark or joiner, else row by row.
        at: words of the text that are meant, instead of looking.

    Raises:
        ValueError: if the text is not known, or does not say these words.
    """
    members = dictionary.table.category(category)
    category = dictionary.table.concepts[members[0]].category
    if dictionary.members:
        return _offer_together(dictionary, cond, reading, category, text, at)
    return _offer(dictionary, cond, reading, category, text, at, _taken(reading))


def _taken(reading: Reading) -> dict[str, set[int]]:
    """Return, by encoder, the rows that found phrases have."""
    return {name: {row for span in one.spans for row in span.rows} for name, one in reading.layouts.items()}


def _offer_together(
    dictionary: Dictionary, cond: Tensor, reading: Reading, category: str, text: KnownText | None, at: str
) -> Offer | None:
    """Return the surest of what the members of a combined dictionary offer that know the category."""
    best: Offer | None = None
    for one in dictionary.members:
        own = [
            one.own_concept[concept] for concept in dictionary.table.category(category) if concept in one.own_concept
        ]
        if not own:
            continue
        name, known = one.dictionary.table.concepts[own[0]].category, narrowed(dictionary, one, reading)
        made = _offer(one.dictionary, cond, known, name, text, at, _taken(reading))
        scores = {one.phrases[slot]: score for slot, score in (made.scores if made else {}).items()}
        scores = {slot: score for slot, score in scores.items() if slot >= 0}
        if made is not None and scores and (best is None or HOW_SURE.index(made.how) < HOW_SURE.index(best.how)):
            best = made._replace(category=category, scores=scores)
    return best


def _offer(
    dictionary: Dictionary, cond: Tensor, reading: Reading, category: str, text: KnownText | None, at: str,
    taken: Mapping[str, set[int]],
) -> Offer | None:  # fmt: skip
    """Make an offer, as ``offer`` says; ``taken`` are rows that are none, by encoder."""
    members = dictionary.table.category(category)
    lead, words = reading.encoders(dictionary.family)[-1], range(0)
    spot = _Rows(dictionary, lead, cond, reading, members, taken)
    if at:
        words = require_text(text, at).find(at)
    elif not spot.free:
        return None
    rows = dict[str, tuple[int, ...]]()
    if text is not None:
        words = words or text.widened(lead, reading.rows, spot.core, spot.taken)
        if not words:
            return None
        for encoder in reading.encoders(dictionary.family):
            rows[encoder.name] = text.rows(encoder, reading.rows, words)
    else:
        for encoder in reading.encoders(dictionary.family):
            own = spot if encoder == lead else _Rows(dictionary, encoder, cond, reading, members, taken)
            if own.free:
                rows[encoder.name] = own.run()
    scores = spot.scores(rows[lead.name])
    how = TOLD if at else spot.how(rows[lead.name])
    return Offer(category, rows, text.said(words) if text else "", how, scores)


def require_text(text: KnownText | None, at: str) -> KnownText:
    """Refuse to look for words where none are known."""
    if text is None:
        raise ValueError(f"The words {at!r} cannot be found: the text of this conditioning is not known.")
    return text


class _Rows:
    """One encoder's rows of the text that no found phrase has, and how well the category's phrases stand there."""

    def __init__(
        self, dictionary: Dictionary, encoder: Encoder, cond: Tensor, reading: Reading, members: Sequence[int],
        taken: Mapping[str, set[int]],
    ) -> None:  # fmt: skip
        """Score every phrase at every place."""
        table, part = dictionary.table, dictionary.parts[encoder.name]
        spans = reading.layouts[encoder.name].spans
        self.taken = taken[encoder.name]
        scene = Scene(dictionary, encoder, cond, reading.rows)
        places = score_places(scene, [Found(*span[:2], 0.0) for span in spans])
        self.words = places.words
        self.places = list[tuple[float, int, tuple[int, ...]]]()
        """(score a token, phrase, rows) of every phrase at every free place"""
        for phrase, row in enumerate(places.table.tolist()):
            for place, score in enumerate(row):
                own = tuple(places.words[place : place + int(part.slot_tokens[phrase])])
                if math.isfinite(score) and self.taken.isdisjoint(own):
                    self.places.append((score / len(own), phrase, own))
        self.members = {slot for slot, phrase in enumerate(table.phrases) if phrase.concept in members}
        best = max((one for one in self.places if one[1] in self.members), default=None)
        self.free = best is not None
        self.strange = _strange(dictionary, encoder, cond, places.words)
        if best is not None:
            self.core = max(best[2], key=self.strange.__getitem__)

    def run(self) -> tuple[int, ...]:
        """Return the strange rows around the core, none of them taken."""
        at, found = self.words.index(self.core), [self.core]
        for step in (-1, 1):
            place = at + step
            while 0 <= place < len(self.words) and self._goes_on(self.words[place], found[0 if step < 0 else -1]):
                found.insert(0 if step < 0 else len(found), self.words[place])
                place += step
        return tuple(found)

    def _goes_on(self, row: int, beside: int) -> bool:
        return abs(row - beside) == 1 and row not in self.taken and self.strange[row] >= STRANGE

    def scores(self, rows: Sequence[int]) -> dict[int, float]:
        """Return the best score a token of every phrase of the category that shares a row with these."""
        found = dict.fromkeys(self.members, -math.inf)
        for score, phrase, own in self.places:
            if phrase in found and not set(rows).isdisjoint(own):
                found[phrase] = max(found[phrase], score)
        return found

    def how(self, rows: Sequence[int]) -> str:
        """Return how sure it is that rows speak of the category: unlike fillers, and of it rather than of another."""
        near = [one for one in self.places if not set(rows).isdisjoint(one[2])]
        own = max((score for score, phrase, _ in near if phrase in self.members), default=-math.inf)
        others = max((score for score, phrase, _ in near if phrase not in self.members), default=-math.inf)
        if self.strange[self.core] < STRANGE or own < others - OTHERS:
            return GUESS
        return SURE if own >= others else LIKELY


def _strange(dictionary: Dictionary, encoder: Encoder, cond: Tensor, rows: Sequence[int]) -> dict[int, float]:
    """Return row → log-likelihood ratio per code of being a word of some concept rather than of none."""
    part, slot = dictionary.parts[encoder.name], dictionary.role("other")
    codes = codes_of(part, encoder, cond[list(rows)])
    text, filler = (
        reduce(((codes - mean) @ whitener).square(), "row code -> row", "sum")
        for mean, whitener in ((part.mean_code, part.whiten_tokens), (part.slot_codes[slot, 0], part.whiten_slot))
    )
    base = part.whiten_tokens.diagonal().log().sum() - part.whiten_slot.diagonal().log().sum()
    return dict(zip(rows, (((filler - text) / 2 + base) / codes.shape[1]).tolist(), strict=True))


def accepted(dictionary: Dictionary, reading: Reading, taken: Offer, but: int | None = None) -> Reading:
    """Return the reading with an offer as a mention: of the nearest phrase of another concept than ``but``."""
    phrase = taken.nearest(dictionary, but)
    return reading.mentioning(phrase, taken.rows, taken.scores[phrase])
