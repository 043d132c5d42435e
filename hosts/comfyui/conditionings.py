"""Edits of a CONDITIONING: a list of [rows, dict], each entry and each batch row read and edited on its own.

Nothing that came in is written to: ComfyUI caches and shares it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import chain
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.editing.apply import apply_changes, in_order
from ...supsae_core.editing.edits import (
    EDITS,
    Add,
    Aim,
    AnyEdit,
    Change,
    Clear,
    Keep,
    Remove,
    Scale,
    Swap,
    Turn,
    aim,
    edit_name,
    expected,
    resolve_edits,
)  # fmt: skip
from ...supsae_core.editing.mix_report import MixedPrompt
from ...supsae_core.reading import readout
from ...supsae_core.reading.readout import Reading

Conditioning = list[list[Any]]
PARTIAL = ("area", "mask", "default")
"""Keys of an entry that speaks of a part of the picture only: nothing is said anew there."""
REFERENCE = "supsae_reference"
"""In an edited entry's dict: its tensors as they were before the first edit, by key; the rows are ``cross_attn``."""
EDITED = "supsae_edited"
"""In an edited entry's dict: its edited rows, to see whether another node changed them since."""
COMPANIONS = {"cross_attn_controlnet": "pooled_output_controlnet"}
"""Rows that an entry keeps for ControlNets → their pooled vector."""


class Place(NamedTuple):
    """One batch row of one entry, and what it says."""

    entry: int
    row: int
    partial: bool
    reading: Reading
    said: tuple[int, ...]


class EditedConditioning(NamedTuple):
    """A conditioning after the edits."""

    conditioning: Conditioning
    report: str
    places: list[Place]
    """what was said before"""
    changes: list[list[Change]]
    """of every place"""


def edit(conditioning: Conditioning, dictionary: Dictionary, edits: Sequence[AnyEdit]) -> tuple[Conditioning, str]:
    """Return the edited list and a report, as ``edit_places`` makes them."""
    made = edit_places(conditioning, dictionary, edits)
    return made.conditioning, made.report


def edit_places(conditioning: Conditioning, dictionary: Dictionary, edits: Sequence[AnyEdit]) -> EditedConditioning:
    """Edit a list and keep what was read; an entry in which nothing changes is passed on as it is.

    Raises:
        ValueError: if rows cannot be read, or an edit finds nothing to change anywhere.
    """
    named = expected(dictionary.table, edits)
    places = [place for index, entry in enumerate(conditioning) for place in read(dictionary, entry, index, named)]
    if not places and edits:
        raise ValueError(
            "This conditioning is empty, or all zeros (Conditioning Zero Out?): no concept can be read or edited. "
            "Connect CLIP Text Encode (Prompt)."
        )
    chosen = choose(dictionary, edits, places)
    made, changes = [], []
    for index, entry in enumerate(conditioning):
        own = [(place, some) for place, some in zip(places, chosen, strict=True) if place.entry == index]
        edited, found = edit_entry(entry, dictionary, own)
        made.append(edited)
        changes += found
    told = zip(places, chosen, changes, strict=True)
    return EditedConditioning(made, "\n".join(line(dictionary, *one, len(places)) for one in told), places, changes)


def read(dictionary: Dictionary, entry: Sequence[Any], index: int, named: Collection[int] = ()) -> list[Place]:
    """Read every batch row of an entry; one that was zeroed out says nothing and has no places.

    ``named`` are concepts of the categories that edits name, as ``readout.read_conditioning`` takes them.
    """
    if not bool(entry[0].any()):
        return []
    partial = any(entry[1].get(key) is not None and entry[1].get(key) is not False for key in PARTIAL)
    readings = [readout.read_conditioning(dictionary, row, named) for row in entry[0].float().cpu()]
    return [Place(index, row, partial, one, one.concepts(dictionary)) for row, one in enumerate(readings)]


def mixed_prompt(
    dictionary: Dictionary, cond: Tensor, place: Place, changes: Sequence[Change], total: int
) -> MixedPrompt:
    """Return what a place, of so many, said before and what its edited rows (L, width) say."""
    after: tuple[int, ...] | None = place.said
    if changes:
        try:
            rows = in_order(dictionary, cond.float().cpu(), place.reading, changes)
            after = readout.read_conditioning(dictionary, rows).concepts(dictionary)
        except ValueError:
            after = None
    return MixedPrompt(title(place, total), place.said, after)


def choose(dictionary: Dictionary, edits: Sequence[AnyEdit], places: Sequence[Place]) -> list[list[AnyEdit]]:
    """Return the edits of every place.

    Raises:
        ValueError: if an edit has no place at all, in the words of the core for the first place.
    """
    chosen: list[list[AnyEdit]] = [[] for _ in places]
    for one in edits:
        where = _where(dictionary, one, places)
        if not where and resolve_edits(dictionary, [one], places[0].said):
            raise ValueError(
                f"Nowhere to say {edit_name(one)!r}: the conditioning has parts for areas or masks only, and none of "
                "them mentions its category. Edit the part before it is given its area or mask."
            )
        for place in where:
            chosen[place].append(one)
    return chosen


def _where(dictionary: Dictionary, edit: AnyEdit, places: Sequence[Place]) -> list[int]:
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
    return _mentioned(meant, places) or _unmentioned(meant, places)


WHERE: dict[type, Callable[[Aim, Sequence[Place]], list[int]]] = {
    Swap: _anew,
    Turn: _anew,
    Add: _unmentioned,
    Clear: _mentioned,
    Keep: _everywhere,
}
"""Edit → the places it applies to; one without a line goes where what it changes is said."""


def edit_entry(
    entry: list[Any], dictionary: Dictionary, own: Sequence[tuple[Place, Sequence[AnyEdit]]]
) -> tuple[list[Any], list[list[Change]]]:
    """Edit one entry: rows, pooled vector and what it keeps for ControlNets; return it and the changes of every row."""
    cond, extra = entry
    planned = [resolve_edits(dictionary, some, place.said) for place, some in own]
    if not any(planned):
        return entry, planned
    pooled = extra.get("pooled_output")
    if dictionary.family.pooled and not isinstance(pooled, Tensor):
        raise ValueError(
            "This conditioning has no pooled_output, which its model needs and an edit changes too. Encode the "
            "prompt with CLIP Text Encode (Prompt)."
        )
    places = [place for place, _ in own]
    made = _edit_rows(dictionary, cond, pooled if dictionary.family.pooled else None, places, planned)
    new = {**extra, **({} if made.pooled is None else {"pooled_output": made.pooled}), **_masked(extra, made)}
    for key, companion in COMPANIONS.items():
        if isinstance(extra.get(key), Tensor):
            edits = chain.from_iterable(some for _, some in own)
            new |= _edit_companion(dictionary, extra, key, companion, dict.fromkeys(edits))
    return [made.rows, new | _remembered(extra, cond, made.rows, new)], planned


class EditedRows(NamedTuple):
    """A batch after the edits."""

    rows: Tensor
    """(B, L, width)"""
    pooled: Tensor | None
    """(B, P)"""
    shown: tuple[tuple[int, ...], ...]
    """per batch row, rows that a mask must show from now on"""


def _masked(extra: dict[str, Any], made: EditedRows) -> dict[str, Tensor]:
    """Show the model what was written on masked pads; nothing where there is no mask, or none was written on."""
    mask = extra.get("attention_mask")
    if not isinstance(mask, Tensor) or not any(made.shown):
        return {}
    shown = mask.expand(len(made.rows), -1).clone()
    for row, places in zip(shown, made.shown, strict=True):
        row[list(places)] = 1
    return {"attention_mask": shown}


def _remembered(extra: dict[str, Any], cond: Tensor, rows: Tensor, new: dict[str, Any]) -> dict[str, Any]:
    """Return what the Lock needs to draw without the edits; nothing, if another node stood between two edits."""
    if extra.get(EDITED, cond) is not cond:
        return {}
    changed = {key: extra[key] for key in extra if new[key] is not extra[key]}
    return {REFERENCE: {"cross_attn": cond, **changed, **extra.get(REFERENCE, {})}, EDITED: rows}


def _edit_rows(
    dictionary: Dictionary, cond: Tensor, pooled: Tensor | None, own: Sequence[Place], planned: Sequence[list[Change]]
) -> EditedRows:
    """Edit (B, L, width) and (P, ·); ComfyUI repeats both to the batch, so unequal numbers are repeated here first."""
    batch = math.lcm(len(cond), 1 if pooled is None else len(pooled))
    found = []
    for i in range(batch):
        one, vector = i % len(cond), None if pooled is None else pooled[i % len(pooled)].cpu()
        found.append(apply_changes(dictionary, cond[one].cpu(), vector, own[one].reading, planned[one]))
    longest = max(len(made.cond) for made in found)
    if any(len(made.cond) < longest for made in found):
        raise ValueError(
            "The prompts of this batch need different numbers of rows after the edit, since their text encoder has no "
            "pads. Edit them one by one, before they are put into a batch."
        )
    vectors = [made.pooled for made in found if made.pooled is not None]
    return EditedRows(
        torch.stack([made.cond for made in found]).to(cond.device),
        None if pooled is None else torch.stack(vectors).to(pooled.device),
        tuple(made.shown for made in found),
    )


def _edit_companion(
    dictionary: Dictionary, extra: dict[str, Any], key: str, companion: str, edits: Iterable[AnyEdit]
) -> dict[str, Tensor]:
    """Edit the rows meant for ControlNets by what they say themselves; a text that is not about it stays."""
    cond, pooled, edits = extra[key], extra.get(companion), list(edits)
    places = read(dictionary, [cond, {}], 0, expected(dictionary.table, edits))
    if not places:
        return {}
    own: list[list[AnyEdit]] = [[] for _ in places]
    for one in edits:
        for place in _where(dictionary, one, places):
            own[place].append(one)
    planned = [resolve_edits(dictionary, some, place.said) for place, some in zip(places, own, strict=True)]
    vector = pooled if isinstance(pooled, Tensor) else None
    made = _edit_rows(dictionary, cond, vector, places, planned)
    return {key: made.rows} if made.pooled is None else {key: made.rows, companion: made.pooled}


def repeated(tensor: Tensor, shape: Sequence[int]) -> Tensor:
    """Repeat (b, …) along the batch, and along the rows where ComfyUI tiles unequal prompts, to what fits a shape.

    A dimension of 1 stays, since it is broadcast.
    """
    times = [1 if have == 1 else -(-want // have) for want, have in zip(shape, tensor.shape, strict=True)]
    return tensor.repeat(times)[: shape[0]]


def title(place: Place, total: int) -> str:
    """Name a place among several; nothing if it is the only one."""
    return f"part {place.entry + 1}, row {place.row + 1}" if total > 1 else ""


def line(dictionary: Dictionary, place: Place, edits: Sequence[AnyEdit], changes: Sequence[Change], total: int) -> str:
    """Say what was found at a place and what was changed there."""
    where = f"{title(place, total)}: " if total > 1 else ""
    kept = [f"kept {edit_name(one)}" for one in edits if isinstance(one, Keep)] if changes else []
    done = ", ".join([*(_spell(dictionary, edits, change) for change in changes), *kept])
    return f"{where}found {readout.describe_reading(dictionary, place.reading)}\n{where}{done or 'changed nothing'}"


def _spell(dictionary: Dictionary, edits: Sequence[AnyEdit], change: Change) -> str:
    table = dictionary.table
    old, new = ("" if index is None else str(table.concepts[index]) for index in (change.old, change.new))
    touched = change.new if change.old is None else change.old
    said = next(one for one in edits if touched in aim(table, one).members)
    assert not isinstance(said, Keep)  # it changes nothing
    if new:
        done = f"changed {old} to {new}" if old else f"added {new}"
    else:
        done = f"{GONE.get(type(said), EDITS[type(said)].verb)} {old}"
    return f"{done} (strength {said.strength:g})"


GONE: dict[type, str] = {Remove: "removed", Scale: "scaled", Turn: "scaled", Clear: "removed"}
"""Edit that writes nothing new → what the report calls it."""
