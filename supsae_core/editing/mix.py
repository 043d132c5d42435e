"""The mix: what an artist wants of every category, as one small JSON text that a workflow stores.

``{"version": 1, "mix": {"hair": {"say": "red", "strength": 0.8}, "hat": {"say": null}, "eyes": {"keep": true},
"haircut": {"scale": 1.3, "off": true}}}``: a category that is absent is left alone, and so is one that is off, which
keeps its values. ``"at": "golden locks"`` says which words of the prompt speak of the category where nothing is read of
it. ``"hold": false`` beside ``"mix"`` lets all else in the picture follow, where a Lock would hold it. Names, not
numbers, so a mix outlives a re-fit; they are checked when it is used.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from ..dictionary.model import Dictionary
from .edits import STRENGTHS, AnyEdit, Clear, Keep, Turn, Weigh, aim

VERSION = 1
LONGEST = 300
"""Characters of the words that a row names."""


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
    """both as of ``SayRow``"""


MixRow = SayRow | KeepRow | ScaleRow


@dataclass(frozen=True)
class Mix:
    """What is wanted, category by category, in the order of writing."""

    rows: Mapping[str, MixRow] = field(default_factory=dict)
    hold: bool = True
    """whether a Lock in front of the sampler holds all else in the picture"""


def parse_mix(text: str) -> Mix:
    """Read a mix; nothing at all and ``{}`` change nothing. ``dump`` writes what is read back as the same mix.

    Raises:
        ValueError: naming the category, what stands there, what may, and the remedy.
    """
    if not text.strip():
        return Mix()
    try:
        data = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number, parse_int=_whole)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"The mix is not readable JSON (line {error.lineno}, column {error.colno}: {error.msg}). {_REMEDY}"
        ) from error
    except RecursionError as error:
        raise ValueError(f"The mix is not readable JSON: it is nested too deeply. {_REMEDY}") from error
    if data == {}:
        return Mix()
    if not isinstance(data, dict):
        raise ValueError(f"The mix must be a JSON object, not {_shown(data)}. {_REMEDY}")
    _check_version(data)
    _check_keys(data, {"version", "mix", "hold"}, "The mix")
    rows, hold = data.get("mix", {}), data.get("hold", True)
    if not isinstance(hold, bool):
        raise ValueError(f"'hold' of the mix must be true or false, not {_shown(hold)}. Or leave it out: it is true.")
    if not isinstance(rows, dict):
        raise ValueError(f"The 'mix' must be a JSON object with a row per category, not {_shown(rows)}. {_REMEDY}")
    return Mix({category: _row(category, row) for category, row in rows.items()}, hold)


def dump_mix(mix: Mix) -> str:
    """Return a mix as text on one line; of nothing, ``{}``."""
    if mix == Mix():
        return "{}"
    rows = {category: _row_to_json(row) for category, row in mix.rows.items()}
    return json.dumps({"version": VERSION, **({} if mix.hold else {"hold": False}), "mix": rows}, ensure_ascii=False)


def _row_to_json(row: MixRow) -> dict[str, Any]:
    if isinstance(row, KeepRow):
        return {"keep": True}
    more = {**({"off": True} if row.off else {}), **({"at": row.at} if row.at else {})}
    if isinstance(row, ScaleRow):
        return {"scale": row.factor, **more}
    return {"say": row.concept, "strength": row.strength, **more}


def edits_of_mix(mix: Mix) -> tuple[AnyEdit, ...]:
    """Return the edits that make a mix; a row that changes nothing is none, nor is one that keeps where none does."""
    rows = {category: row for category, row in mix.rows.items() if isinstance(row, KeepRow) or _changes(row)}
    changing = any(not isinstance(row, KeepRow) for row in rows.values())
    return tuple(_edit(category, row) for category, row in rows.items()) if changing else ()


def _changes(row: SayRow | ScaleRow) -> bool:
    return not row.off and (row.factor != 1 if isinstance(row, ScaleRow) else row.strength != 0)


def taught_by_mix(dictionary: Dictionary, mix: Mix) -> tuple[dict[str, str], dict[str, int]]:
    """Return category → words that speak of it, and category → the concept that is to be said there."""
    rows = {name: row for name, row in mix.rows.items() if not isinstance(row, KeepRow) and row.at}
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
        names = {category: left_out[edit] for category, edit in edits.items() if edit in left_out}
        rows = {category: row for category, row in self.mix.rows.items() if category not in names}
        return Usable(replace(self.mix, rows=rows), self.asked, self.left_out | names)


def usable_mix(dictionary: Dictionary, mix: Mix) -> Usable:
    """Leave out the rows of what a dictionary does not know: a workflow may come from who has another one.

    So are rows of concepts that were never captured, unless they are at strength 0, and the second of two rows of one
    category, spelled differently.
    """
    rows, left_out, spellings = dict[str, MixRow](), dict[str, str](), dict[str, str]()
    for category, row in mix.rows.items():
        try:
            index, meant, _ = aim(dictionary.table, _edit(category, row))
            if meant in spellings:
                raise ValueError(f"There is another row for the category {meant!r}: {spellings[meant]!r}. Keep one.")
            spellings[meant] = category
            if index is not None and isinstance(row, SayRow) and _changes(row):
                dictionary.phrase(index)
            rows[category] = row
        except ValueError as error:
            left_out[category] = str(error)
    return Usable(replace(mix, rows=rows), mix, left_out)


_REMEDY = 'Write for example {"version": 1, "mix": {"hair": {"say": "red", "strength": 0.8}}}, or {} to change nothing.'


def _edit(category: str, row: MixRow) -> AnyEdit:
    if isinstance(row, KeepRow):
        return Keep(category)
    if isinstance(row, ScaleRow):
        return Weigh(category, row.factor)
    return Clear(category, row.strength) if row.concept is None else Turn(f"{category}: {row.concept}", row.strength)


def _row(category: str, row: object) -> MixRow:
    what = f"The row {category!r} of the mix"
    if not isinstance(row, dict) or not row:
        raise ValueError(
            f'{what} must be {{"say": …, "strength": …}}, {{"scale": …}} or {{"keep": true}}, not {_shown(row)}. Leave '
            "the category out to leave it alone."
        )
    _check_keys(row, {"say", "strength", "keep", "scale", "off", "at"}, what)
    off = row.get("off", False)
    if off is not True and "off" in row:
        raise ValueError(f"'off' of {category!r} must be true, not {_shown(off)}. Or leave it out.")
    at = row.get("at", "")
    if not isinstance(at, str) or len(at) > LONGEST:
        raise ValueError(
            f"'at' of {category!r} must be words of the prompt, up to {LONGEST} characters, not {_shown(at)}."
        )
    if "keep" in row:
        if len(row) > 1:
            raise ValueError(f"{what} says both to keep the category and to change it. Remove 'keep', or the rest.")
        if row["keep"] is not True:
            raise ValueError(f"'keep' of {category!r} must be true, not {_shown(row['keep'])}. Or leave it out.")
        return KeepRow()
    if "scale" in row:
        if row.keys() - {"scale", "off", "at"}:
            raise ValueError(f"{what} says both to scale what is said and to say something. Remove one.")
        factor = _strength(category, row["scale"], "scale", "1 changes nothing, 0 is neither this nor that.")
        return ScaleRow(factor, off, at.strip())
    if "say" not in row:
        raise ValueError(f'{what} has a strength and nothing to say. Add "say" with a concept, or null for nothing.')
    if row["say"] is not None and not (isinstance(row["say"], str) and row["say"].strip()):
        raise ValueError(
            f"'say' of {category!r} must be the name of one of its concepts, or null for nothing, not "
            f"{_shown(row['say'])}."
        )
    meaning = "1 is writing the word, 0 changes nothing."
    return SayRow(row["say"], _strength(category, row.get("strength", 1.0), "strength", meaning), off, at.strip())


def _strength(category: str, value: object, key: str, meaning: str) -> float:
    low, high = STRENGTHS
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(
            f"The {key} of {category!r} must be a number from {low:g} to {high:g}, not {_shown(value)}. {meaning}"
        )
    return float(value)


def _check_version(data: Mapping[str, Any]) -> None:
    version = data.get("version")
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        said = f"not {_shown(version)}" if "version" in data else "and it is missing"
        raise ValueError(f"The 'version' of the mix must be {VERSION}, {said}. {_REMEDY}")
    if version > VERSION:
        raise ValueError(f"The mix has version {version}; this SupSAE reads up to {VERSION}. Update SupSAE.")


def _check_keys(data: Mapping[str, Any], legal: set[str], what: str) -> None:
    if unknown := [key for key in data if key not in legal]:
        raise ValueError(f"{what} has an unknown key {unknown[0]!r}. Keys are: {', '.join(sorted(legal))}.")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"{key!r} stands twice in the mix. Write it once.")
        found[key] = value
    return found


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number that a mix can hold. Write a strength such as 0.8.")


def _whole(digits: str) -> int:
    return int(digits) if len(digits) <= 20 else int(_no_number(f"{digits[:20]}…"))  # int refuses thousands of digits


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, float) and not math.isfinite(value) else json.dumps(value)
    return text if len(text) <= 40 else f"{text[:40]}…"
