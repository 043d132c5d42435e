"""The dictionaries on the shelf: which there are, what one holds, how one that came in or was learnt is kept."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import torch

from ...supsae_core.dictionary.concept_list import concept_list
from ...supsae_core.dictionary.file import Header, load_dictionary, read_header, save_dictionary
from ...supsae_core.dictionary.light import is_light
from ...supsae_core.dictionary.model import Dictionary
from . import folders, messages
from .loaders import title_of
from .saved_edits import fingerprint

MOST_HEADER = 8 * 1024 * 1024
"""Bytes of a header that is read: tables of thousands of concepts have one of less than a megabyte."""

MOST_KNOWN = 1024
"""Files whose family is remembered."""

MOST_NAME = 48
"""Bytes of a name that is made of categories."""

_ENDINGS = re.compile(r"(?i)(?:\.safetensors|[._-])+$")


class NotOnShelfError(ValueError):
    """What was asked for is not there."""


def described(name: str) -> dict[str, Any]:
    """Return family, concepts and table of a dictionary that a loader offers; of its file only the header is read.

    Raises:
        ValueError: as ``offered``, or if it is no dictionary.
    """
    file = offered(name)
    header = read_header(file)
    said = {"name": name, "family": _family(header), **concept_list(header), "words": header.table.to_json()}
    return {**said, "bytes": file.stat().st_size, "light": is_light(header.provenance)}


def families() -> dict[str, dict[str, str] | None]:
    """Return the family of every dictionary that a loader offers, by headers alone; None of a file that is none."""
    return {name: _family_of(name) for name in folders.dictionary_names()}


def _family_of(name: str) -> dict[str, str] | None:
    try:
        file = _sound(name)
        return _family_in(file, folders.changed(file))
    except (ValueError, OSError):
        return None


@lru_cache(MOST_KNOWN)
def _family_in(file: Path, version: tuple[float, int] | None) -> dict[str, str]:
    """Read a file's family; it is read again where the version of the file is another."""
    return _family(read_header(file))


def _family(header: Header) -> dict[str, str]:
    return {"name": header.family.name, "title": title_of(header.family)}


def offered(name: str) -> Path:
    """Find the file of a dictionary that a loader offers.

    Raises:
        NotOnShelfError: if there is none of the name.
        ValueError: if it is a link out of the folders, or begins as no dictionary does.
    """
    if name not in folders.dictionary_names():
        known = ", ".join(folders.dictionary_names()) or "none"
        raise NotOnShelfError(f"There is no dictionary {name!r} in models/supsae. There are: {known}.")
    return _sound(name)


def _sound(name: str) -> Path:
    """Find the file of a name that is listed; raise as ``offered`` does if it is not sound."""
    file = folders.dictionary_file(name)
    if not any(file.resolve().is_relative_to(folder.resolve()) for folder in folders.dictionary_folders()):
        raise ValueError(f"The dictionary {name!r} is a link to another folder. Name that in extra_model_paths.yaml.")
    require_small_header(file, name)
    return file


def require_small_header(file: Path, name: str) -> None:
    """Refuse a file whose header says that it is huge, before anything reads it.

    Raises:
        ValueError: with the file's name.
    """
    with file.open("rb") as opened:
        size = int.from_bytes(opened.read(8), "little")
    if size > MOST_HEADER:
        raise ValueError(f"{name!r} is not a SupSAE dictionary: it does not begin as one, with a header of a few MB.")


def keep(part: Path, name: str) -> str:
    """Give a received file its name, if it is a dictionary; return the name that a loader shows.

    Raises:
        ValueError: saying what is wrong with it.
    """
    try:
        require_small_header(part, name)
        load_dictionary(part)
    except ValueError as error:
        raise ValueError(str(error).replace(part.name, name)) from error
    while True:
        file = folders.free_dictionary_file(stem(name))
        try:
            file.touch(exist_ok=False)  # two uploads of one name may race
        except FileExistsError:
            continue
        part.replace(file)
        return file.name


def stem(name: str) -> str:
    """Return what a file is to be called: harmless characters, at most 70, and no ending."""
    tidy = _ENDINGS.sub("", re.sub(r"[^\w.-]+", "_", name)).lstrip("._-")
    return _ENDINGS.sub("", tidy[:70]) or "dictionary"


class Saved(NamedTuple):
    """A dictionary that was written."""

    name: str
    """as a loader shows it"""
    size: int
    """bytes"""


def save(dictionary: Dictionary, name: str, overwrite: bool) -> Saved:
    """Write a dictionary to models/supsae; another file of the name is kept, and a number put behind the new one.

    Args:
        name: of the file; if empty it is named after its words, and takes the place of one that holds the same words.

    Raises:
        ValueError: if the name cannot be one.
    """
    same = holds if name.strip() else _has_words_of
    named = name if name.strip() else named_after(dictionary)
    file = folders.new_dictionary_file(named, lambda there: overwrite or same(there, dictionary))
    save_dictionary(dictionary, file)
    messages.log(f"saved {file}")
    return Saved(file.name, file.stat().st_size)


def named_after(dictionary: Dictionary) -> str:
    """Return a file's name made of its categories, as many as there is room for."""
    names, left = list(dictionary.table.categories), 0
    while len(stem("-".join(names)).encode()) > MOST_NAME and len(names) > 1:
        names, left = names[:-1], left + 1
    return stem("-".join([*names, *([f"and-{left}-more"] if left else [])]))


def _has_words_of(file: Path, dictionary: Dictionary) -> bool:
    """Tell whether a file holds a dictionary of the same table and the same text encoders."""
    try:
        there = load_dictionary(file)
    except ValueError:
        return False
    same = there.table == dictionary.table and there.family.name == dictionary.family.name
    return same and _keeps_calibrated(there, dictionary)


def holds(file: Path, dictionary: Dictionary) -> bool:
    """Tell whether a file holds this very dictionary: a capture that is fitted again gives the same one."""
    try:
        there = load_dictionary(file)
    except ValueError:
        return False
    same = there.table == dictionary.table and there.provenance == dict(dictionary.provenance)
    return same and torch.equal(there.codes, dictionary.codes) and _keeps_calibrated(there, dictionary)


def _keeps_calibrated(there: Dictionary, dictionary: Dictionary) -> bool:
    """Tell whether nothing that was calibrated is lost where one takes another's place: no fit brings it back."""
    return there.sliders.keys() <= dictionary.sliders.keys()


def name_of(dictionary: Dictionary) -> str:
    """Return the name that a loader shows a dictionary by, empty if no file holds it."""
    wanted = fingerprint(dictionary)
    return next((name for name in folders.dictionary_names() if _fingerprint_of(name) == wanted), "")


def _fingerprint_of(name: str) -> str:
    try:
        return fingerprint(read_header(offered(name)))
    except (OSError, ValueError):  # another's file among the dictionaries
        return ""


def has(mark: str) -> bool:
    """Tell whether a file holds the dictionary of a fingerprint."""
    return any(_fingerprint_of(name) == mark for name in folders.dictionary_names())


def concepts_of(dictionary: Dictionary) -> str:
    """List every concept, spelled as Concept Edit wants it."""
    table = dictionary.table
    return "\n".join(", ".join(str(table.concepts[i]) for i in members) for members in table.categories.values())
