"""The concept table: categories of mutually exclusive concepts, each with the phrases a prompt may use for it."""

from __future__ import annotations

import difflib
import itertools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

PHRASE_WORDS = 8
"""Longest phrase in whitespace words: longer ones cost prompt room and are rarely written again word for word."""
MARKS = ",.;:!?"
"""Punctuation that may stand behind a word without belonging to it."""


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
        return tuple(Phrase(index, text) for index, concept in enumerate(self.concepts) for text in concept.phrases)

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
        wanted = normal(spelling)
        spellings = {normal(str(concept)): index for index, concept in enumerate(self.concepts)}
        if wanted in spellings:
            return spellings[wanted]
        raise ValueError(f"There is no concept {spelling!r} in this table. {self._nearest(wanted, spellings)}")

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
            return f"Did you mean {' or '.join(repr(name) for name in shown[:3])}?"
        return f"Write 'category: name'; the categories are: {', '.join(self.categories)}."

    def to_json(self) -> dict[str, dict[str, list[str]]]:
        """Return the long form, a mapping category → concept → phrases."""
        return {
            name: {self.concepts[i].name: list(self.concepts[i].phrases) for i in members}
            for name, members in self.categories.items()
        }


def normal(text: str) -> str:
    """Fold case and blanks, so that spellings compare as a person reads them."""
    return ": ".join(" ".join(part.split()) for part in text.casefold().split(":"))


class _UniqueKeys(yaml.SafeLoader):
    """A safe loader that reads every scalar as text and refuses a key written twice."""

    yaml_implicit_resolvers: dict[str, Any] = {}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: dict[str, int] = {}
        for key, _ in node.value:
            text, line = str(key.value), key.start_mark.line + 1
            if text in seen:
                raise ValueError(f"Concept table, line {line}: {text!r} is written twice (first in line {seen[text]}).")
            seen[text] = line
        return super().construct_mapping(node, deep)


def parse(text: str) -> ConceptTable:
    """Read a table from YAML (or JSON, which is YAML).

    Forms: ``category: [a, b]`` or ``category: a, b`` (each name is its own phrase), ``category: {name: phrase}`` and
    ``category: {name: [phrase, other phrase]}``.

    Raises:
        ValueError: naming the place and the remedy.
    """
    try:
        data = yaml.load(text, Loader=_UniqueKeys)
    except yaml.YAMLError as error:
        raise ValueError(f"The concept table is not readable YAML: {_yaml_reason(error)}") from error
    return from_mapping(data)


def from_mapping(data: object) -> ConceptTable:
    """Build a table from the parsed form (see ``parse``)."""
    if not isinstance(data, Mapping) or not data:
        raise ValueError(
            "The concept table is empty or not a mapping. Write one category a line, e.g. "
            "'hair: [blond hair, red hair]'."
        )
    concepts = [concept for category, values in data.items() for concept in _category(str(category), values)]
    return ConceptTable(tuple(concepts))


def load(path: str | Path) -> ConceptTable:
    """Read a table file (YAML or JSON, UTF-8)."""
    try:
        return parse(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"The concept table {str(path)!r} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"The concept table {str(path)!r} is not UTF-8 text.") from error


def dump(table: ConceptTable) -> str:
    """Return the table as JSON text; ``parse`` is the exact inverse."""
    return json.dumps(table.to_json(), ensure_ascii=False, indent=1)


def _category(category: str, values: object) -> Iterable[Concept]:
    if isinstance(values, str):
        values = [part.strip() for part in values.split(",")]
    if isinstance(values, Mapping) and values:
        return [Concept(category, str(name), _phrases(category, name, value)) for name, value in values.items()]
    if isinstance(values, (list, tuple)) and values and all(isinstance(name, str) for name in values):
        return [Concept(category, name, (name,)) for name in values]
    raise ValueError(
        f"The concepts of category {category!r} must be a list of texts or a mapping from name to phrases, e.g. "
        f"'{category}: [one, other]', not {values!r}."
    )


def _phrases(category: str, name: object, value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise ValueError(f"The phrases of '{category}: {name}' must be a text or a list of texts, not {value!r}.")


def _yaml_reason(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return f"{place}{getattr(error, 'problem', None) or error}."


def _check(concepts: tuple[Concept, ...]) -> None:
    spellings: set[str] = set()
    phrases: dict[str, str] = {}
    for concept in concepts:
        if not concept.category.strip() or not concept.name.strip() or ":" in concept.category:
            raise ValueError(f"Concept {str(concept)!r} needs a category and a name, and no ':' in the category.")
        if normal(str(concept)) in spellings:
            raise ValueError(f"Concept {str(concept)!r} is listed twice. Merge the two lists of phrases.")
        spellings.add(normal(str(concept)))
        if not concept.phrases:
            raise ValueError(f"Concept {str(concept)!r} has no phrase. Write at least one.")
        for phrase in concept.phrases:
            _check_phrase(concept, phrase, phrases)
    categories: set[str] = set()
    for name, members in itertools.groupby(concepts, key=lambda concept: concept.category):
        if normal(name) in categories:
            raise ValueError(f"Category {name!r} is listed twice. Write its concepts in one place, spelled alike.")
        categories.add(normal(name))
        if len(list(members)) < 2:
            raise ValueError(
                f"Category {name!r} has one concept only, so there is nothing to tell it from. "
                "Add another value (it may be a 'none', such as 'no hat')."
            )


def _check_phrase(concept: Concept, phrase: str, seen: dict[str, str]) -> None:
    key = " ".join(phrase.casefold().split())
    if not key:
        raise ValueError(f"Concept {str(concept)!r} has an empty phrase. Remove it or write words.")
    if len(key.split()) > PHRASE_WORDS:
        raise ValueError(f"The phrase {phrase!r} of {str(concept)!r} has more than {PHRASE_WORDS} words. Shorten it.")
    if key[-1] in MARKS or not any(char.isalnum() for char in key):
        raise ValueError(f"The phrase {phrase!r} of {str(concept)!r} must have letters and end without any of {MARKS}")
    if key in seen:
        raise ValueError(f"The phrase {phrase!r} belongs to {seen[key]!r} and to {str(concept)!r}. Give each its own.")
    seen[key] = str(concept)
