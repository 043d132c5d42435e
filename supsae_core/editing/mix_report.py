"""What a panel shows of a run of a mix, as plain JSON: what every prompt said before and says after, and what took."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..dictionary.concept_list import concept_list
from ..dictionary.model import Dictionary
from ..reading.wording import Piece
from ..table.concepts import ConceptTable
from .edits import Keep, aim
from .mix import KeepRow, Mix, Usable
from .mix_text import dump_mix

VERSION = 1
"""Of the JSON."""


class MixedPrompt(NamedTuple):
    """One prompt of a run."""

    title: str
    """empty if there is no other"""
    before: tuple[int, ...]
    """concepts it says, in order of writing"""
    after: tuple[int, ...] | None
    """the same once it is edited; None if it could not be read any more"""
    verdicts: Mapping[str, tuple[str, str]] = {}
    """category → what became of its change, one of ``outcome.VERDICTS``, and the reason if it did not simply take"""
    words: Sequence[Piece] = ()
    """the text before the edit with what is understood of it; none where it is not known"""


def mix_report(dictionary: Dictionary, mix: Usable, prompts: Sequence[MixedPrompt], report: str) -> dict[str, Any]:
    """Describe a run: the concepts to choose from, the mix, what every prompt said, and the report as text."""
    shown = [_shown(dictionary.table, mix.mix, prompt) for prompt in prompts]
    rows = json.loads(dump_mix(mix.asked)).get("mix", {})
    told = {"mix": rows, "prompts": shown, "left_out": mix.left_out, "report": report}
    return {"version": VERSION, **concept_list(dictionary), **told}


def lost(dictionary: Dictionary, mix: Mix, prompts: Sequence[MixedPrompt]) -> list[str]:
    """Return the kept categories that some prompt does not say as before."""
    found: dict[str, None] = {}
    for prompt in prompts:
        held = _held(dictionary.table, mix, prompt)
        found |= dict.fromkeys(name for name, is_held in held.items() if not is_held)
    return list(found)


def by_category(table: ConceptTable, said: Sequence[int]) -> dict[str, list[str]]:
    """Return every category with the names of its concepts that are said, in order of writing."""
    found: dict[str, list[str]] = {name: [] for name in table.categories}
    for one in said:
        found[table.concepts[one].category].append(table.concepts[one].name)
    return found


def _shown(table: ConceptTable, mix: Mix, prompt: MixedPrompt) -> dict[str, Any]:
    return {
        "title": prompt.title,
        "before": by_category(table, prompt.before),
        "after": {} if prompt.after is None else by_category(table, prompt.after),
        "held": _held(table, mix, prompt),
        "verdicts": {name: {"verdict": one, "reason": why} for name, (one, why) in prompt.verdicts.items()},
        "words": [piece._asdict() for piece in prompt.words],
    }


def _held(table: ConceptTable, mix: Mix, prompt: MixedPrompt) -> dict[str, bool]:
    """Tell of every kept category, as the table spells it, whether it reads as before."""
    found = {}
    for name, row in mix.rows.items():
        if isinstance(row, KeepRow):
            _, category, members = aim(table, Keep(name))
            before = [one for one in prompt.before if one in members]
            found[category] = prompt.after is not None and before == [one for one in prompt.after if one in members]
    return found
