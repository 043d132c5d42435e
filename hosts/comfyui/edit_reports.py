"""What edits of a CONDITIONING are told to have done: found, changed, and whether it took once read again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.editing import offered, outcome
from ...supsae_core.editing.apply import Edited
from ...supsae_core.editing.edits import AnyEdit, Change, Clear, Keep, Remove, aim, edit_name
from ...supsae_core.editing.mix_report import MixedPrompt
from ...supsae_core.editing.outcome import ReadAgain
from ...supsae_core.reading import readout
from .idle import Idle, idle_verdicts, told_idle
from .placed import Place


def read_again(dictionary: Dictionary, edited: Sequence[Edited]) -> list[ReadAgain]:
    """Read the edited rows of every place again."""
    return [outcome.read_again(dictionary, one) for one in edited]


def told_again(dictionary: Dictionary, places: Sequence[Place], again: Sequence[ReadAgain], total: int) -> list[str]:
    """Return lines on places, of so many: what did not simply take, and what changed though nobody asked."""
    lines = []
    for place, one in zip(places, again, strict=True):
        where = prefix(place, total)
        lines += [f"{where}{told}" for told in outcome.tell(dictionary, one)]
    return lines


def told_beside(
    dictionary: Dictionary, conditioning: Sequence[Sequence[Any]], places: Sequence[Place], edited: Sequence[Edited]
) -> list[str]:
    """Return a line on everything that was added although unedited rows may speak of its category already."""
    lines = []
    for place, one in zip(places, edited, strict=True):
        cond, where = conditioning[place.entry][0][place.row], prefix(place, len(places))
        told = offered.beside(dictionary, cond.float().cpu(), place.reading, one.changes)
        lines += [f"{where}{line}" for line in told]
    return lines


def mixed_prompt(
    dictionary: Dictionary, place: Place, again: ReadAgain, total: int, idle: Idle | None = None
) -> MixedPrompt:
    """Return what a place, of so many, said before and says after; ``idle`` is what found nothing to change."""
    after = None if again.reading is None else again.reading.concepts(dictionary)
    verdicts = {**idle_verdicts(dictionary, idle or {}), **outcome.by_categories(dictionary, again)}
    return MixedPrompt(title(place, total), place.said, after, verdicts)


def title(place: Place, total: int) -> str:
    """Name a place among several; nothing if it is the only one."""
    return f"part {place.entry + 1}, row {place.row + 1}" if total > 1 else ""


def prefix(place: Place, total: int) -> str:
    """Return what a line about a place among several begins with."""
    return f"{title(place, total)}: " if total > 1 else ""


def line(
    dictionary: Dictionary, place: Place, edits: Sequence[AnyEdit], changes: Sequence[Change], total: int,
    idle: Idle | None = None,
) -> str:  # fmt: skip
    """Say what was found at a place, what was changed there, and what found nothing to change."""
    where = prefix(place, total)
    kept = [f"kept {edit_name(one)}" for one in edits if isinstance(one, Keep)] if changes else []
    done = ", ".join([*(_spell(dictionary, edits, change) for change in changes), *kept])
    found = f"{where}found {readout.describe_reading(dictionary, place.reading)}\n{where}{done or 'changed nothing'}"
    return "\n".join([found, *(f"{where}{one}" for one in told_idle(idle or {}))])


def _spell(dictionary: Dictionary, edits: Sequence[AnyEdit], change: Change) -> str:
    table = dictionary.table
    old, new = ("" if index is None else str(table.concepts[index]) for index in (change.old, change.new))
    touched = change.new if change.old is None else change.old
    said = next(one for one in edits if touched in aim(table, one).members)
    assert not isinstance(said, Keep)  # it changes nothing
    strength = said.strength
    if new:
        return f"changed {old} to {new} (strength {strength:g})" if old else f"added {new} (strength {strength:g})"
    if isinstance(said, Remove | Clear):
        return f"removed {old} (strength {strength:g})"
    return f"scaled {old} (strength {strength:g})"
