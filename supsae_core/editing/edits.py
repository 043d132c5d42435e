"""What an artist says: swap, add, remove or scale a concept; clear, weigh or keep a category; together one change.

``EDITS`` lists what changes something, a row each. Another edit that names a concept is a file beside this one and a
row.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from itertools import chain
from typing import Any, NamedTuple

from ..dictionary.model import Dictionary
from ..table.concepts import ConceptTable
from .between import Between, resolve_between
from .change import Change, Edit, require_said, require_unmentioned

STRENGTHS = (-2.0, 3.0)
"""Slider positions that are accepted; 1 is the effect of writing the word."""


@dataclass(frozen=True)
class Swap(Edit):
    """Say this value of its category instead of whatever is said; say it anew if the category is not mentioned."""

    occurrence: int = 0
    """which mention of the category, counted from 1 in order of writing; 0 is every one"""


@dataclass(frozen=True)
class Turn(Swap):
    """Swap, and where the value is said already, say more of it from strength 1 on: what a slider does in a mix."""


@dataclass(frozen=True)
class Add(Edit):
    """Say a concept whose category is not mentioned."""


@dataclass(frozen=True)
class Remove(Edit):
    """Stop saying a concept: its tokens become pads, as if its words had been deleted."""

    occurrence: int = 0
    """which mention of the concept; 0 is every one"""


@dataclass(frozen=True)
class Scale(Edit):
    """Turn what is said up or down about its category's mean; 0 is the mean, which is not the same as Remove."""

    occurrence: int = 0
    """which mention of the concept; 0 is every one"""


@dataclass(frozen=True)
class Clear:
    """Stop saying whatever is said of a category, every mention of it; nothing to do if it is not mentioned."""

    category: str
    strength: float = 1.0


@dataclass(frozen=True)
class Weigh:
    """Scale whatever is said of a category, every mention of it; nothing to do if it is not mentioned."""

    category: str
    strength: float = 1.0
    """1 changes nothing, 0 is neither this nor that"""


@dataclass(frozen=True)
class Keep:
    """Hold a category: all other edits are projected off what its concepts do, and it changes nothing by itself."""

    category: str


OfCategory = Clear | Weigh | Keep
"""What names a category instead of a concept."""
AnyEdit = Edit | OfCategory
"""What a stack may hold."""


class Aim(NamedTuple):
    """What an edit is about."""

    concept: int | None
    """the one it names, or None if it is about the whole category"""
    category: str
    members: tuple[int, ...]
    """concepts of the category"""


def aim(table: ConceptTable, edit: AnyEdit) -> Aim:
    """Return what an edit is about.

    Raises:
        ValueError: if the table lacks a concept or the category; names the nearest ones. If two are of no one category.
    """
    if isinstance(edit, OfCategory):
        members = table.category(edit.category)
        return Aim(None, table.concepts[members[0]].category, members)
    index = table.index(edit.concept)
    category = table.concepts[index].category
    if isinstance(edit, Between) and table.index(edit.other) not in {*table.categories[category]} - {index}:
        raise ValueError(
            f"A slider lies between two concepts of one category, not {edit.concept!r} and {edit.other!r}."
        )
    return Aim(index, category, table.categories[category])


def expected(table: ConceptTable, edits: Sequence[AnyEdit]) -> tuple[int, ...]:
    """Return the concepts of the categories that edits take to be said: those of all but ``Add`` and ``Keep``.

    Raises:
        ValueError: as ``aim``.
    """
    meant = (aim(table, edit).members for edit in edits if not isinstance(edit, Add | Keep))
    return tuple(dict.fromkeys(chain.from_iterable(meant)))


def edit_name(edit: AnyEdit) -> str:
    """Return the concept or category that an edit names, as its node spells it."""
    return edit.category if isinstance(edit, OfCategory) else edit.concept


def spell_edit(edit: AnyEdit) -> str:
    """Return an edit as a person says it, e.g. ``swap hair: red (strength 1)``."""
    if isinstance(edit, Keep):
        return f"keep {edit.category}"
    if isinstance(edit, Between):
        upper = edit.other.partition(": ")[2] or edit.other
        return f"set {edit.concept} … {upper} (at {edit.strength:g})"
    return f"{EDITS[type(edit)].verb} {edit_name(edit)} (strength {edit.strength:g})"


def resolve_edits(dictionary: Dictionary, edits: Sequence[AnyEdit], said: Sequence[int]) -> list[Change]:
    """Resolve edits against what a conditioning says.

    Raises:
        ValueError: if a concept is unknown, was never captured, or is not said; if two edits touch one category.
    """
    found: list[Change] = []
    touched: dict[str, AnyEdit] = {}
    kept: dict[str, tuple[int, ...]] = {}
    for edit in edits:
        index, category, members = aim(dictionary.table, edit)
        if index is not None:
            dictionary.phrase(index)  # raises if it was never captured
        if isinstance(edit, Between):
            dictionary.phrase(dictionary.table.index(edit.other))
        if isinstance(edit, Keep) and isinstance(touched.get(category, edit), Keep):
            kept[category] = members  # held twice is held
        elif category in touched:
            raise ValueError(
                f"Two edits ({edit_name(touched[category])!r} and {edit_name(edit)!r}) change {category!r}. Keep one."
            )
        touched[category] = edit
        if not isinstance(edit, Keep):
            found += _changes(dictionary, edit, index, [one for one in said if one in members])
    off = tuple(kept.values())
    return [change._replace(off=off) for change in found] if off else found


def _changes(
    dictionary: Dictionary, edit: Edit | Clear | Weigh, index: int | None, mentions: Sequence[int]
) -> list[Change]:
    """Return the changes of one edit, given the mentions of its category in order of writing."""
    old, which = _occurrence(edit, index, mentions)
    others = list(dict.fromkeys(mentions)) if old is None else [old]
    meant = (index, dictionary.table.index(edit.other)) if isinstance(edit, Between) else index
    made = EDITS[type(edit)].resolve(dictionary, meant, others, edit.strength)
    return [change._replace(occurrence=which) for change in made]


def _occurrence(edit: Edit | Clear | Weigh, index: int | None, mentions: Sequence[int]) -> tuple[int | None, int]:
    """Return the mentioned concept that an edit means and which mention of it; (None, 0) for every one."""
    wanted = getattr(edit, "occurrence", 0)
    if not wanted:
        return None, 0
    replaces = EDITS[type(edit)].replaces
    meant = [place for place, one in enumerate(mentions) if replaces or one == index]
    if not 1 <= wanted <= len(meant):
        what = "its category" if replaces else "it"
        raise ValueError(
            f"Occurrence {wanted} of {edit_name(edit)!r} does not exist: the prompt mentions {what} {len(meant)} "
            "times. Choose a number up to that, or 0 for every mention."
        )
    place = meant[wanted - 1]
    return mentions[place], mentions[: place + 1].count(mentions[place])


def _swap(dictionary: Dictionary, index: int, others: list[int], slider: float) -> list[Change]:
    if not others:
        return _add(dictionary, index, others, slider)
    strength = dictionary.strength(slider, index)
    return [Change(old, index, strength) for old in others if old != index and strength]


def _turn(dictionary: Dictionary, index: int, others: list[int], slider: float) -> list[Change]:
    more = [Change(index, None, slider - 1, scale=True)] if index in others and slider > 1 else []
    return _swap(dictionary, index, others, slider) + more


def _add(dictionary: Dictionary, index: int, others: list[int], slider: float) -> list[Change]:
    if others:
        said, wanted = (str(dictionary.table.concepts[i]) for i in (others[0], index))
        raise ValueError(f"Cannot add {wanted!r}: the prompt says {said!r} already. Use the action 'swap'.")
    require_unmentioned(dictionary, index, "add")
    strength = dictionary.strength(slider, index)
    return [Change(None, index, strength)] if strength else []


def _remove(dictionary: Dictionary, index: int, others: list[int], slider: float) -> list[Change]:
    require_said(dictionary, index, others, "remove")
    require_unmentioned(dictionary, index, "remove")
    strength = dictionary.strength(slider, index)
    return [Change(index, None, strength)] if strength else []


def _clear(dictionary: Dictionary, index: None, others: list[int], slider: float) -> list[Change]:
    for one in others[:1]:
        require_unmentioned(dictionary, one, "remove")
    return [Change(old, None, strength) for old in others if (strength := dictionary.strength(slider, old))]


def _scale(dictionary: Dictionary, index: int, others: list[int], factor: float) -> list[Change]:
    require_said(dictionary, index, others, "scale")
    return [Change(index, None, factor - 1, scale=True)] if factor != 1 else []


def _weigh(dictionary: Dictionary, index: None, others: list[int], factor: float) -> list[Change]:
    return [Change(old, None, factor - 1, scale=True) for old in others if factor != 1]


Resolve = Callable[[Dictionary, Any, list[int], float], list[Change]]
"""(dictionary, the concept, both ends or None, concepts of its category that are said, strength) → changes."""


class EditKind(NamedTuple):
    """One row of the table: how an edit is called and what it asks for."""

    verb: str
    """how a person says it"""
    resolve: Resolve
    help: str = ""
    """what it does, for who chooses among the verbs that are offered"""
    offered: bool = True
    """whether widgets, flags and files offer it by its verb, for a concept and a strength"""
    replaces: bool = False
    """whether it is about whatever is said of the category, so that an occurrence counts all mentions of that"""


EDITS: dict[type, EditKind] = {
    Swap: EditKind("swap", _swap, "say this instead of what the prompt says of its category.", replaces=True),
    Add: EditKind("add", _add, "say it where the category is not mentioned."),
    Remove: EditKind("remove", _remove, "stop saying it."),
    Scale: EditKind("scale", _scale, "say it more or less; there 1 changes nothing and 0 is neither this nor that."),
    Between: EditKind("set", resolve_between, offered=False, replaces=True),
    Turn: EditKind("swap", _turn, offered=False, replaces=True),
    Clear: EditKind("clear", _clear, offered=False),
    Weigh: EditKind("scale", _weigh, offered=False),
}
"""Edit → how it is called and what it asks for; ``Keep`` has no row, since by itself it asks for nothing."""
ACTIONS: dict[str, type[Edit]] = {kind.verb: edit for edit, kind in EDITS.items() if kind.offered}
"""Spelling in widgets, flags and files → edit that names a concept."""


def make_edit(action: str, concept: str, strength: float, occurrence: int = 0) -> Edit:
    """Build an edit from its spelling, a key of ``ACTIONS``; arguments as the fields of ``Swap``.

    Raises:
        ValueError: naming the action received and the legal ones, a strength out of range, or an occurrence of what is
            not there yet.
    """
    if action not in ACTIONS:
        raise ValueError(f"There is no action {action!r}. Actions are: {', '.join(ACTIONS)}.")
    check_strength(strength, concept)
    if not occurrence:
        return ACTIONS[action](concept, float(strength))
    if "occurrence" not in {one.name for one in fields(ACTIONS[action])}:
        raise ValueError(
            f"The action {action!r} does not choose between mentions of {concept!r}, so it takes no occurrence "
            f"{occurrence}. Set the occurrence to 0, or swap."
        )
    return ACTIONS[action](concept, float(strength), occurrence)  # type: ignore[call-arg]


def check_strength(strength: float, concept: str) -> None:
    """Raise ValueError if a strength is no slider position, naming what it is of."""
    low, high = STRENGTHS
    if not (math.isfinite(strength) and low <= strength <= high):
        raise ValueError(
            f"The strength {strength!r} of {concept!r} is outside {low:g} … {high:g}. 1 is writing the word."
        )


def scaled(edit: AnyEdit, factor: float) -> AnyEdit:
    """Return the edit with its strength times a factor; what is kept has none."""
    return edit if isinstance(edit, Keep) else replace(edit, strength=edit.strength * factor)
