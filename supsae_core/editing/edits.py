"""What an artist says: swap, add, remove or scale a concept, clear or keep a category; together one change."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from ..dictionary.model import Dictionary
from ..table.concepts import ConceptTable

STRENGTHS = (-2.0, 3.0)
"""Slider positions that are accepted; 1 is the effect of writing the word."""


@dataclass(frozen=True)
class Swap:
    """Say this value of its category instead of whatever is said; say it anew if the category is not mentioned."""

    concept: str
    strength: float = 1.0
    occurrence: int = 0
    """which mention of the category, counted from 1 in order of writing; 0 is every one"""


@dataclass(frozen=True)
class Turn(Swap):
    """Swap, and where the value is said already, say more of it from strength 1 on: what a slider does in a mix."""


@dataclass(frozen=True)
class Add:
    """Say a concept whose category is not mentioned."""

    concept: str
    strength: float = 1.0


@dataclass(frozen=True)
class Remove:
    """Stop saying a concept: its tokens become pads, as if its words had been deleted."""

    concept: str
    strength: float = 1.0
    occurrence: int = 0
    """which mention of the concept; 0 is every one"""


@dataclass(frozen=True)
class Scale:
    """Turn what is said up or down about its category's mean; 0 is the mean, which is not the same as Remove."""

    concept: str
    strength: float = 1.0
    occurrence: int = 0
    """which mention of the concept; 0 is every one"""


@dataclass(frozen=True)
class Clear:
    """Stop saying whatever is said of a category, every mention of it; nothing to do if it is not mentioned."""

    category: str
    strength: float = 1.0


@dataclass(frozen=True)
class Keep:
    """Hold a category: all other edits are projected off what its concepts do, and it changes nothing by itself."""

    category: str


Edit = Swap | Add | Remove | Scale
"""What names a concept; the Edit node makes one."""
AnyEdit = Edit | Clear | Keep
"""What a stack may hold."""


VERBS: dict[type, str] = {
    Swap: "swap", Turn: "swap", Add: "add", Remove: "remove", Scale: "scale", Clear: "clear", Keep: "keep",
}  # fmt: skip
"""How a person says what an edit does."""


class Aim(NamedTuple):
    """What an edit is about."""

    concept: int | None
    """the concept it names, or None if it is about the whole category"""
    category: str
    members: tuple[int, ...]
    """concepts of the category"""


class Change(NamedTuple):
    """One part of a change of support."""

    old: int | None
    """concept that is said, or None"""
    new: int | None
    """concept to say, or None"""
    alpha: float
    """step to apply, slider map included, calibration not"""
    scale: bool = False
    """turn ``old`` by ``alpha`` along its own effect, about the category's mean"""
    occurrence: int = 0
    """which mention of ``old``, from 1; 0 is every one"""
    off: tuple[tuple[int, ...], ...] = ()
    """per kept category its concepts: what they do is not to be touched"""


def aim(table: ConceptTable, edit: AnyEdit) -> Aim:
    """Return what an edit is about.

    Raises:
        ValueError: if the table lacks its concept or its category; names the nearest ones.
    """
    if isinstance(edit, Clear | Keep):
        members = table.category(edit.category)
        return Aim(None, table.concepts[members[0]].category, members)
    index = table.index(edit.concept)
    category = table.concepts[index].category
    return Aim(index, category, table.categories[category])


def name(edit: AnyEdit) -> str:
    """Return the concept or category that an edit names, as its node spells it."""
    return edit.category if isinstance(edit, Clear | Keep) else edit.concept


def spelled(edit: AnyEdit) -> str:
    """Return an edit as a person says it, e.g. ``swap hair: red (strength 1)``."""
    strength = "" if isinstance(edit, Keep) else f" (strength {edit.strength:g})"
    return f"{VERBS[type(edit)]} {name(edit)}{strength}"


def changes(dictionary: Dictionary, edits: Sequence[AnyEdit], said: Sequence[int]) -> list[Change]:
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
        if isinstance(edit, Keep) and isinstance(touched.get(category, edit), Keep):
            kept[category] = members  # held twice is held
        elif category in touched:
            raise ValueError(
                f"Two edits ({name(touched[category])!r} and {name(edit)!r}) change {category!r}. Keep one."
            )
        touched[category] = edit
        if not isinstance(edit, Keep):
            found += _changes(dictionary, edit, index, [one for one in said if one in members])
    off = tuple(kept.values())
    return [change._replace(off=off) for change in found] if off else found


def _changes(dictionary: Dictionary, edit: Edit | Clear, index: int | None, mentions: Sequence[int]) -> list[Change]:
    """Return the changes of one edit, given the mentions of its category in order of writing."""
    old, which = _occurrence(edit, index, mentions)
    others = list(dict.fromkeys(mentions)) if old is None else [old]
    made = EDITS[type(edit)](dictionary, index, others, edit.strength)
    return [change._replace(occurrence=which) for change in made]


def _occurrence(edit: Edit | Clear, index: int | None, mentions: Sequence[int]) -> tuple[int | None, int]:
    """Return the mentioned concept that an edit means and which mention of it; (None, 0) for every one."""
    if isinstance(edit, Add | Clear) or not edit.occurrence:
        return None, 0
    meant = [place for place, one in enumerate(mentions) if isinstance(edit, Swap) or one == index]
    if not 1 <= edit.occurrence <= len(meant):
        what = "its category" if isinstance(edit, Swap) else "it"
        raise ValueError(
            f"Occurrence {edit.occurrence} of {edit.concept!r} does not exist: the prompt mentions {what} {len(meant)} "
            "times. Choose a number up to that, or 0 for every mention."
        )
    place = meant[edit.occurrence - 1]
    return mentions[place], mentions[: place + 1].count(mentions[place])


def _swap(dictionary: Dictionary, index: int, others: list[int], slider: float) -> list[Change]:
    strength = dictionary.strength(slider)
    if not others:
        return _add(dictionary, index, others, slider)
    return [Change(old, index, strength) for old in others if old != index and strength]


def _turn(dictionary: Dictionary, index: int, others: list[int], slider: float) -> list[Change]:
    more = [Change(index, None, slider - 1, scale=True)] if index in others and slider > 1 else []
    return _swap(dictionary, index, others, slider) + more


def _add(dictionary: Dictionary, index: int, others: list[int], slider: float) -> list[Change]:
    if others:
        said, wanted = (str(dictionary.table.concepts[i]) for i in (others[0], index))
        raise ValueError(f"Cannot add {wanted!r}: the prompt says {said!r} already. Use the action 'swap'.")
    _require_unmentioned(dictionary, index, "add")
    strength = dictionary.strength(slider)
    return [Change(None, index, strength)] if strength else []


def _remove(dictionary: Dictionary, index: int, others: list[int], slider: float) -> list[Change]:
    _require_said(dictionary, index, others, "remove")
    _require_unmentioned(dictionary, index, "remove")
    strength = dictionary.strength(slider)
    return [Change(index, None, strength)] if strength else []


def _clear(dictionary: Dictionary, index: None, others: list[int], slider: float) -> list[Change]:
    for one in others[:1]:
        _require_unmentioned(dictionary, one, "remove")
    strength = dictionary.strength(slider)
    return [Change(old, None, strength) for old in others if strength]


def _scale(dictionary: Dictionary, index: int, others: list[int], factor: float) -> list[Change]:
    _require_said(dictionary, index, others, "scale")
    return [Change(index, None, factor - 1, scale=True)] if factor != 1 else []


EDITS: dict[type, Callable[[Dictionary, Any, list[int], float], list[Change]]] = {
    Swap: _swap,
    Turn: _turn,
    Add: _add,
    Remove: _remove,
    Scale: _scale,
    Clear: _clear,
}
"""Edit → (dictionary, its concept or None, concepts of its category that are said, strength) → changes."""

ACTIONS: dict[str, type] = {edit.__name__.lower(): edit for edit in (Swap, Add, Remove, Scale)}
"""Spelling in widgets, flags and files → edit that names a concept."""


def make(action: str, concept: str, strength: float, occurrence: int = 0) -> Edit:
    """Build an edit from its spelling.

    Args:
        action: a key of ``ACTIONS``.
        concept: such as ``hair: red``.
        strength: position of the slider; 1 is the effect of writing the word.
        occurrence: which mention, from 1; 0 is every one.

    Raises:
        ValueError: naming the action received and the legal ones, a strength out of range, or an occurrence of what is
            not there yet.
    """
    if action not in ACTIONS:
        raise ValueError(f"There is no action {action!r}. Actions are: {', '.join(ACTIONS)}.")
    check_strength(strength, concept)
    if not occurrence:
        return ACTIONS[action](concept, float(strength))
    if ACTIONS[action] is Add:
        raise ValueError(
            f"{concept!r} is to be added, so it has no occurrence {occurrence} yet. Set the occurrence to 0, or swap."
        )
    return ACTIONS[action](concept, float(strength), occurrence)


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


def _require_said(dictionary: Dictionary, index: int, others: list[int], action: str) -> None:
    if index not in others:
        concept = dictionary.table.concepts[index]
        said = f"it says {str(dictionary.table.concepts[others[0]])!r}" if others else "its category is not mentioned"
        raise ValueError(f"Cannot {action} {str(concept)!r}: the prompt does not say it ({said}).")


def _require_unmentioned(dictionary: Dictionary, index: int, action: str) -> None:
    concept = dictionary.table.concepts[index]
    if not dictionary.identified[dictionary.table.category_of[index]]:
        raise ValueError(
            f"Cannot {action} {str(concept)!r}: every captured prompt mentions {concept.category!r}, so what it is to "
            "leave it out was never seen. Capture with a lower mention rate, or swap instead."
        )
