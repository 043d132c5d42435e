"""A CONDITIONING in one ``.safetensors`` file: rows, options and what was edited; ``loaded_conditioning`` reads it.

What ComfyUI hangs on entries beside data (ControlNets, hooks, models) no file can hold: it is left out, and told.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.files import HASH, DamagedError
from ...supsae_core.tensor_files import HASHES, TensorFile, write_tensors
from .conditionings import ALONE, EDITED, FREE, REFERENCE, AloneEdit, Conditioning
from .entry_checks import OBJECTS, OURS, require_entry
from .option_tree import NoDataError, packed
from .saved_edits import DictionaryMark, SavedEdit, saved_edit, tidy
from .tensor_names import TensorNames

FORMAT_VERSION = 1
KIND = "supsae.conditioning"
MOST_HEADER = 8 * 1024 * 1024
"""Bytes of a header that is written and read; one of a hundred entries has less than a hundredth of that."""


class StoredPart(NamedTuple):
    """What is told of an entry."""

    shape: tuple[int, ...]
    """of its rows, (B, L, width)"""
    pooled: int
    """columns of its pooled vector, 0 if there is none"""
    edits: tuple[SavedEdit, ...]
    left_out: tuple[str, ...]
    """options that no file can hold"""
    time: tuple[float, float] = (0.0, 1.0)
    """the part of sampling that it is for"""


class StoredConditioning(NamedTuple):
    """A conditioning as a file has it."""

    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str]
    parts: tuple[StoredPart, ...]


def stored(conditioning: Conditioning, file_of: Callable[[Dictionary], str]) -> StoredConditioning:
    """Return what a file of a list holds.

    Args:
        file_of: called with the dictionaries of its edits, returns the name that loaders show, or nothing.

    Raises:
        ValueError: if rows or options are none that a conditioning has, or are not finite.
    """
    if not conditioning:
        raise ValueError("This conditioning is empty, so there is nothing to save. Connect CLIP Text Encode (Prompt).")
    names, edits, parts, entries = TensorNames(), _EditList(file_of), list[StoredPart](), list[dict[str, Any]]()
    for index, (rows, options) in enumerate(conditioning):
        try:
            entry, part = _entry(index, rows, options, names, edits)
        except DamagedError as error:
            raise ValueError(
                f"This conditioning cannot be saved: its entry {index + 1} {error}. Take off the node that made it so, "
                "or save before it."
            ) from error
        entries.append(entry)
        parts.append(part)
    said = {"entries": entries, "edits": edits.edits, "dictionaries": edits.dictionaries}
    text = json.dumps(said, ensure_ascii=False, allow_nan=False)
    if len(text.encode()) > MOST_HEADER // 2:
        raise ValueError(
            f"The options of this conditioning take {len(text.encode()) >> 20} MB as text, and {MOST_HEADER >> 21} at "
            "most can be saved. Save before the node that added them."
        )
    metadata = {"kind": KIND, "format_version": str(FORMAT_VERSION), "conditioning": text}
    return StoredConditioning(names.tensors, metadata, tuple(parts))


class _EditList:
    """The edits of a file and their dictionaries, each once."""

    def __init__(self, file_of: Callable[[Dictionary], str]) -> None:
        self._file_of = file_of
        self._marks: dict[int, DictionaryMark] = {}
        self._numbers: dict[tuple, int] = {}
        self.edits: list[dict[str, Any]] = []
        self.dictionaries: list[dict[str, Any]] = []

    def mark(self, one: AloneEdit | SavedEdit) -> DictionaryMark:
        """Return by which dictionary an edit was made."""
        if isinstance(one, SavedEdit):
            return one.mark
        known = id(one.dictionary)
        if known not in self._marks:
            self._marks[known] = DictionaryMark.of(one.dictionary, self._file_of(one.dictionary))
        return self._marks[known]

    def number(self, one: SavedEdit) -> int:
        """Return the number of an edit."""
        if one.key not in self._numbers:
            said = one.mark.to_json()
            if said not in self.dictionaries:
                self.dictionaries.append(said)
            by = self.dictionaries.index(said)
            self._numbers[one.key] = len(self.edits)
            about = {"edit": tidy(one.name), "category": tidy(one.category), "kept": [tidy(held) for held in one.kept]}
            self.edits.append(about | {"dictionary": by})
        return self._numbers[one.key]


def _entry(
    index: int, rows: Tensor, options: Mapping[str, Any], names: TensorNames, edits: _EditList
) -> tuple[dict[str, Any], StoredPart]:
    """Return an entry as JSON, its tensors under names, and what is told of it."""
    kept, left_out = _data_of(options)
    require_entry(rows, kept)

    def put(value: Any, place: str) -> Any:
        return packed(value, lambda tensor: names.put(tensor, f"{index}.{place}"))

    said = {"rows": put(rows, "rows"), "options": {key: put(one, f"options.{key}") for key, one in kept.items()}}
    if REFERENCE in options:
        reference, edited = options[REFERENCE], options.get(EDITED)
        said["unedited"] = {key: put(one, f"unedited.{key}") for key, one in reference.items()}
        said["edited"] = put(edited, "edited")
    if FREE in options:
        said["free"] = bool(options[FREE])
    made = [saved_edit(one, rows, options, edits.mark(one)) for one in options.get(ALONE, ())]
    said["edits"] = [
        {"edit": number, "alone": {key: put(x, f"alone.{number}.{key}") for key, x in one.changed.items()}}
        for number, one in ((edits.number(one), one) for one in made)
    ]
    said["left_out"] = left_out
    return said, part_of(rows, kept, made, left_out)


def _data_of(options: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the options that are data, and the names of those that are not."""
    kept, left_out = dict[str, Any](), list[str]()
    for key, value in options.items():
        if not isinstance(key, str) or key.startswith(OURS) or key in OBJECTS and value is None:
            continue
        try:
            if key in OBJECTS:
                raise NoDataError
            packed(value, lambda tensor: "")
            kept[key] = value
        except NoDataError:
            left_out.append(tidy(key))
    return kept, left_out


def part_of(rows: Tensor, options: Mapping[str, Any], edits: Sequence[SavedEdit], left: Sequence[str]) -> StoredPart:
    """Return what is told of an entry; ``left`` are the options that are left out."""
    pooled = options.get("pooled_output")
    width = pooled.shape[-1] if isinstance(pooled, Tensor) else 0
    time = float(options.get("start_percent", 0.0)), float(options.get("end_percent", 1.0))
    return StoredPart(tuple(rows.shape), width, tuple(edits), tuple(left), time)


def write(path: Path, what: StoredConditioning) -> None:
    """Write a file, whole or not at all; raises ``OSError`` with a sentence."""
    write_tensors(path, what.tensors, what.metadata)


def holds(path: Path, what: StoredConditioning) -> bool:
    """Tell whether a file holds this very conditioning, to the last bit."""
    try:
        file = TensorFile(path)
        texts = {key: text for key, text in file.metadata.items() if key not in (HASH, HASHES)}
        if texts != dict(what.metadata):
            return False
        there = TensorNames.hashes_of(file.read())
    except (DamagedError, FileNotFoundError):
        return False
    return there == TensorNames.hashes_of(what.tensors)
