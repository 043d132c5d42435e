"""The mix: what an artist wants of every category: a row each. Its text is in ``mix_text.py``.

Names, not numbers, so a mix outlives a re-fit; they are checked when it is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ..dictionary.model import Dictionary
from .between import Between
from .edits import AnyEdit, Clear, Keep, Turn, Weigh, aim
from .when import ALWAYS, When


@dataclass(frozen=True)
class SayRow:
    """Say this concept of a category; above strength 1 more of it, also where it is said already."""

    concept: str | None
    """its name without the category; None is to say nothing of the category"""
    strength: float = 1.0
    off: bool = False
    """for now nothing is changed"""
    at: str = ""
    """words of the prompt that speak of the category, though the dictionary does not know them"""
    mention: int = 0
    """which mention of the category is meant, from 1, as of two people; 0 is every one"""
    when: When = ALWAYS
    """the part of sampling in which it acts, and whether inside a mask alone"""


@dataclass(frozen=True)
class KeepRow:
    """Keep a category as it is."""


@dataclass(frozen=True)
class ScaleRow:
    """Say what the prompt says of a category less or more strongly."""

    factor: float
    """1 changes nothing, 0 is neither this nor that"""
    off: bool = False
    at: str = ""
    when: When = ALWAYS
    """all three as of ``SayRow``"""


@dataclass(frozen=True)
class BetweenRow:
    """Say something between two concepts of a category."""

    ends: tuple[str, str]
    """their names without the category, at −1 and at 1"""
    position: float
    """0 is neither; beyond −1 and 1 more of what is said"""
    off: bool = False
    when: When = ALWAYS


MixRow = SayRow | KeepRow | ScaleRow | BetweenRow


@dataclass(frozen=True)
class Mix:
    """What is wanted, category by category, in the order of writing."""

    rows: Mapping[str, MixRow] = field(default_factory=dict)
    hold: bool = True
    """whether a Lock in front of the sampler holds all else in the picture"""


def edits_of_mix(mix: Mix) -> tuple[AnyEdit, ...]:
    """Return the edits that make a mix; a row that changes nothing is none, nor is one that keeps where none does."""
    rows = {category: row for category, row in mix.rows.items() if isinstance(row, KeepRow) or _changes(row)}
    changing = any(not isinstance(row, KeepRow) for row in rows.values())
    return tuple(_edit(category, row) for category, row in rows.items()) if changing else ()


def _changes(row: SayRow | ScaleRow | BetweenRow) -> bool:
    if isinstance(row, BetweenRow):
        return not row.off
    return not row.off and (row.factor != 1 if isinstance(row, ScaleRow) else row.strength != 0)


def whens_of_mix(mix: Mix) -> dict[AnyEdit, When]:
    """Return when and where those of its edits act that do not act always and everywhere."""
    rows = {name: row for name, row in mix.rows.items() if not isinstance(row, KeepRow) and _changes(row)}
    return {_edit(name, row): row.when for name, row in rows.items() if row.when != ALWAYS}


def told_whens(dictionary: Dictionary, mix: Mix) -> list[str]:
    """Return a line on every row that does not act always and everywhere: reports read the prompt with it in full."""
    lines = []
    for edit, when in whens_of_mix(mix).items():
        category, window = aim(dictionary.table, edit).category, when.window
        if (window.start, window.end) != (0, 1):
            lines.append(f"{category} acts from {window.start:.0%} to {window.end:.0%} of sampling alone.")
        if when.inside:
            lines.append(f"{category} acts inside the mask alone.")
    return lines


def taught_by_mix(dictionary: Dictionary, mix: Mix) -> tuple[dict[str, str], dict[str, int]]:
    """Return category → words that speak of it, and category → the concept that is to be said there."""
    rows = {name: row for name, row in mix.rows.items() if isinstance(row, SayRow | ScaleRow) and row.at}
    said = {name: row.concept for name, row in rows.items() if isinstance(row, SayRow) and row.concept is not None}
    wanted = {name: dictionary.table.index(f"{name}: {concept}") for name, concept in said.items()}
    return {name: row.at for name, row in rows.items()}, wanted


class Usable(NamedTuple):
    """A mix without the rows that a dictionary cannot make."""

    mix: Mix
    """the rows that can be made"""
    asked: Mix
    """all of them"""
    left_out: dict[str, str]
    """category, as the mix spells it → why its row is left out"""

    def without(self, left_out: Mapping[AnyEdit, str]) -> Usable:
        """Leave out the rows of more edits, for the reasons given."""
        edits = {category: _edit(category, row) for category, row in self.mix.rows.items()}
        return self.without_rows({category: left_out[edit] for category, edit in edits.items() if edit in left_out})

    def without_rows(self, left_out: Mapping[str, str]) -> Usable:
        """Leave out rows, by their category as the mix spells it, for the reasons given."""
        rows = {category: row for category, row in self.mix.rows.items() if category not in left_out}
        return Usable(replace(self.mix, rows=rows), self.asked, {**self.left_out, **left_out})


def usable_mix(dictionary: Dictionary, mix: Mix) -> Usable:
    """Leave out the rows of what a dictionary does not know: a workflow may come from who has another one.

    So are rows of concepts that were never captured, unless they are at strength 0, and the second of two rows of one
    category, spelled differently.
    """
    rows, left_out, spellings = dict[str, MixRow](), dict[str, str](), dict[str, str]()
    for category, row in mix.rows.items():
        try:
            _, meant, _ = aim(dictionary.table, _edit(category, row))
            if meant in spellings:
                raise ValueError(f"There is another row for the category {meant!r}: {spellings[meant]!r}. Keep one.")
            spellings[meant] = category
            for end in _concepts(row) if not isinstance(row, KeepRow) and _changes(row) else ():
                dictionary.phrase(dictionary.table.index(f"{meant}: {end}"))
            rows[category] = row
        except ValueError as error:
            left_out[category] = str(error)
    return Usable(replace(mix, rows=rows), mix, left_out)


def _concepts(row: MixRow) -> tuple[str, ...]:
    """Return the names that a row says."""
    if isinstance(row, BetweenRow):
        return row.ends
    return (row.concept,) if isinstance(row, SayRow) and row.concept is not None else ()


def _edit(category: str, row: MixRow) -> AnyEdit:
    if isinstance(row, KeepRow):
        return Keep(category)
    if isinstance(row, ScaleRow):
        return Weigh(category, row.factor)
    if isinstance(row, BetweenRow):
        low, high = (f"{category}: {end}" for end in row.ends)
        return Between(low, row.position, high)
    if row.concept is None:
        return Clear(category, row.strength)
    return Turn(f"{category}: {row.concept}", row.strength, row.mention)
