"""What a known text says and its rows do not show: phrases that are spelled otherwise at their place, and weights.

A tokenizer that glues a word to the blank before it has another token for one that begins the text or a line.
"""

from __future__ import annotations

from ..dictionary.model import Dictionary
from .known_text import KnownText
from .readout import Reading


def with_hidden(dictionary: Dictionary, reading: Reading, text: KnownText) -> Reading:
    """Return the reading with the phrases that bare or weighted words of its text begin, instead of what was read."""
    phrases = sorted(enumerate(dictionary.table.phrases), key=lambda one: -len(one[1].words))  # the longest first
    encoders = reading.encoders(dictionary.family)
    for start in sorted(text.bare | {word for word, weight in enumerate(text.weights) if weight != 1}):
        said = ((number, text.begins_with(start, phrase.text)) for number, phrase in phrases)
        number, words = next(((number, words) for number, words in said if words), (0, range(0)))
        if words:
            rows = {encoder.name: text.rows(encoder, reading.rows, words) for encoder in encoders}
            reading = reading.without(rows).mentioning(number, rows, 1.0)
    return reading


def with_weights(dictionary: Dictionary, reading: Reading, text: KnownText) -> Reading:
    """Return the reading with the prompt weights of its text."""
    if not text.weights:
        return reading
    layouts = dict(reading.layouts)
    for encoder in reading.encoders(dictionary.family):
        said = [(span, text.words_in(encoder, reading.rows, span.rows)) for span in layouts[encoder.name].spans]
        spans = (span._replace(weight=text.weights[words.start]) if words else span for span, words in said)
        layouts[encoder.name] = layouts[encoder.name]._replace(spans=tuple(spans))
    return reading._replace(layouts=layouts)
