"""What a panel shows of a run of a mix, as plain JSON: what every prompt said before and says after, and what held."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..dictionary.concept_list import concept_list
from ..dictionary.model import Dictionary
from ..table.concepts import ConceptTable
from .edits import Keep, aim
from .mix import Lock, Mix, dump

VERSION = 1
"""Of the JSON."""


class Prompt(NamedTuple):
    """One prompt of a run."""

    title: str
    """empty if there is no other"""
    before: tuple[int, ...]
    """concepts it says, in order of writing"""
    after: tuple[int, ...] | None
    """the same once it is edited; None if it could not be read any more"""


def mix_report(dictionary: Dictionary, mix: Mix, prompts: Sequence[Prompt], report: str) -> dict[str, Any]:
    """Describe a run: the concepts to choose from, the mix, what was said, and the report as text.

    Args:
        dictionary: whose concepts there are.
        mix: what is wanted.
        prompts: what each entry of the conditioning said.
        report: as text.
    """
    shown = [_shown(dictionary.table, mix, prompt) for prompt in prompts]
    rows = json.loads(dump(mix)).get("mix", {})
    return {"version": VERSION, **concept_list(dictionary), "mix": rows, "prompts": shown, "report": report}


def lost(dictionary: Dictionary, mix: Mix, prompts: Sequence[Prompt]) -> list[str]:
    """Return the kept categories that some prompt does not say as before."""
    held = [_held(dictionary.table, mix, prompt) for prompt in prompts]
    return list(dict.fromkeys(name for one in held for name, is_held in one.items() if not is_held))


def by_category(table: ConceptTable, said: Sequence[int]) -> dict[str, list[str]]:
    """Return every category with the names of its concepts that are said, in order of writing."""
    return {
        name: [table.concepts[one].name for one in said if one in members] for name, members in table.categories.items()
    }


def _shown(table: ConceptTable, mix: Mix, prompt: Prompt) -> dict[str, Any]:
    return {
        "title": prompt.title,
        "before": by_category(table, prompt.before),
        "after": {} if prompt.after is None else by_category(table, prompt.after),
        "held": _held(table, mix, prompt),
    }


def _held(table: ConceptTable, mix: Mix, prompt: Prompt) -> dict[str, bool]:
    """Tell of every kept category, as the table spells it, whether it reads as before."""
    found = {}
    for _, category, members in (aim(table, Keep(name)) for name, row in mix.rows.items() if isinstance(row, Lock)):
        before, after = ([one for one in some or () if one in members] for some in (prompt.before, prompt.after))
        found[category] = prompt.after is not None and before == after
    return found
