"""The concept table: categories of mutually exclusive concepts, each with the phrases a prompt may use for it."""

from __future__ import annotations

import difflib
import itertools
import json
import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

PHRASE_WORDS = 8
"""Longest phrase in whitespace words: longer ones cost prompt room and are rarely written again word for word."""
MOST_PHRASES = 20_000
"""Phrases of a table that is read: YAML's aliases make millions of them out of a few lines."""
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
        return tuple(Phrase(index, text) for index, concept in enumerate(self.concepts) for text in concept.phrases)

    @cached_property
    def words(self) -> frozenset[str]:
        """All words of all phrases, case folded."""
        return frozenset(trim(word.casefold()) for phrase in self.phrases for word in phrase.words)

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


def trim(word: str) -> str:
    """Cut the punctuation behind a whitespace word."""
    return word.rstrip(MARKS) or word


def normal(text: str) -> str:
    """Fold case and blanks, so that spellings compare as a person reads them."""
    return ": ".join(" ".join(part.split()) for part in text.casefold().split(":"))


class _UniqueKeys(yaml.SafeLoader):
    """A safe loader that reads every scalar as text and refuses tags, and a key that is no text or written twice."""

    yaml_implicit_resolvers: dict[str, Any] = {}
    plain = {
        yaml.ScalarNode: yaml.resolver.BaseResolver.DEFAULT_SCALAR_TAG,
        yaml.SequenceNode: yaml.resolver.BaseResolver.DEFAULT_SEQUENCE_TAG,
        yaml.MappingNode: yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG,
    }

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        if node.tag != self.plain[type(node)]:
            raise yaml.MarkedYAMLError(
                problem=f"the tag {node.tag!r} is not read, remove it", problem_mark=node.start_mark
            )
        return super().construct_object(node, deep)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag != self.plain[yaml.ScalarNode]:
                raise yaml.MarkedYAMLError(problem="a name must be a text without tags", problem_mark=key.start_mark)
            text, line = key.value, key.start_mark.line + 1
            if text in seen:
                raise TableError(
                    f"Concept table, line {line}: {text!r} is written twice (first in line {seen[text]}).",
                    place=(line, key.start_mark.column + 1),
                )
            seen[text] = line
        return super().construct_mapping(node, deep)


def parse(text: str) -> ConceptTable:
    """Read a table from YAML (or JSON, which is YAML).

    Forms: ``category: [a, b]`` or ``category: a, b`` (each name is its own phrase), ``category: {name: phrase}`` and
    ``category: {name: [phrase, other phrase]}``.

    Raises:
        TableError: naming the place and the remedy.
    """
    try:
        return ConceptTable(read(text))
    except TableError as error:
        error.place = error.place or _place(text, error.about)
        raise


def read(text: str) -> tuple[Concept, ...]:
    """Read the concepts of a table without holding them against each other.

    Raises:
        TableError: if the text is no table.
    """
    return _concepts(construct(text)[1])


def construct(text: str) -> tuple[yaml.Node | None, object]:
    """Return the tree of a YAML text, whose nodes know where they stand, and the data it is."""
    try:
        loader = _UniqueKeys(text)
        try:
            node = loader.get_single_node()
            return node, None if node is None else loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        reason, place = _yaml_reason(error)
        raise TableError(f"The concept table is not readable YAML: {reason}", place=place) from error
    except RecursionError:
        raise TableError("The concept table is not readable YAML: its brackets are nested too deeply.") from None


def _place(text: str, about: tuple[str, ...]) -> tuple[int, int]:
    """Return line and column of what an error is about, as far as it is found; else of the first character."""
    at, node = 0, construct(text)[0]
    for wanted in about:
        found = _find(text, node, wanted)
        if found is None:
            break
        at, node = found
    return text.count("\n", 0, at) + 1, at - (text.rfind("\n", 0, at) + 1) + 1


def _find(text: str, node: yaml.Node | None, wanted: str) -> tuple[int, yaml.Node] | None:
    """Return where a text is written in a node, the last time: of two that collide that is the one to change."""
    if isinstance(node, yaml.MappingNode):
        pairs = [(key, value) for key, value in node.value if str(key.value) == wanted]
        return (pairs[-1][0].start_mark.index, pairs[-1][1]) if pairs else None
    if isinstance(node, yaml.SequenceNode):
        found = [one for one in node.value if one.value == wanted]
        return (found[-1].start_mark.index, found[-1]) if found else None
    if isinstance(node, yaml.ScalarNode):
        at = text.rfind(wanted, node.start_mark.index, node.end_mark.index)
        return (max(at, node.start_mark.index), node)
    return None


def from_mapping(data: object) -> ConceptTable:
    """Build a table from the parsed form (see ``parse``)."""
    return ConceptTable(_concepts(data))


def _concepts(data: object) -> tuple[Concept, ...]:
    if not isinstance(data, Mapping) or not data:
        raise TableError(
            "The concept table is empty or not a mapping. Write one category a line, e.g. "
            "'hair: [blond hair, red hair]'."
        )
    found: list[Concept] = []
    count = 0
    for concept in (one for category, values in data.items() for one in _category(str(category), values)):
        count += max(1, len(concept.phrases))
        if count > MOST_PHRASES:
            raise TableError(
                f"The concept table has more than {MOST_PHRASES} phrases; up to so many are read. Divide it.",
                (concept.category,),
            )
        found.append(concept)
    return tuple(found)


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
        return (Concept(category, str(name), _phrases(category, name, value)) for name, value in values.items())
    if isinstance(values, (list, tuple)) and values and all(isinstance(name, str) for name in values):
        return (Concept(category, name, (name,)) for name in values)
    raise TableError(
        f"The concepts of category {category!r} must be a list of texts or a mapping from name to phrases, e.g. "
        f"'{category}: [one, other]', not {reprlib.repr(values)}.",
        (category,),
    )


def _phrases(category: str, name: object, value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise TableError(
        f"The phrases of '{category}: {name}' must be a text or a list of texts, not {reprlib.repr(value)}.",
        (category, str(name)),
    )


def _yaml_reason(error: yaml.YAMLError) -> tuple[str, tuple[int, int] | None]:
    mark = getattr(error, "problem_mark", None)
    place = (mark.line + 1, mark.column + 1) if mark else None
    where = f"line {place[0]}, column {place[1]}: " if place else ""
    return f"{where}{getattr(error, 'problem', None) or error}.", place


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
            _check_phrase(concept, phrase, phrases)
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


def _check_phrase(concept: Concept, phrase: str, seen: dict[str, str]) -> None:
    key = " ".join(phrase.casefold().split())
    wrong = _wrong_phrase(str(concept), phrase, key, seen)
    if wrong:
        raise TableError(wrong, (concept.category, concept.name, phrase))
    seen[key] = str(concept)


def _wrong_phrase(concept: str, phrase: str, key: str, seen: Mapping[str, str]) -> str:
    if not key:
        return f"Concept {concept!r} has an empty phrase. Remove it or write words."
    if len(key.split()) > PHRASE_WORDS:
        return f"The phrase {phrase!r} of {concept!r} has more than {PHRASE_WORDS} words. Shorten it."
    if key[-1] in MARKS or not any(char.isalnum() for char in key):
        return f"The phrase {phrase!r} of {concept!r} must have letters and end without any of {MARKS}"
    if key in seen:
        return f"The phrase {phrase!r} belongs to {seen[key]!r} and to {concept!r}. Give each its own."
    return ""
