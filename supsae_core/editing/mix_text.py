"""The text of a mix: one small JSON that a workflow stores, read strictly and written back as the same mix.

``{"version": 1, "mix": {"hair": {"say": "red", "strength": 0.8}, "hat": {"say": null}, "eyes": {"keep": true},
"haircut": {"scale": 1.3, "off": true}}}``: a category that is absent is left alone, and so is one that is off, which
keeps its values. ``"at": "golden locks"`` says which words of the prompt speak of the category where nothing is read of
it; ``"mention": 2`` says which mention of it is meant, as of two people. ``{"between": ["sad", "happy"], "position":
0.3}`` is a slider with two ends, sad at −1 and happy at 1. ``"from": 0.2, "to": 0.8, "ramp": 0.1`` lets a row act in a
part of sampling alone, and ``"inside": true`` inside a mask alone. ``"hold": false`` beside ``"mix"`` lets all else in
the picture follow, where a Lock would hold it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .between import ENDS
from .edits import STRENGTHS
from .mix import BetweenRow, KeepRow, Mix, MixRow, SayRow, ScaleRow
from .when import When
from .windows import Window

VERSION = 1
MENTIONS = 99
"""Up to which mention a row can mean."""
LONGEST = 300
"""Characters of the words that a row names."""
MOST = 1000
"""Rows of a mix: no dictionary has so many categories."""


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
    if len(rows) > MOST:
        raise ValueError(
            f"The mix has {len(rows)} rows, and {MOST} are read at most. Leave out those that change nothing."
        )
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
    if isinstance(row, BetweenRow):
        off = {"off": True} if row.off else {}
        return {"between": list(row.ends), "position": row.position, **off, **_when_to_json(row.when)}
    more = {**({"off": True} if row.off else {}), **({"at": row.at} if row.at else {}), **_when_to_json(row.when)}
    if isinstance(row, ScaleRow):
        return {"scale": row.factor, **more}
    return {"say": row.concept, "strength": row.strength, **more, **({"mention": row.mention} if row.mention else {})}


def _when_to_json(when: When) -> dict[str, Any]:
    own = {"from": when.window.start, "to": when.window.end, "ramp": when.window.ramp, "inside": when.inside}
    return {key: value for key, value in own.items() if value != _STILL[key]}


_STILL = {"from": 0.0, "to": 1.0, "ramp": 0.0, "inside": False}
"""Keys that say when and where a row acts → what they are where they are not there."""
_REMEDY = 'Write for example {"version": 1, "mix": {"hair": {"say": "red", "strength": 0.8}}}, or {} to change nothing.'


def _row(category: str, row: object) -> MixRow:
    what = f"The row {category!r} of the mix"
    if not isinstance(row, dict) or not row:
        raise ValueError(
            f'{what} must be {{"say": …, "strength": …}}, {{"scale": …}} or {{"keep": true}}, not {_shown(row)}. Leave '
            "the category out to leave it alone."
        )
    _check_keys(row, {"say", "strength", "keep", "scale", "between", "position", "off", "at", "mention", *_STILL}, what)
    off = row.get("off", False)
    if off is not True and "off" in row:
        raise ValueError(f"'off' of {category!r} must be true, not {_shown(off)}. Or leave it out.")
    at = row.get("at", "")
    if not isinstance(at, str) or len(at) > LONGEST:
        raise ValueError(
            f"'at' of {category!r} must be words of the prompt, up to {LONGEST} characters, not {_shown(at)}."
        )
    mention = row.get("mention", 0)
    if "mention" in row and (type(mention) is not int or not 1 <= mention <= MENTIONS or row.get("say") is None):
        raise ValueError(
            f"'mention' of {category!r} must be a number from 1 to {MENTIONS}, beside a concept to say, not "
            f"{_shown(mention)}. Or leave it out: every mention is meant."
        )
    if "keep" in row:
        if len(row) > 1:
            raise ValueError(f"{what} says both to keep the category and to change it. Remove 'keep', or the rest.")
        if row["keep"] is not True:
            raise ValueError(f"'keep' of {category!r} must be true, not {_shown(row['keep'])}. Or leave it out.")
        return KeepRow()
    when = _when(category, row)
    if "scale" in row:
        if row.keys() - {"scale", "off", "at", *_STILL}:
            raise ValueError(f"{what} says both to scale what is said and to say something. Remove one.")
        factor = _strength(category, row["scale"], "scale", "1 changes nothing, 0 is neither this nor that.")
        return ScaleRow(factor, off, at.strip(), when)
    if "between" in row or "position" in row:
        return replace(_between_row(category, row, what, off), when=when)
    if "say" not in row:
        raise ValueError(f'{what} has a strength and nothing to say. Add "say" with a concept, or null for nothing.')
    if row["say"] is not None and not (isinstance(row["say"], str) and row["say"].strip()):
        raise ValueError(
            f"'say' of {category!r} must be the name of one of its concepts, or null for nothing, not "
            f"{_shown(row['say'])}."
        )
    meaning = "1 is writing the word, 0 changes nothing."
    strength = _strength(category, row.get("strength", 1.0), "strength", meaning)
    return SayRow(row["say"], strength, off, at.strip(), mention, when)


def _when(category: str, row: dict[str, Any]) -> When:
    values = {key: row.get(key, still) for key, still in _STILL.items()}
    inside = values.pop("inside")
    if not isinstance(inside, bool):
        raise ValueError(f"'inside' of {category!r} must be true or false, not {_shown(inside)}. Or leave it out.")
    for key, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise ValueError(
                f"{key!r} of {category!r} must be a share of sampling, 0 to 1, not {_shown(value)}. Or leave it out."
            )
    try:
        return When(Window(*map(float, values.values())), inside)
    except ValueError as error:
        raise ValueError(f"The row {category!r}: {error}") from error


def _between_row(category: str, row: dict[str, Any], what: str, off: bool) -> BetweenRow:
    if row.keys() - {"between", "position", "off", *_STILL}:
        raise ValueError(f"{what} says both a place between two concepts and something else. Remove one.")
    ends, position = row.get("between"), row.get("position")
    names = ends if isinstance(ends, list) and all(isinstance(one, str) and one.strip() for one in ends) else []
    if len(names) != 2 or names[0] == names[1]:
        raise ValueError(f"'between' of {category!r} must be the names of two of its concepts, not {_shown(ends)}.")
    if isinstance(position, bool) or not isinstance(position, int | float) or not abs(position) <= ENDS:
        raise ValueError(
            f"The position of {category!r} must be a number from -{ENDS:g} to {ENDS:g}, not {_shown(position)}. -1 is "
            f"{names[0]!r}, 1 is {names[1]!r}."
        )
    return BetweenRow((names[0], names[1]), float(position), off)


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
