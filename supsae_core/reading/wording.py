"""A prompt's text, word by word, with what is understood of it: for whoever shows it underlined."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from torch import Tensor

from ..dictionary.model import Dictionary
from .known_text import KnownText
from .offer import SURE, offer
from .readout import Reading

SAID = "said"
"""How a piece speaks of a concept: in words that were read."""
NEAR = -4.5
"""Score a token from which on words outside the table are shown as an offer. Tried on Portraits: *blonde girl*, *cap*
and *golden locks* have −3.3 to −3.8 for hair and hat, what speaks of nothing in the table −4.6 and less."""
MOST = 24
"""Categories up to which offers are looked for: each costs a search of the whole prompt."""


class Piece(NamedTuple):
    """Neighbouring words that belong together."""

    text: str
    category: str = ""
    """that they speak of; empty if of none"""
    concept: str = ""
    """that they say, or are nearest to"""
    how: str = ""
    """``SAID``, or how sure an offer is (``offer.HOW_SURE``); empty if they speak of nothing in the table"""


def pieces(dictionary: Dictionary, cond: Tensor, reading: Reading, text: KnownText) -> list[Piece]:
    """Cut a text into pieces; none if it is not the one of the rows (L, width) that were read.

    Args:
        reading: of these rows.
        text: whose every word is in one piece, in order.
    """
    lead = dictionary.family.encoder(reading.lead)
    if text.ends_in(lead, reading.rows) not in reading.layouts[lead.name].roles.closing:
        return []
    told: list[tuple[range, Piece]] = []
    for one in reading.found:
        concept = dictionary.table.concepts[dictionary.table.phrases[one.phrase].concept]
        words = text.words_in(lead, reading.rows, one.rows)
        told.append((words, Piece(text.shown(words), concept.category, concept.name, SAID)))
    told += _offered(dictionary, cond, reading, text, [words for words, _ in told])
    return list(_in_order(text, sorted(told, key=lambda one: one[0].start)))


def _offered(
    dictionary: Dictionary, cond: Tensor, reading: Reading, text: KnownText, taken: Sequence[range]
) -> Iterator[tuple[range, Piece]]:
    """Find words that may speak of categories which are not said, the likeliest first; no words twice."""
    table, found = dictionary.table, []
    said = {table.concepts[one].category for one in reading.concepts(dictionary)}
    if len(table.categories) > MOST:
        return
    for category in table.categories:
        made = None if category in said else offer(dictionary, cond, reading, category, text)
        if made is not None and made.words and made.how == SURE and (score := max(made.scores.values())) >= NEAR:
            found.append((score, made))
    free = [word for word in range(len(text.words)) if not any(word in one for one in taken)]
    for _, made in sorted(found, key=lambda one: -one[0]):
        words = text.find(made.words)
        if all(word in free for word in words):
            concept = table.concepts[table.phrases[made.nearest(dictionary)].concept]
            yield words, Piece(text.shown(words), made.category, concept.name, made.how)
            free = [word for word in free if word not in words]


def _in_order(text: KnownText, told: Sequence[tuple[range, Piece]]) -> Iterator[Piece]:
    """Yield pieces with what stands between them."""
    at = 0
    for words, piece in told:
        if words.start < at:
            continue  # a phrase that shares a word with the one before it
        if words.start > at:
            yield Piece(text.shown(range(at, words.start)))
        yield piece
        at = words.stop
    if at < len(text.words):
        yield Piece(text.shown(range(at, len(text.words))))
