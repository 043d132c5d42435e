"""Concept tables as a node has them: a text, or a file in ComfyUI's input folder in its place."""

from __future__ import annotations

from ...supsae_core.table.concepts import ConceptTable
from ...supsae_core.table.loose import understood
from ...supsae_core.table.parsing import load_table, parse_table
from . import folders

ENDINGS = (".yaml", ".yml", ".json")


def read_table(text: str, file: str) -> ConceptTable:
    """Read the file if one is named, else the text; words alone are sorted into categories.

    Raises:
        ValueError: if it is no table, or the file lies elsewhere.
    """
    name = file.strip()
    return load_table(folders.input_file(name, ENDINGS)) if name else parse_table(understood(text))


def table_version(file: str) -> tuple[float, int] | None:
    """Return what tells one version of the file from another; None without one."""
    return folders.changed(folders.input_file(file.strip(), ENDINGS)) if file and file.strip() else None


def summary(table: ConceptTable) -> str:
    """Say what a table holds, one line a category."""
    lines = [f"{len(table)} concepts in {len(table.categories)} categories, {len(table.phrases)} phrases"]
    for name, members in table.categories.items():
        lines.append(f"{name}: {', '.join(table.concepts[index].name for index in members)}")
    return "\n".join(lines)
