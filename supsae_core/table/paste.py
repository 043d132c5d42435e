"""Merge a pasted list into a concept table's text: lists, ``category: a, b, c``, tables of a spreadsheet, YAML.

What is read is a list of ``Row``; the table keeps its own lines, comments included, wherever nothing is added to them.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, pairwise
from typing import NamedTuple

import yaml

from ..words import folded, unquoted
from .concepts import MARKS, TableError
from .parsing import parse_yaml, read_concepts, require_short

UNNAMED = "new category"
"""Where phrases go that stand under no heading."""
HEADS = {"category", "categories", "group", "kind", "type", "attribute"}
"""First cell of a spreadsheet's head, case folded."""
WIDE = str.maketrans("：，、；｜", ":,,;|")
"""Marks as Chinese and Japanese keyboards write them → those that divide here."""
QUOTES = '"“”„«»`'
_BULLET = re.compile(r"^(?:[-*+•–·▪]|\d+[.)])\s+")
_RULE = re.compile(r":?-+:?")
"""A cell of the rule under the head of a Markdown table."""
_ABSENCE = re.compile(r"^(?:no|without) (?=\S)", re.IGNORECASE)
_ARTICLE = re.compile(r"^(?:a|an|the|some) ", re.IGNORECASE)
_PLAIN = re.compile(r"[\w(](?:[\w '’()/+&.-]*[\w)'’])?")
"""Scalars that YAML needs no quotes for."""


class PastedRow(NamedTuple):
    """A concept of a pasted list."""

    category: str
    name: str
    phrases: tuple[str, ...]


Members = dict[str, tuple[str, ...]]
"""concept → phrases"""


class TableSection(NamedTuple):
    """A category of a table."""

    lines: str
    """as they are written"""
    members: Members


class Imported(NamedTuple):
    """A table with a list merged into it."""

    text: str
    added: int
    """phrases that the table did not have"""
    loose: int
    """concepts of the list that stand under no heading: a person has to say whether two of them can be true at once"""


def merge_list(table: str, pasted: str, *, apart: bool = False) -> Imported:
    """Add to a table's text what a pasted list has and the table does not.

    Args:
        apart: whether concepts under no heading can be true at once, so that they are categories of their own.

    Raises:
        TableError: if the table cannot be read, or nothing was pasted.
    """
    require_short(table + pasted)
    there = _sections(table)
    rows = rows_of(pasted)
    if not rows:
        raise TableError("There is nothing in this list. Write one phrase a line, or 'hair: red hair, blond hair'.")
    loose = [row for row in rows if row.category == UNNAMED]
    if apart:
        rows = [row for row in rows if row.category != UNNAMED] + sorted_apart(loose)
    merged = {name: dict(section.members) for name, section in there.items()}
    added = _add(merged, rows)
    if not added:
        return Imported(table, 0, len(loose))
    text = _kept(table) * (not there) + "".join(_part(name, own, there.get(name)) for name, own in merged.items())
    if not _says(text, merged):  # lines that lean on others, such as YAML's anchors, cannot be kept one by one
        text = _kept(table) + "".join(_category(name, own) for name, own in merged.items())
    return Imported(text, added, len(loose))


def sorted_apart(rows: Sequence[PastedRow]) -> list[PastedRow]:
    """Sort concepts that can be true at once into categories.

    Those whose names end in the same word, such as "red hair" and "blond hair", exclude one another; any other is held
    against its absence, which the table says as "no …", and an absence against the thing.
    """
    alike: dict[str, list[PastedRow]] = {}
    for row in rows:
        alike.setdefault(_key(row.name.split()[-1]), []).append(row)
    found: list[PastedRow] = []
    for kind, own in alike.items():
        if len({_key(row.name) for row in own}) > 1:
            found += [row._replace(category=kind) for row in own]
        else:
            found += [*(row._replace(category=own[0].name) for row in own), _opposite(own[0])]
    return found


def _opposite(row: PastedRow) -> PastedRow:
    """Return what a concept is held against: its absence, or of an absence the thing itself."""
    phrase = row.phrases[0]
    thing = _ABSENCE.sub("", phrase)
    if thing != phrase:
        return PastedRow(row.name, thing, (thing,))
    return PastedRow(row.name, "none", (f"no {_ARTICLE.sub('', phrase)}",))


def _part(name: str, members: Members, there: TableSection | None) -> str:
    """Return the lines of a category: as they were, if nothing is added."""
    if there is None:
        return _category(name, members)
    lines = there.lines if members == there.members else _kept(there.lines) + _category(name, members)
    return lines if lines.endswith("\n") else f"{lines}\n"


def _add(merged: dict[str, Members], rows: Iterable[PastedRow]) -> int:
    """Add rows to category → concept → phrases; return how many phrases are new."""
    concepts = chain.from_iterable(members.values() for members in merged.values())
    known, added = {_key(phrase) for phrase in chain.from_iterable(concepts)}, 0
    spelled = _Spellings(merged)
    for row in rows:
        new = [phrase for phrase in dict.fromkeys(row.phrases) if _key(phrase) not in known]
        new = list({_key(phrase): phrase for phrase in reversed(new)}.values())[::-1]
        if new:
            category, name = spelled.of(row.category, row.name)
            members = merged.setdefault(category, {})
            members[name] = (*members.get(name, ()), *new)
            known |= {_key(phrase) for phrase in new}
            added += len(new)
    return added


def _key(text: str) -> str:
    return " ".join(text.casefold().split())


class _Spellings:
    """How categories and concepts that are there already are spelled, in whatever case they are written again."""

    def __init__(self, table: Mapping[str, Members]) -> None:
        self._categories = {_key(category): category for category in table}
        self._names = {(_key(one), _key(name)): name for one, members in table.items() for name in members}

    def of(self, category: str, name: str) -> tuple[str, str]:
        """Return both as they were first spelled."""
        key = _key(category)
        return self._categories.setdefault(key, category), self._names.setdefault((key, _key(name)), name)


# --- the pasted list -----------------------------------------------------------------------------------------------


def rows_of(pasted: str) -> list[PastedRow]:
    """Read a pasted list, whatever its form."""
    text = "".join(_typed(char) for char in "\n".join(pasted.splitlines())).translate(WIDE)
    text = _unframed(_one_a_line(text))
    found = _as_table(text.expandtabs(2)) or _as_cells(text) or _as_lines(text)
    tidy = (
        PastedRow(_tidy(row.category), _tidy(row.name), tuple(filter(None, map(_tidy, row.phrases)))) for row in found
    )
    return [row for row in tidy if row.category and row.name and row.phrases]


def _one_a_line(text: str) -> str:
    """Give each phrase a line that stands in one line with all others, or in lines that all end in a comma."""
    *first, _ = [line.rstrip() for line in text.splitlines() if line.strip()] or [""]
    if set(text) & set(":\t|[{") or not all(line.endswith((",", ";")) for line in first):
        return text
    return text.replace(",", "\n").replace(";", "\n")


def _typed(char: str) -> str:
    """Return a character as a keyboard has it: web pages hold blanks of all kinds and marks of no width."""
    return char if char.isprintable() or char in "\n\t" else " " if char.isspace() else ""


def _unframed(text: str) -> str:
    """Take the frame off a table as Markdown draws it, and the rule under its head; other texts stay."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) < 2 or not all(line[0] == line[-1] == "|" and len(line) > 1 for line in lines):
        return text
    cells = [[cell.strip() for cell in line[1:-1].split("|")] for line in lines]
    return "\n".join("\t".join(row) for row in cells if not all(_RULE.fullmatch(cell) for cell in row))


def _tidy(text: str) -> str:
    """Fold blanks, take off quotes and what stands behind the last word; what has no letters is nothing."""
    said = unquoted(folded(text).strip(f"{QUOTES} ").rstrip(f"{MARKS} ").strip(QUOTES))  # as a table is read
    return said if any(char.isalnum() for char in said) else ""


def _as_table(text: str) -> list[PastedRow]:
    """Read what is a table as it stands; several lines that YAML would fold into one are a list."""
    try:
        found, (node, _) = read_concepts(text), parse_yaml(text)
    except TableError:
        return []
    assert isinstance(node, yaml.MappingNode)
    scalars = list(_scalars(node))
    folded = any(one.start_mark.line != one.end_mark.line for one in scalars)
    if folded or any(set(";|") & set(one.value) for one in scalars):
        return []
    return [_divided(one.category, one.name, one.phrases) for one in found]


def _divided(category: str, name: str, phrases: Iterable[str]) -> PastedRow:
    """Take commas in a concept's lines for what divides wordings."""
    first = next(iter(_values(name)), "")
    return PastedRow(category, first, tuple(chain.from_iterable(map(_values, phrases))))


def _scalars(node: yaml.Node) -> Iterator[yaml.ScalarNode]:
    if isinstance(node, yaml.ScalarNode):
        yield node
    elif isinstance(node, yaml.CollectionNode):
        for one in node.value:
            for part in one if isinstance(one, tuple) else (one,):
                yield from _scalars(part)


def _as_cells(text: str) -> list[PastedRow]:
    """Read category, concept, phrases… where every line has such cells.

    That they are such is told by a head, by tabs or semicolons, or by a category that stands on several lines.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    shared = set.intersection(*map(set, lines)) if lines else set()
    mark = next((mark for mark in "\t;," if mark in shared), None)
    read = csv.reader(lines, delimiter=mark, skipinitialspace=True) if mark else ()
    cells = [list(map(str.strip, line)) for line in read]
    if not cells or any(":" in row[0] or len(row) < 2 for row in cells):
        return []
    head = _key(cells[0][0]) in HEADS
    first = [_key(row[0]) for row in cells]
    if not head and mark == "," and len(set(first)) == len(first):
        return []  # wordings of one concept a line
    return [PastedRow(row[0], row[1], tuple(filter(None, row[2:])) or (row[1],)) for row in cells[head:]]


def _as_lines(text: str) -> list[PastedRow]:
    """Read lines: a heading ends with ':', 'category: a, b' holds a whole category, all else is a concept a line."""
    found, category = [], UNNAMED
    for line in text.splitlines():
        said = _BULLET.sub("", line.strip())
        name, colon, rest = said.partition(":")
        if said.startswith("##"):  # a heading in Markdown; one # is a comment
            category = said.strip("# :")
        elif not said or said.startswith("#"):
            continue
        elif colon and not rest.strip():
            category = name
        elif colon:
            found += [PastedRow(name, value, (value,)) for value in _values(rest)]
        elif values := _values(said):
            found.append(PastedRow(category, values[0], tuple(values)))
    return found


def _values(text: str) -> list[str]:
    """Divide at commas, semicolons or bars outside quotes; brackets around all are taken off."""
    inside = " ".join(text.split())
    inside = inside[1:-1] if inside[:1] + inside[-1:] == "[]" else inside
    mark = next((mark for mark in ";|" if mark in inside), ",")
    cells = next(csv.reader([inside], delimiter=mark, skipinitialspace=True), [])
    return [cell for cell in map(_tidy, cells) if cell]


# --- the table -----------------------------------------------------------------------------------------------------


def _sections(text: str) -> dict[str, TableSection]:
    """Divide a table's text by its categories; one in brackets is written anew."""
    members = _members(text)
    if not members:
        return {}
    node, _ = parse_yaml(text)
    assert isinstance(node, yaml.MappingNode)
    if node.flow_style or any(key.start_mark.column for key, _ in node.value):
        return {name: TableSection(_category(name, own), own) for name, own in members.items()}
    lines = text.splitlines(keepends=True)
    starts = [0, *(_above(lines, key.start_mark.line) for key, _ in node.value[1:]), len(lines)]
    pieces = ("".join(lines[a:b]) for a, b in pairwise(starts))
    return {name: TableSection(piece, own) for (name, own), piece in zip(members.items(), pieces, strict=True)}


def _members(text: str) -> dict[str, Members]:
    """Return category → concept → phrases of a text that may be empty."""
    found: dict[str, Members] = {}
    if all(line.lstrip().startswith("#") for line in text.splitlines() if line.strip()):
        return found
    for concept in read_concepts(text):
        found.setdefault(concept.category, {})[concept.name] = concept.phrases
    return found


def _says(text: str, members: dict[str, Members]) -> bool:
    try:
        return _members(text) == members
    except TableError:  # such as what stands behind the end that '...' marks
        return False


def _above(lines: Sequence[str], line: int) -> int:
    """Return where the comments above a line begin."""
    while line and lines[line - 1].lstrip().startswith("#"):
        line -= 1
    return line


def _kept(source: str) -> str:
    """Return the comments of lines that are written anew."""
    return "".join(f"{line}\n" for line in source.splitlines() if line.lstrip().startswith("#"))


def _category(name: str, members: Members) -> str:
    rows = [f"  {_scalar(concept)}: [{', '.join(map(_scalar, phrases))}]\n" for concept, phrases in members.items()]
    return f"{_scalar(name)}:\n" + "".join(rows)


def _scalar(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)
