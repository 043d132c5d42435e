"""A concept table as text: YAML (or JSON, which is YAML) in, JSON out; errors say where in the text.

Files come from strangers: no tags, no key twice, a bound on the phrases.
"""

from __future__ import annotations

import codecs
import json
import reprlib
from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import yaml

from ..words import folded, unquoted
from .concepts import Concept, ConceptTable, TableError, spaced

LONGEST = 50_000
"""Characters of a text that are read: a table of thousands of concepts is shorter."""
MOST_PHRASES = 20_000
"""Phrases of a table that is read: YAML's aliases make millions of them out of a few lines."""


UNREADABLE = (
    "this does not fit what stands before it. Close every bracket and quote, put ':' behind every category and ',' "
    "between its concepts, and indent lines of one list alike"
)
UNWRITABLE = "it holds a mark that cannot be written (number {}); remove it"
DEEPEST = 20
"""Levels of brackets and lists within one another: a table has four."""
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The same language either way, ten times as fast where there is the library."""


class _UniqueKeys(LOADER):
    """A safe loader that reads every scalar as text and refuses tags, and a key that is no text or written twice."""

    yaml_implicit_resolvers: dict[str, Any] = {}
    plain = {
        yaml.ScalarNode: yaml.resolver.BaseResolver.DEFAULT_SCALAR_TAG,
        yaml.SequenceNode: yaml.resolver.BaseResolver.DEFAULT_SEQUENCE_TAG,
        yaml.MappingNode: yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG,
    }

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        if node.tag != self.plain[type(node)]:
            raise _unreadable(f"the tag {node.tag!r} is not read, remove it", _mark(node.start_mark))
        return super().construct_object(node, deep)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag != self.plain[yaml.ScalarNode]:
                raise _unreadable("a name must be a text without tags", _mark(key.start_mark))
            text, line = key.value, key.start_mark.line + 1
            if text in seen:
                raise TableError(
                    f"Concept table, line {line}: {text!r} is written twice (first in line {seen[text]}).",
                    place=(line, key.start_mark.column + 1),
                )
            seen[text] = line
        return super().construct_mapping(node, deep)


def require_short(text: str) -> None:
    """Refuse a text that would keep the reader busy.

    Raises:
        TableError: naming both lengths.
    """
    if len(text) > LONGEST:
        raise TableError(f"This text has {len(text)} characters; up to {LONGEST} are read. Divide it.")


def parse_table(text: str) -> ConceptTable:
    """Read a table from YAML (or JSON, which is YAML).

    Forms: ``category: [a, b]`` or ``category: a, b`` (each name is its own phrase), ``category: {name: phrase}`` and
    ``category: {name: [phrase, other phrase]}``.

    Raises:
        TableError: naming the place and the remedy.
    """
    try:
        return ConceptTable(read_concepts(text))
    except TableError as error:
        error.place = error.place or _place(text, error.about)
        raise


def read_concepts(text: str) -> tuple[Concept, ...]:
    """Read the concepts of a table without holding them against each other.

    Raises:
        TableError: if the text is no table.
    """
    return _concepts(parse_yaml(text)[1])


def parse_yaml(text: str) -> tuple[yaml.Node | None, object]:
    """Return the tree of a YAML text, whose nodes know where they stand, and the data it is."""
    try:
        text.encode()
        _require_shallow(text)
        loader = _UniqueKeys(text)
        try:
            node = loader.get_single_node()
            return node, None if node is None else loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise _unreadable(*_what_and_where(text, error)) from error
    except UnicodeEncodeError as error:
        raise _unreadable(UNWRITABLE.format(ord(text[error.start])), None) from error


def _require_shallow(text: str) -> None:
    """Refuse what would take long or deep to build: events come one by one, whatever they are nested in."""
    depth = 0
    for event in yaml.parse(text, LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST:
                raise _unreadable("brackets or lists are nested too deeply", _mark(event.start_mark))
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _place(text: str, about: tuple[str, ...]) -> tuple[int, int]:
    """Return line and column of what an error is about, as far as it is found; else of the first character."""
    at, node = 0, parse_yaml(text)[0]
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


def table_from_mapping(data: object) -> ConceptTable:
    """Build a table from the parsed form (see ``parse_table``)."""
    return ConceptTable(_concepts(data))


def _concepts(data: object) -> tuple[Concept, ...]:
    if not isinstance(data, Mapping) or not data:
        raise TableError(
            "The concept table is empty or not a mapping. Write one category a line, e.g. "
            "'hair: [blond hair, red hair]'."
        )
    found: list[Concept] = []
    count = 0
    written = (_category(folded(str(category)), values) for category, values in data.items())
    for concept in chain.from_iterable(written):
        count += max(1, len(concept.phrases))
        if count > MOST_PHRASES:
            raise TableError(
                f"The concept table has more than {MOST_PHRASES} phrases; up to so many are read. Divide it.",
                (concept.category,),
            )
        found.append(concept)
    return tuple(found)


def load_table(path: str | Path) -> ConceptTable:
    """Read a table file (YAML or JSON), in UTF-8 or, where its first mark says so, in UTF-16."""
    try:
        content = Path(path).read_bytes()
        wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        return parse_table(content.decode("utf-16" if wide else "utf-8-sig"))
    except OSError as error:
        raise ValueError(f"The concept table {str(path)!r} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ValueError(
            f"The concept table {str(path)!r} is neither UTF-8 nor marked UTF-16. Save it as UTF-8."
        ) from error


def dump_table(table: ConceptTable) -> str:
    """Return the table as JSON text; ``parse_table`` is the exact inverse."""
    return json.dumps(table.to_json(), ensure_ascii=False, indent=1)


def _category(category: str, values: object) -> Iterable[Concept]:
    if isinstance(values, str):
        values = [part for part in map(str.strip, folded(values).split(",")) if part] or [""]
    if isinstance(values, Mapping) and values:
        return (Concept(category, _said(name), _phrases(category, name, value)) for name, value in values.items())
    if isinstance(values, (list, tuple)) and values and all(isinstance(name, str) for name in values):
        return (Concept(category, _said(name), (spaced(_said(name)),)) for name in values)
    raise TableError(
        f"The concepts of category {category!r} must be a list of texts or a mapping from name to phrases, e.g. "
        f"'{category}: [one, other]', not {reprlib.repr(values)}.",
        (category,),
    )


def _phrases(category: str, name: object, value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (spaced(_said(value)),)
    if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
        return tuple(spaced(_said(item)) for item in value)
    raise TableError(
        f"The phrases of '{category}: {name}' must be a text or a list of texts, not {reprlib.repr(value)}.",
        (category, str(name)),
    )


def _said(text: object) -> str:
    """Return a name or a phrase as it is said: folded, without quotes around it."""
    return unquoted(folded(str(text)))


def _unreadable(reason: str, place: tuple[int, int] | None) -> TableError:
    where = f"line {place[0]}, column {place[1]}: " if place else ""
    return TableError(f"The concept table is not readable YAML: {where}{reason}.", place=place)


def _mark(mark: Any) -> tuple[int, int]:
    return mark.line + 1, mark.column + 1


def _what_and_where(text: str, error: yaml.YAMLError) -> tuple[str, tuple[int, int] | None]:
    """Say in words of ours why a text is no YAML, and where its reader gave up."""
    if isinstance(error, yaml.reader.ReaderError):
        return UNWRITABLE.format(error.character), None
    mark, lines = getattr(error, "problem_mark", None), text.split("\n")
    if mark is None:
        return UNREADABLE, None
    line, column = _mark(mark)
    last = max((number for number, one in enumerate(lines, 1) if one.strip()), default=1)
    if line > last:  # it gave up behind the end
        line, column = last, len(lines[last - 1]) + 1
    return UNREADABLE, (line, column)
