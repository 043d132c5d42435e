"""The places of a CONDITIONING: every batch row of every entry, what it says, and which edits go there."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from torch import Tensor

from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.editing.between import Between
from ...supsae_core.editing.edits import (
    EDITS,
    Add,
    Aim,
    AnyEdit,
    Clear,
    Keep,
    Swap,
    Turn,
    Weigh,
    aim,
    edit_name,
    resolve_edits,
)  # fmt: skip
from ...supsae_core.reading import readout
from ...supsae_core.reading.readout import Reading

PARTIAL = ("area", "mask", "default")
"""Keys of an entry that speaks of a part of the picture only: nothing is said anew there."""


class Place(NamedTuple):
    """One batch row of one entry, and what it says."""

    entry: int
    row: int
    partial: bool
    reading: Reading
    said: tuple[int, ...]
    codes: Mapping[str, Tensor] = MappingProxyType({})
    """encoder → the codes (own rows, r) of its rows; none of a combined dictionary, whose members have their own"""


def read(dictionary: Dictionary, entry: Sequence[Any], index: int, named: Collection[int] = ()) -> list[Place]:
    """Read every batch row of an entry; one that was zeroed out says nothing and has no places.

    ``named`` are concepts of the categories that edits name, as ``readout.read_conditioning`` takes them.
    """
    rows = entry[0].float().cpu()
    least, most = map(float, rows.aminmax()) if rows.numel() else (0.0, 0.0)
    if least == most == 0:
        return []
    require_finite(rows, (least, most), entry[1].get("pooled_output"))
    partial = any(entry[1].get(key) is not None and entry[1].get(key) is not False for key in PARTIAL)
    readings = [readout.read_scenes(dictionary, row, named) for row in rows]
    return [
        Place(index, row, partial, one, one.concepts(dictionary), readout.codes_of_scenes(scenes))
        for row, (one, scenes) in enumerate(readings)
    ]


def require_finite(rows: Tensor, ends: tuple[float, float], pooled: Any) -> None:
    """Refuse rows (B, L, width), or a pooled vector, with numbers that are none: whatever is read of them is untrue.

    Args:
        ends: the least and the largest number of the rows; no number if any is none.

    Raises:
        ValueError: naming the first row.
    """
    where = ""
    if not all(map(math.isfinite, ends)):
        where = f"row {int((~rows.isfinite()).any(-1).any(0).nonzero()[0])}"
    elif isinstance(pooled, Tensor) and not bool(pooled.isfinite().all()):
        where = "its pooled vector"
    if where:
        raise ValueError(
            f"This conditioning holds something that is not a number (in {where}), so nothing can be read in it. Load "
            "the text encoder in bfloat16 or float32, or take off the node that changed the conditioning."
        )


class Chosen(NamedTuple):
    """Which edits go where."""

    edits: list[list[AnyEdit]]
    """of every place"""
    left_out: dict[AnyEdit, str]
    """those that can be made nowhere, and why"""
    refused: list[dict[AnyEdit, str]]
    """of every place those that cannot be made there and can elsewhere, and why"""


def choose(
    dictionary: Dictionary, edits: Sequence[AnyEdit], places: Sequence[Place], optional: Collection[AnyEdit] = ()
) -> Chosen:
    """Find out which edits go where.

    Args:
        optional: those that are left out if they can be made nowhere.

    Raises:
        ValueError: if an edit that is not optional has no place at all, in the words of the core for the first place.
    """
    chosen = Chosen([[] for _ in places], {}, [{} for _ in places])
    for one in edits:
        try:
            where, refused = _require_places(dictionary, one, places)
        except ValueError as error:
            if one not in optional:
                raise
            chosen.left_out[one] = str(error)
            continue
        for place in where:
            chosen.edits[place].append(one)
        for place, why in refused.items():
            chosen.refused[place][one] = why
    return chosen


def _require_places(dictionary: Dictionary, edit: AnyEdit, places: Sequence[Place]) -> tuple[list[int], dict[int, str]]:
    """Return the numbers of the places at which an edit can be made, and why not of others that it is about.

    Raises:
        ValueError: if there are none.
    """
    where, able, errors = where_of(dictionary, edit, places), list[int](), dict[int, ValueError]()
    for place in where or [0]:
        try:
            made = resolve_edits(dictionary, [edit], places[place].said)
        except ValueError as error:
            errors[place] = error
            continue
        if made and not where:
            raise ValueError(
                f"Nowhere to say {edit_name(edit)!r}: the conditioning has parts for areas or masks only, and none of "
                "them mentions its category. Edit the part before it is given its area or mask."
            )
        able += [place] if where else []
    if errors and not able:
        raise next(iter(errors.values()))
    return able, {place: str(error) for place, error in errors.items()}


def where_of(dictionary: Dictionary, edit: AnyEdit, places: Sequence[Place]) -> list[int]:
    """Return the numbers of the places that an edit applies to."""
    kind = EDITS.get(type(edit))
    where = WHERE.get(type(edit), _mentioned if kind and kind.replaces else _said)
    return where(aim(dictionary.table, edit), places)


def _everywhere(meant: Aim, places: Sequence[Place]) -> list[int]:
    return list(range(len(places)))


def _said(meant: Aim, places: Sequence[Place]) -> list[int]:
    return [i for i, place in enumerate(places) if meant.concept in place.said]


def _mentioned(meant: Aim, places: Sequence[Place]) -> list[int]:
    return [i for i, place in enumerate(places) if {*meant.members} & {*place.said}]


def _unmentioned(meant: Aim, places: Sequence[Place]) -> list[int]:
    return [i for i, place in enumerate(places) if not place.partial and not {*meant.members} & {*place.said}]


def _anew(meant: Aim, places: Sequence[Place]) -> list[int]:
    """Return where a picture's prompts mention it, and of a picture whose prompts do not, where it can be added."""
    found = set[int]()
    for own in _pictures(places):
        some = [places[index] for index in own]
        found |= {own[index] for index in _mentioned(meant, some) or _unmentioned(meant, some)}
    return sorted(found)


def _pictures(places: Sequence[Place]) -> list[list[int]]:
    """Return the numbers of the places that speak of each picture: every entry's batch rows are dealt out in turn."""
    rows = {place.entry: place.row + 1 for place in places}  # of every entry the last one's
    pictures = range(max(rows.values(), default=0))
    return [
        [index for index, place in enumerate(places) if place.row == picture % rows[place.entry]]
        for picture in pictures
    ]


WHERE: dict[type, Callable[[Aim, Sequence[Place]], list[int]]] = {
    Swap: _anew,
    Turn: _anew,
    Between: _anew,
    Add: _unmentioned,
    Clear: _mentioned,
    Weigh: _mentioned,
    Keep: _everywhere,
}
"""Edit → the places it applies to; one without a line goes where what it changes is said."""
