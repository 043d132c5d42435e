"""Edits of a CONDITIONING: a list of [rows, dict], each entry and each batch row read and edited on its own.

Nothing that came in is written to: ComfyUI caches and shares it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.editing import offered
from ...supsae_core.editing.apply import Edited, apply_changes
from ...supsae_core.editing.edits import AnyEdit, Change, Keep, aim, expected, resolve_edits, spell_edit
from ...supsae_core.editing.growing import NEW
from ...supsae_core.reading.known_text import KnownText
from .edit_reports import line, prefix
from .idle import Idle, idle_of
from .placed import Place, choose, read

Conditioning = list[list[Any]]
REFERENCE = "supsae_reference"
"""In an edited entry's dict: its tensors as they were before the first edit, by key; the rows are ``cross_attn``."""
EDITED = "supsae_edited"
"""In an edited entry's dict: its edited rows, to see whether another node changed them since."""
ALONE = "supsae_alone"
"""In an edited entry's dict: its edits, to be made one by one; those of a file are ``saved_edits.SavedEdit``."""
FREE = "supsae_free"
"""In an entry's dict: True where the Lock shall hold nothing."""
COMPANIONS = {"cross_attn_controlnet": "pooled_output_controlnet"}
"""Rows that an entry keeps for ControlNets → their pooled vector."""


class EditedConditioning(NamedTuple):
    """A conditioning after the edits."""

    conditioning: Conditioning
    report: str
    places: list[Place]
    """what was said before"""
    edited: list[Edited]
    """every place's rows, what was said in them before, and the changes"""
    left_out: dict[AnyEdit, str]
    """optional edits that cannot be made, and why"""
    idle: list[Idle]
    """of every place, if there are several: edits that find nothing to change there, and why"""


class Taught(NamedTuple):
    """A prompt's text, and words of it that a person says to speak of categories."""

    words: Mapping[str, str]
    """category → words"""
    wanted: Mapping[str, int]
    """category → the concept that is to be said there"""
    text: KnownText | None
    """the prompt's, if it is known"""


class AloneEdit(NamedTuple):
    """An edit of an entry, to be made without the others."""

    dictionary: Dictionary
    edit: AnyEdit
    kept: tuple[Keep, ...]
    taught: Taught | None
    asked: AnyEdit | None = None
    """what was asked, where the edit acts less strongly in a part of sampling"""

    @property
    def name(self) -> str:
        """The edit, as reports spell it."""
        return spell_edit(self.asked or self.edit)

    @property
    def category(self) -> str:
        return aim(self.dictionary.table, self.edit).category

    @property
    def key(self) -> tuple:
        """Equal for the same edit of several entries."""
        return id(self.dictionary), self.asked or self.edit

    def made(self, entry: dict[str, Any]) -> dict[str, Any]:
        """Return an unedited entry with this edit, its rows under ``cross_attn``; itself if nothing is to be done."""
        edits, pair = (self.edit, *self.kept), [entry["cross_attn"], entry]
        (made,) = edit_places([pair], self.dictionary, edits, edits, self.taught).conditioning
        return entry if made is pair else {**made[1], "cross_attn": made[0]}


def free(conditioning: Conditioning) -> Conditioning:
    """Return a list of which the Lock holds nothing."""
    return [[rows, {**extra, FREE: True}] for rows, extra in conditioning]


def taught_places(
    conditioning: Conditioning, dictionary: Dictionary, places: Sequence[Place], taught: Taught
) -> tuple[list[Place], list[str]]:
    """Return the places as they read with what was taught, and lines on words that are not there."""
    made, lines = [], list[str]()
    for place in places:
        cond = conditioning[place.entry][0][place.row].float().cpu()
        reading, told = offered.taught(dictionary, cond, place.reading, *taught)
        made.append(place._replace(reading=reading, said=reading.concepts(dictionary)))
        lines += [f"{prefix(place, len(places))}{one}" for one in told]
    return made, lines


def edit(conditioning: Conditioning, dictionary: Dictionary, edits: Sequence[AnyEdit]) -> tuple[Conditioning, str]:
    """Return the edited list and a report, as ``edit_places`` makes them."""
    made = edit_places(conditioning, dictionary, edits)
    return made.conditioning, made.report


def edit_places(
    conditioning: Conditioning, dictionary: Dictionary, edits: Sequence[AnyEdit], optional: Collection[AnyEdit] = (),
    taught: Taught | None = None,
) -> EditedConditioning:  # fmt: skip
    """Edit a list and keep what was read; an entry in which nothing changes is passed on as it is.

    Args:
        optional: edits that are left out if they can be made nowhere.
        taught: which words speak of what, where the dictionary does not know them.

    Raises:
        ValueError: if rows cannot be read, or an edit that is not optional finds nothing to change anywhere.
    """
    named = expected(dictionary.table, edits)
    places = [place for index, entry in enumerate(conditioning) for place in read(dictionary, entry, index, named)]
    if not places and edits:
        raise ValueError(
            "This conditioning is empty, or all zeros (Conditioning Zero Out?): no concept can be read or edited. "
            "Connect CLIP Text Encode (Prompt)."
        )
    lines = list[str]()
    if taught is not None:
        places, lines = taught_places(conditioning, dictionary, places, taught)
    which = choose(dictionary, edits, places, optional)
    made, found, chosen, idle = [], list[Edited](), which.edits, idle_of(dictionary, edits, places, which)
    for index, entry in enumerate(conditioning):
        own = [(place, some) for place, some in zip(places, chosen, strict=True) if place.entry == index]
        edited, some = edit_entry(entry, dictionary, own)
        made.append(edited if edited is entry else _with_alone(edited, dictionary, own, taught))
        found += some
    told = zip(places, chosen, found, idle, strict=True)
    said = [line(dictionary, place, some, one.changes, len(places), nothing) for place, some, one, nothing in told]
    return EditedConditioning(made, "\n".join([*said, *lines]), places, found, which.left_out, idle)


def _with_alone(
    entry: list[Any], dictionary: Dictionary, own: Sequence[tuple[Place, Sequence[AnyEdit]]], taught: Taught | None
) -> list[Any]:
    """Return an edited entry that says which edits were made in it."""
    edits = list(dict.fromkeys(one for _, some in own for one in some))
    kept = tuple(one for one in edits if isinstance(one, Keep))
    alone = tuple(AloneEdit(dictionary, one, kept, taught) for one in edits if not isinstance(one, Keep))
    return [entry[0], {**entry[1], ALONE: (*entry[1].get(ALONE, ()), *alone)}]


def edit_entry(
    entry: list[Any], dictionary: Dictionary, own: Sequence[tuple[Place, Sequence[AnyEdit]]]
) -> tuple[list[Any], list[Edited]]:
    """Edit one entry: rows, pooled vector and what it keeps for ControlNets; return it, and every row as edited."""
    cond, extra = entry
    planned = [resolve_edits(dictionary, some, place.said) for place, some in own]
    if not any(planned):
        return entry, [Edited(cond[place.row], None, place.reading, []) for place, _ in own]
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
    return [made.rows, new | _remembered(extra, cond, made.rows, new)], made.edited[: len(own)]


class EditedRows(NamedTuple):
    """A batch after the edits."""

    rows: Tensor
    """(B, L, width)"""
    pooled: Tensor | None
    """(B, P)"""
    edited: list[Edited]
    """per batch row"""


def _masked(extra: dict[str, Any], made: EditedRows) -> dict[str, Tensor]:
    """Let the model's mask follow its rows and show what was written on pads; nothing where no mask need change."""
    mask = extra.get("attention_mask")
    if not isinstance(mask, Tensor) or not any(one.shown or NEW in one.before for one in made.edited):
        return {}
    rows = mask.expand(len(made.rows), -1)
    masks = [_followed(row, one) for row, one in zip(rows, made.edited, strict=True)]
    return {"attention_mask": torch.stack(masks)}


def _followed(mask: Tensor, made: Edited) -> Tensor:
    """Return the mask (rows,) of an edited conditioning: each row as it was, inserted and written ones shown."""
    if not made.before:
        return mask
    before = torch.tensor(made.before, device=mask.device)
    followed = torch.where(before == NEW, torch.ones_like(mask[:1]), mask[before.clamp(min=0)])
    followed[list(made.shown)] = 1
    return followed


def _remembered(extra: dict[str, Any], cond: Tensor, rows: Tensor, new: dict[str, Any]) -> dict[str, Any]:
    """Return what the Lock needs to draw without the edits; nothing, if another node stood between two edits."""
    if extra.get(EDITED, cond) is not cond:
        return {}
    changed = {key: extra[key] for key in extra if new[key] is not extra[key]}
    reference = {"cross_attn": cond, **changed, **extra.get(REFERENCE, {})}
    return {REFERENCE: reference, EDITED: rows}


def _edit_rows(
    dictionary: Dictionary, cond: Tensor, pooled: Tensor | None, own: Sequence[Place], planned: Sequence[list[Change]]
) -> EditedRows:
    """Edit (B, L, width) and (P, ·); ComfyUI repeats both to the batch, so unequal numbers are repeated here first."""
    batch = math.lcm(len(cond), 1 if pooled is None else len(pooled))
    found = []
    for i in range(batch):
        one, vector = i % len(cond), None if pooled is None else pooled[i % len(pooled)].cpu()
        place = own[one]
        found.append(apply_changes(dictionary, cond[one].cpu(), vector, place.reading, planned[one], place.codes))
    longest = max(len(made.cond) for made in found)
    if any(len(made.cond) < longest for made in found):
        raise ValueError(
            "The prompts of this batch need different numbers of rows after the edit, since some have no pads left for "
            "it. Edit them one by one, before they are put into a batch."
        )
    vectors = [made.pooled for made in found if made.pooled is not None]
    return EditedRows(
        (torch.stack([made.cond for made in found]) if len(found) > 1 else found[0].cond[None]).to(cond.device),
        None if pooled is None else torch.stack(vectors).to(pooled.device),
        found,
    )


def _edit_companion(
    dictionary: Dictionary, extra: dict[str, Any], key: str, companion: str, edits: Iterable[AnyEdit]
) -> dict[str, Tensor]:
    """Edit the rows meant for ControlNets by what they say themselves; a text that is not about it stays."""
    cond, pooled = extra[key], extra.get(companion)
    edits = list(edits)
    places = read(dictionary, [cond, {}], 0, expected(dictionary.table, edits))
    if not places:
        return {}
    own = choose(dictionary, edits, places, edits).edits
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
