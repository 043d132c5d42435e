"""The concept table: categories of mutually exclusive concepts, each with the phrases a prompt may use for it."""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from ..words import folded, prompt_syntax

PHRASE_WORDS = 8
"""Longest phrase in whitespace words: longer ones cost prompt room and are rarely written again word for word."""
MARKS = ",.;:!?"
"""Punctuation that may stand behind a word without belonging to it."""


class TableError(ValueError):
    """Why a concept table cannot be read, and where in its text."""

    def __init__(self, message: str, about: tuple[str, ...] = (), place: tuple[int, int] | None = None) -> None:
        """Take a sentence, what it is about (category, concept, phrase, as far as it goes), line and column from 1."""
        super().__init__(message)
        self.about, self.place = about, place


@dataclass(frozen=True)
class Concept:
    """One value of a category, spelled ``category: name``; the first phrase is the one an edit writes."""

    category: str
    name: str
    phrases: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.category}: {self.name}"


@dataclass(frozen=True)
class Phrase:
    """One wording of a concept; its tokens are one slot in every text encoder."""

    concept: int
    text: str

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(self.text.split())


@dataclass(frozen=True)
class ConceptTable:
    """Concepts in order; the order is the meaning of every label column and code row."""

    concepts: tuple[Concept, ...]

    def __post_init__(self) -> None:
        _check(self.concepts)

    def __len__(self) -> int:
        return len(self.concepts)

    @cached_property
    def categories(self) -> dict[str, tuple[int, ...]]:
        """Category → indices of its concepts."""
        found: dict[str, list[int]] = {}
        for index, concept in enumerate(self.concepts):
            found.setdefault(concept.category, []).append(index)
        return {name: tuple(members) for name, members in found.items()}

    @cached_property
    def category_of(self) -> tuple[int, ...]:
        """Index of every concept's category, in the order of ``categories``."""
        order = {name: index for index, name in enumerate(self.categories)}
        return tuple(order[concept.category] for concept in self.concepts)

    @cached_property
    def phrases(self) -> tuple[Phrase, ...]:
        """All phrases, concept by concept; the index is the slot number."""
        found: list[Phrase] = []
        for index, concept in enumerate(self.concepts):
            found += [Phrase(index, text) for text in concept.phrases]
        return tuple(found)

    @cached_property
    def words(self) -> frozenset[str]:
        """All words of all phrases, case folded."""
        written = itertools.chain.from_iterable(phrase.words for phrase in self.phrases)
        return frozenset(trim(word.casefold()) for word in written)

    @cached_property
    def first_phrase(self) -> tuple[int, ...]:
        """Index into ``phrases`` of the phrase an edit writes, per concept."""
        first: dict[int, int] = {}
        for index, phrase in enumerate(self.phrases):
            first.setdefault(phrase.concept, index)
        return tuple(first[index] for index in range(len(self)))

    def index(self, spelling: str) -> int:
        """Return the index of the concept spelled ``category: name``.

        Raises:
            ValueError: naming the nearest spellings.
        """
        wanted, spellings = normal(spelling), self._spellings
        if wanted in spellings:
            return spellings[wanted]
        raise ValueError(f"There is no concept {spelling!r} in this table. {self._nearest(wanted, spellings)}")

    @cached_property
    def _spellings(self) -> dict[str, int]:
        """Normal spelling → index of every concept."""
        return {normal(str(concept)): index for index, concept in enumerate(self.concepts)}

    def category(self, name: str) -> tuple[int, ...]:
        """Return the concept indices of a category.

        Raises:
            ValueError: naming the categories there are.
        """
        wanted = normal(name)
        for category, members in self.categories.items():
            if normal(category) == wanted:
                return members
        raise ValueError(f"There is no category {name!r} in this table. It has: {', '.join(self.categories)}.")

    def _nearest(self, wanted: str, spellings: Mapping[str, int]) -> str:
        by_name = [key for key in spellings if wanted and wanted.split(":")[-1].strip() == key.split(": ")[-1]]
        close = by_name + difflib.get_close_matches(wanted, spellings, n=3, cutoff=0.5)
        shown = [str(self.concepts[spellings[key]]) for key in dict.fromkeys(close)]
        if shown:
            return f"Did you mean {', '.join(repr(name) for name in shown[:3])}?"
        return f"Write 'category: name'; the categories are: {', '.join(self.categories)}."

    def to_json(self) -> dict[str, dict[str, list[str]]]:
        """Return the long form, a mapping category → concept → phrases."""
        found: dict[str, dict[str, list[str]]] = {}
        for concept in self.concepts:
            found.setdefault(concept.category, {})[concept.name] = list(concept.phrases)
        return found


def trim(word: str) -> str:
    """Cut the punctuation behind a whitespace word."""
    return word.rstrip(MARKS) or word


def spaced(text: str) -> str:
    """Return a text with blanks for the underscores of tags, ``red_hair``."""
    return re.sub(r"(?<=\w)_+(?=[^\W_])", " ", text)


def normal(text: str) -> str:
    """Fold case, blanks and what looks alike, so that spellings compare as a person reads them."""
    return ": ".join(" ".join(part.split()) for part in folded(text).casefold().split(":"))


def _check(concepts: tuple[Concept, ...]) -> None:
    spellings: set[str] = set()
    phrases: dict[str, str] = {}
    for concept in concepts:
        about = (concept.category, concept.name)
        if not concept.category.strip() or not concept.name.strip() or ":" in concept.category:
            raise TableError(
                f"Concept {str(concept)!r} needs a category and a name, and no ':' in the category.", about
            )
        if normal(str(concept)) in spellings:
            raise TableError(f"Concept {str(concept)!r} is listed twice. Merge the two lists of phrases.", about)
        spellings.add(normal(str(concept)))
        if not concept.phrases:
            raise TableError(f"Concept {str(concept)!r} has no phrase. Write at least one.", about)
        for phrase in concept.phrases:
            key = folded(phrase).casefold()
            if wrong := _wrong_phrase(str(concept), phrase, key, phrases):
                raise TableError(wrong, (*about, phrase))
            phrases[key] = str(concept)
    categories: set[str] = set()
    for name, members in itertools.groupby(concepts, key=lambda concept: concept.category):
        if normal(name) in categories:
            raise TableError(
                f"Category {name!r} is listed twice. Write its concepts in one place, spelled alike.", (name,)
            )
        categories.add(normal(name))
        if len(list(members)) < 2:
            raise TableError(
                f"Category {name!r} has one concept only, so there is nothing to tell it from. "
                "Add another value (it may be a 'none', such as 'no hat').",
                (name,),
            )


def _wrong_phrase(concept: str, phrase: str, key: str, seen: Mapping[str, str]) -> str:
    if not key:
        return f"Concept {concept!r} has an empty phrase. Remove it or write words."
    if len(key.split()) > PHRASE_WORDS:
        return f"The phrase {phrase!r} of {concept!r} has more than {PHRASE_WORDS} words. Shorten it."
    if key[-1] in MARKS or not any(char.isalnum() for char in key):
        return f"The phrase {phrase!r} of {concept!r} must have letters and end without any of {MARKS}"
    if syntax := prompt_syntax(phrase):
        return f"The phrase {phrase!r} of {concept!r} holds {syntax}, which is not written in words. Write the words."
    if key in seen:
        return f"The phrase {phrase!r} belongs to {seen[key]!r} and to {concept!r}. Give each its own."
    return ""
