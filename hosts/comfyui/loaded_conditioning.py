"""Saved conditionings, read as what strangers wrote: a file that is none is refused with its name and the remedy."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from ...supsae_core.files import HASH, DamagedError, missing
from ...supsae_core.tensor_files import TensorFile
from .conditionings import ALONE, EDITED, FREE, REFERENCE, Conditioning
from .entry_checks import is_rows, require_entry, require_numbers
from .option_tree import unpacked
from .saved_conditioning import FORMAT_VERSION, KIND, MOST_HEADER, StoredPart, part_of
from .saved_edits import DictionaryMark, SavedEdit, short


class LoadedConditioning(NamedTuple):
    """A conditioning that came out of a file."""

    conditioning: Conditioning
    parts: tuple[StoredPart, ...]


def load(path: Path) -> LoadedConditioning:
    """Read a file, whoever wrote it.

    Raises:
        ValueError: naming the file, what is wrong with it, and what to do.
    """
    try:
        require_small_header(path)
        file = TensorFile(path)
    except FileNotFoundError as error:
        raise ValueError(
            f"There is no file {path.name!r} any more. Refresh the page (R) and choose another."
        ) from error
    except DamagedError as error:
        raise _damaged(path, error) from error
    if file.metadata.get("kind") != KIND:
        raise ValueError(
            f"{path.name!r} is not a saved conditioning. Choose a file that Save Conditioning wrote; dictionaries and "
            "models have loaders of their own."
        )
    try:
        return _loaded(path, file)
    except DamagedError as error:
        raise _damaged(path, error) from error
    except (KeyError, TypeError, AttributeError, IndexError, ValueError, RecursionError, OverflowError) as error:
        if isinstance(error, NewerError):
            raise
        raise _damaged(path, DamagedError(f"does not hold what a conditioning does{missing(error)}")) from error


class NewerError(ValueError):
    """The file is of a newer SupSAE."""


def require_small_header(path: Path) -> None:
    """Refuse a file whose header says that it is huge, before anything reads it; raises ``DamagedError``."""
    try:
        with path.open("rb") as opened:
            size = int.from_bytes(opened.read(8), "little")
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DamagedError(f"cannot be read ({error.strerror or error})") from error
    if size > MOST_HEADER:
        raise DamagedError("is not a whole safetensors file with a header of a few MB")


def _damaged(path: Path, error: DamagedError) -> ValueError:
    return ValueError(f"The saved conditioning {path.name!r} {error}. Save, copy or download it again.")


def _loaded(path: Path, file: TensorFile) -> LoadedConditioning:
    version = int(file.metadata["format_version"])
    if version > FORMAT_VERSION:
        raise NewerError(
            f"The saved conditioning {path.name!r} has format version {version}; this SupSAE reads up to "
            f"{FORMAT_VERSION}. Update SupSAE."
        )
    said, read = json.loads(file.metadata["conditioning"]), dict[str, Tensor]()

    def tensor_of(name: str) -> Tensor:
        if name not in read:
            read[name] = file.tensor(name)
            if read[name].is_floating_point():
                require_numbers(read[name], name)
        return read[name]

    marks = [DictionaryMark.from_json(one) for one in said["dictionaries"]]
    about = [_about(one, marks) for one in said["edits"]]
    source = file.metadata.get(HASH, str(path))
    made = [_loaded_entry(one, about, source, tensor_of) for one in said["entries"]]
    if not made:
        raise DamagedError("holds no entry")
    return LoadedConditioning([entry for entry, _ in made], tuple(part for _, part in made))


class _About(NamedTuple):
    """What a file says of an edit, wherever it was made."""

    name: str
    category: str
    kept: tuple[str, ...]
    mark: DictionaryMark


def _about(said: Mapping[str, Any], marks: Sequence[DictionaryMark]) -> _About:
    kept = tuple(short(one) for one in said["kept"])
    return _About(short(said["edit"]), short(said["category"]), kept, marks[said["dictionary"]])


def _loaded_entry(
    said: Mapping[str, Any], about: Sequence[_About], source: str, tensor_of: Callable[[str], Tensor]
) -> tuple[list[Any], StoredPart]:
    """Return an entry as the rest of ComfyUI takes it, and what is told of it."""
    rows = unpacked(said["rows"], tensor_of)
    options = {key: unpacked(one, tensor_of) for key, one in said["options"].items()}
    require_entry(rows, options)
    ours, edits = dict[str, Any](), list[SavedEdit]()
    for one in said["edits"]:
        number, changed = one["edit"], _tensors(one["alone"], tensor_of, rows)
        by = about[number]
        edits.append(SavedEdit(by.name, by.category, by.kept, by.mark, changed, (source, number)))
    if "unedited" in said:
        ours[REFERENCE] = _tensors(said["unedited"], tensor_of, rows)
        ours[EDITED] = unpacked(said["edited"], tensor_of)
        if "cross_attn" not in ours[REFERENCE] or not is_rows(ours[EDITED]):
            raise DamagedError("does not hold the rows as they were before the edits")
    if edits:
        ours[ALONE] = tuple(edits)
    if isinstance(said.get("free"), bool):
        ours[FREE] = said["free"]
    left_out = [short(one) for one in said["left_out"]]
    return [rows, {**options, **ours}], part_of(rows, options, edits, left_out)


def _tensors(said: Mapping[str, Any], tensor_of: Callable[[str], Tensor], rows: Tensor) -> dict[str, Any]:
    """Return what an entry had, or has with one edit alone, in the place of what it has."""
    found = {key: unpacked(one, tensor_of) for key, one in said.items()}
    own = found.get("cross_attn", rows)
    require_entry(own, {key: one for key, one in found.items() if key != "cross_attn"})
    if own.shape[-1] != rows.shape[-1]:
        raise DamagedError(f"has rows of {own.shape[-1]} numbers before the edits and of {rows.shape[-1]} after them")
    return found
