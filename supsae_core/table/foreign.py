"""Phrases about other things than a table's, some in the table's own words: what prompts of people are full of.

Whoever learns to read without them takes "a golden frame" for golden hair, or misses the hair beside the frame.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .concepts import ConceptTable, trim

EVERYDAY = (
    "a wooden table", "two old friends", "a glass of water", "an open window", "a broken clock", "three small boats",
    "an empty chair", "a bicycle", "a loaf of bread", "an iron gate", "someone reading a letter", "a heavy bag",
    "a church tower", "a yellow bus", "a stone wall", "a cup of tea", "the market square", "an old map", "a piano",
    "wet leaves", "a narrow bridge", "a garden fence", "fresh fruit in a bowl", "a ticking watch", "a paper lantern",
    "a carved door", "a pile of books", "a farmer at work", "a torn flag", "a velvet curtain", "a round mirror",
    "an umbrella", "rusty tools", "a steep roof", "a train at the station", "a pair of gloves", "a quiet street",
    "a wine bottle", "an apple tree", "a tiled floor",
)  # fmt: skip
"""Everyday things that stand beside concepts of any table."""
SMALL = frozenset(
    ("a", "an", "and", "at", "by", "for", "from", "in", "inside", "of", "on", "or", "out", "the", "to", "two", "with")
)
"""Words that phrases may share without being about the same thing."""
EACH = 0.6
"""Chance that a word of such a phrase is one of the table's."""
TRIES = 8
"""Phrases made of a table's words before one without them is taken: most may say a concept."""


def apart(table: ConceptTable, phrases: Sequence[str]) -> tuple[str, ...]:
    """Return the phrases that share no word with any phrase of the table."""
    own = own_words(table) if phrases else frozenset[str]()
    return tuple(one for one in phrases if own.isdisjoint(_folded(one)))


def own_words(table: ConceptTable) -> frozenset[str]:
    """Return the table's words, case folded, without those that mean nothing."""
    return table.words - SMALL


def shares(table: ConceptTable, words: Sequence[str]) -> bool:
    """Tell whether some of the words are the table's."""
    return not own_words(table).isdisjoint(_folded(" ".join(words)))


def says(table: ConceptTable, text: str) -> bool:
    """Tell whether a text holds a phrase of the table word by word."""
    spaced = f" {' '.join(_folded(text))} "
    return any(f" {' '.join(_folded(phrase.text))} " in spaced for phrase in table.phrases)


def draw_foreign(table: ConceptTable, phrases: Sequence[str], rng: np.random.Generator, shared: float) -> str:
    """Draw one of the phrases that says nothing of the table, sometimes in the table's own words.

    Args:
        phrases: about anything; some share no word with the table.
        shared: chance that the table's words are tried.
    """
    plain, own = apart(table, phrases), sorted(own_words(table))
    if rng.random() >= shared or not own:
        return str(rng.choice(plain))
    near = [one for one in phrases if one not in plain and not says(table, one)]
    for _ in range(TRIES):
        made = _borrowed(str(rng.choice(plain)), own, rng)
        if near and rng.random() < 0.5:
            made = str(rng.choice(near))
        if not says(table, made):
            return made
    return str(rng.choice(plain))


def _borrowed(phrase: str, own: Sequence[str], rng: np.random.Generator) -> str:
    """Put words of a table in the place of a phrase's, at least one of them."""
    words = phrase.split()
    places = [at for at, word in enumerate(words) if word not in SMALL]
    chosen = [at for at in places if rng.random() < EACH] or [int(rng.choice(places))]
    for at in chosen:
        words[at] = str(rng.choice(own))
    return " ".join(words)


def _folded(text: str) -> list[str]:
    return [trim(word.casefold()) for word in text.split()]
