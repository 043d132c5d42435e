"""Phrases that a known text says and its rows do not show, since their tokenizer spells them otherwise at that place.

A tokenizer that glues a word to the blank before it has another token for one that begins the text or a line.
"""

from __future__ import annotations

from ..dictionary.model import Dictionary
from .known_text import KnownText
from .readout import Reading


def with_bare(dictionary: Dictionary, reading: Reading, text: KnownText) -> Reading:
    """Return the reading with the phrases that bare words of its text begin, instead of what was read there."""
    phrases = sorted(enumerate(dictionary.table.phrases), key=lambda one: -len(one[1].words))  # the longest first
    encoders = reading.encoders(dictionary.family)
    for start in sorted(text.bare):
        said = ((number, text.begins_with(start, phrase.text)) for number, phrase in phrases)
        number, words = next(((number, words) for number, words in said if words), (0, range(0)))
        if words:
            rows = {encoder.name: text.rows(encoder, reading.rows, words) for encoder in encoders}
            reading = reading.without(rows).mentioning(number, rows, 1.0)
    return reading
