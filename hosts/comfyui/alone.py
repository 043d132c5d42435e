"""The edits of a run one by one: what the Lock asks to learn where each of several may show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.editing.edits import AnyEdit, Keep, aim, spell_edit
from . import steering
from .conditionings import ALONE, FREE, REFERENCE, AloneEdit
from .run_key import Same
from .saved_edits import SavedEdit
from .steering_run import Steering
from .unedited import unedited

Conds = dict[str, list[dict[str, Any]]]


class Alone(NamedTuple):
    """A run with one of the edits."""

    name: str
    """the edit, as reports spell it"""
    category: str
    conds: Conds
    options: dict[str, Any]
    """of the transformer, while it is sampled"""
    key: tuple
    """what tells it from the runs of other edits, beside the conditionings"""


def one_by_one(guider: Any) -> list[Alone]:
    """Return every edit of a run alone; nothing where one cannot be made without the others.

    Raises:
        ValueError: as ``reference_conds``.
    """
    plain = reference_conds(guider.conds)
    in_words = {one.key: one for entries in guider.conds.values() for entry in entries for one in _alone(entry)}
    made = [
        Alone(one.name, one.category, _conds_of(guider.conds, plain, name), {steering.REFERENCE: True}, ())
        for name, one in in_words.items()
    ]
    if not all(_differs(one.conds, plain) for one in made):
        return []
    on_model = guider.model_patcher.get_attachment(steering.KEY) or ()
    return made + [
        _named(one.dictionary, edit, plain, {steering.ONLY: _only(one, edit)}, (Same(one.dictionary), one.where, edit))
        for one in on_model
        for edit in one.edits
        if one.acts and not isinstance(edit, Keep)
    ]


def changes(guider: Any) -> bool:
    """Tell whether a run has an edit at all: in a conditioning, or on the model."""
    wrappers = guider.model_options.get("transformer_options", {}).get("wrappers", {})
    steered = any(wrappers.get(kind, {}).get(steering.KEY) for kind in wrappers)
    return steered or any(REFERENCE in entry for entries in guider.conds.values() for entry in entries)


def is_free(guider: Any) -> bool:
    """Tell whether whoever made the edits wants the rest of the picture free to follow."""
    told = [entry[FREE] for entries in guider.conds.values() for entry in entries if FREE in entry]
    told += [one.free for one in guider.model_patcher.get_attachment(steering.KEY) or ()]
    return any(told)


def reference_conds(conds: Mapping[str, list[dict[str, Any]]]) -> Conds:
    """Return conditionings as they were before Apply Edits, for a run of their own.

    Raises:
        ValueError: as ``unedited``.
    """
    return {name: [unedited(entry) for entry in entries] for name, entries in conds.items()}


def _named(dictionary: Dictionary, edit: AnyEdit, conds: Conds, options: dict[str, Any], key: tuple) -> Alone:
    return Alone(spell_edit(edit), aim(dictionary.table, edit).category, conds, options, key)


def _alone(entry: Mapping[str, Any]) -> tuple[AloneEdit | SavedEdit, ...]:
    return entry.get(ALONE, ())


def _conds_of(edited: Mapping[str, list[dict[str, Any]]], plain: Conds, name: tuple) -> Conds:
    """Return the unedited conditionings with one edit in every entry that has it."""
    made: Conds = {}
    for key, entries in plain.items():
        own = [next((one for one in _alone(entry) if one.key == name), None) for entry in edited[key]]
        made[key] = [entry if one is None else one.made(entry) for entry, one in zip(entries, own, strict=True)]
    return made


def _differs(conds: Conds, plain: Conds) -> bool:
    return any(a is not b for name, entries in plain.items() for a, b in zip(conds[name], entries, strict=True))


def _only(one: Steering, edit: AnyEdit) -> Steering:
    kept = tuple(other for other in one.edits if isinstance(other, Keep))
    return replace(one, edits=(edit, *kept), told=(), optional=frozenset((edit, *kept)))
