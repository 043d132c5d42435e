"""The words of a prompt whose text is known, and the rows that they stand in."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ..encoders.base import Encoder, Rows
from ..table.concepts import trim

JOINERS = frozenset(("and", "or", "but", "with", "without", "also", "plus", "wearing", "has", "having"))
"""Words that part two phrases."""
ARTICLES = frozenset(("a", "an", "the", "some"))
"""Words that begin a phrase and are none of it."""


@dataclass(frozen=True)
class KnownText:
    """A prompt's whitespace words; punctuation stays on its word."""

    words: tuple[str, ...]
    counts: Mapping[str, Sequence[int]]
    """encoder → tokens of each word, punctuation included"""
    bare: frozenset[int] = frozenset()
    """words that stand without a blank before them, where tokenizers then spell them otherwise"""
    weights: tuple[float, ...] = ()
    """the prompt weight of each word, where its family's rows do not tell it; empty if all are 1"""
    marks: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    """encoder → word → tokens of the marks behind it, where these are not one each"""

    def said(self, words: range) -> str:
        """Return some of the words, without the marks behind them."""
        return trim(" ".join(self.words[words.start : words.stop]))

    def ends_in(self, encoder: Encoder, rows: Rows) -> int:
        """Return the row behind an encoder's rows of the text, where that ends if it is the one that was encoded."""
        return encoder.layout.place(rows.of(encoder), sum(self.counts[encoder.name]))

    def shown(self, words: range) -> str:
        """Return some of the words as they are written."""
        return " ".join(self.words[words.start : words.stop])

    def words_in(self, encoder: Encoder, rows: Rows, some: Collection[int]) -> range:
        """Return the words from the first to the last that stand in some of an encoder's rows."""
        own = [word for word in range(len(self.words)) if not {*self._all_rows(encoder, rows, word)}.isdisjoint(some)]
        return range(own[0], own[-1] + 1) if own else range(0)

    def begins_with(self, start: int, phrase: str) -> range:
        """Return the words from one on if they are a phrase; none if not."""
        wanted = [trim(word) for word in phrase.casefold().split()]
        words = range(start, start + len(wanted))
        found = [trim(word.casefold()) for word in self.words[words.start : words.stop]]
        return words if found == wanted else range(0)

    def find(self, some: str) -> range:
        """Return where words stand; of several places the first.

        Raises:
            ValueError: naming the words and the text.
        """
        for start in range(len(self.words)):
            if words := self.begins_with(start, some):
                return words
        raise ValueError(f"The prompt does not say {some!r}. It says {' '.join(self.words)!r}.")

    def rows(self, encoder: Encoder, rows: Rows, words: range) -> tuple[int, ...]:
        """Return an encoder's rows of some words, without the marks behind the last."""
        counts, own = self.counts[encoder.name], rows.of(encoder)
        first, last = sum(counts[: words.start]), self.words[words.stop - 1]
        usual = len(last) - len(trim(last))  # every mark is a token of its own
        stop = sum(counts[: words.stop]) - self.marks.get(encoder.name, {}).get(words.stop - 1, usual)
        return tuple(encoder.layout.place(own, token) for token in range(first, max(stop, first + 1)))

    def widened(self, encoder: Encoder, rows: Rows, core: int, taken: Collection[int]) -> range:
        """Return the words around the one in a row, up to the next mark, joiner or row that is taken; none if no word
        is there, but the end of the text or a pad that reads as one."""
        owner = next((i for i in range(len(self.words)) if core in self._all_rows(encoder, rows, i)), None)
        if owner is None:
            return range(0)
        first = last = owner
        while first > 0 and not self._ends(first - 1) and self._free(encoder, rows, first - 1, taken):
            first -= 1
        while last + 1 < len(self.words) and not self._ends(last) and self._free(encoder, rows, last + 1, taken):
            last += 1
        while first < owner and self.words[first].casefold() in ARTICLES:
            first += 1
        return range(first, last + 1)

    def _all_rows(self, encoder: Encoder, rows: Rows, word: int) -> tuple[int, ...]:
        counts, own = self.counts[encoder.name], rows.of(encoder)
        first = sum(counts[:word])
        return tuple(encoder.layout.place(own, token) for token in range(first, first + counts[word]))

    def _ends(self, word: int) -> bool:
        return trim(self.words[word]) != self.words[word]

    def _free(self, encoder: Encoder, rows: Rows, word: int, taken: Collection[int]) -> bool:
        joins = trim(self.words[word].casefold()) in JOINERS
        return not joins and not set(self._all_rows(encoder, rows, word)) & set(taken)
