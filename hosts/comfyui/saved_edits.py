"""What a saved conditioning says of its edits: each by its words, what it does alone, and by which dictionary."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor

from ...supsae_core.dictionary.file import Header
from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.dictionary.shipped import unshipped
from ...supsae_core.dictionary.slider_map import maps_to_json
from ...supsae_core.editing.edits import spell_edit
from ...supsae_core.files import DamagedError
from .conditionings import AloneEdit
from .entry_checks import OURS
from .unedited import unedited

LETTERS = 400
"""Letters of a name at most, as a file has it."""


class DictionaryMark(NamedTuple):
    """Which dictionary it was, for those who have the conditioning and not the dictionary."""

    file: str
    """as a loader shows it; empty if it was never saved"""
    fingerprint: str
    """of its table, where it comes from and what its sliders were calibrated to"""
    family: str
    title: str
    """what people call the models of the text encoders"""
    encoders: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {**self._asdict(), "encoders": list(self.encoders)}

    @classmethod
    def of(cls, dictionary: Dictionary, file: str) -> DictionaryMark:
        """Take a dictionary and the name that a loader shows it by."""
        family = dictionary.family
        names = tuple(tidy(one.name) for one in family.encoders)
        title = tidy(family.title or family.name)
        return cls(tidy(file), fingerprint(dictionary), tidy(family.name), title, names)

    @classmethod
    def from_json(cls, said: Any) -> DictionaryMark:
        """Raise ``DamagedError`` if it is none."""
        if not isinstance(said, dict) or not isinstance(said.get("encoders"), list):
            raise DamagedError("does not say of which dictionary its edits are")
        names = tuple(short(one) for one in said["encoders"])
        file, mark, family, title = (short(said.get(key)) for key in ("file", "fingerprint", "family", "title"))
        return cls(file, mark, family, title, names)


def fingerprint(dictionary: Dictionary | Header) -> str:
    """Return what tells a dictionary from others: 16 hexadecimal digits, the same of it and of its file's header."""
    said = [
        dictionary.table.to_json(),
        dictionary.family.name,
        unshipped(dictionary.provenance),
        [[float(one) for one in knot] for knot in dictionary.slider],
        maps_to_json(dictionary.sliders),
    ]
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()[:16]


class SavedEdit(NamedTuple):
    """An edit of an entry that came out of a file; among ``conditionings.ALONE`` it does what ``AloneEdit`` does."""

    name: str
    """as reports spell it"""
    category: str
    kept: tuple[str, ...]
    """categories that were held"""
    mark: DictionaryMark
    changed: Mapping[str, Tensor]
    """what of the unedited entry is otherwise with this edit alone; the rows are ``cross_attn``"""
    key: tuple
    """equal for the same edit of several entries"""

    def made(self, entry: dict[str, Any]) -> dict[str, Any]:
        """Return an unedited entry with this edit, its rows under ``cross_attn``; itself if nothing is to be done."""
        return {**entry, **self.changed} if self.changed else entry


def saved_edit(one: AloneEdit | SavedEdit, rows: Tensor, options: Mapping[str, Any], mark: DictionaryMark) -> SavedEdit:
    """Return an edit as it is saved: what it does alone is made now, for then there is no dictionary."""
    if isinstance(one, SavedEdit):
        return one
    kept = tuple(held.category for held in one.kept)
    return SavedEdit(spell_edit(one.edit), one.category, kept, mark, _alone(one, rows, options), one.key)


def _alone(one: AloneEdit, rows: Tensor, options: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return what an edit changes by itself; nothing where another node changed the rows since."""
    try:
        plain = unedited({**options, "cross_attn": rows})
    except ValueError:  # the Lock refuses such an entry, saved or not
        return {}
    made = one.made(plain)
    changed = {key: value for key, value in made.items() if value is not plain.get(key) and not key.startswith(OURS)}
    return {key: value for key, value in changed.items() if isinstance(value, Tensor)}


def short(said: Any) -> str:
    """Return a text as a file has it; raises ``DamagedError`` if it is none, or a long one."""
    if not isinstance(said, str) or len(said) > LETTERS or not said.isprintable():
        raise DamagedError("does not say in short texts what was edited")
    return said


def tidy(text: str) -> str:
    """Return a text as a file may have it, so that ``short`` takes it."""
    return "".join(one if one.isprintable() else "?" for one in text[:LETTERS])
