"""Keep a conditioning as a file, and take one out again: what the two nodes do, and what they tell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from . import folders, messages, saved_conditioning, shelf
from .conditionings import Conditioning
from .loaded_conditioning import load
from .saved_conditioning import StoredPart
from .saved_reports import saved_as, told_of


class KeptConditioning(NamedTuple):
    """A conditioning and what is told of it."""

    conditioning: Conditioning
    report: str


def keep(conditioning: Conditioning, name: str, overwrite: bool) -> KeptConditioning:
    """Write a conditioning to output/supsae/conditionings and pass it on as it is.

    Another file of the name is kept, and a number put behind the new one; one that holds the very same is not written
    again.

    Raises:
        ValueError: if the name cannot be one, or the conditioning cannot be saved.
        OSError: with a sentence, if it cannot be written.
    """
    what = saved_conditioning.stored(conditioning, shelf.name_of)
    file = folders.new_conditioning_file(name, lambda there: overwrite or saved_conditioning.holds(there, what))
    if not saved_conditioning.holds(file, what):
        saved_conditioning.write(file, what)
        messages.log(f"saved {file}")
    return KeptConditioning(conditioning, saved_as(file.name, what.parts))


def take(name: str) -> KeptConditioning:
    """Read a conditioning by the name that a loader shows.

    Raises:
        ValueError: naming the file, what is wrong with it, and what to do.
    """
    found = load(folders.conditioning_file(name))
    return KeptConditioning(found.conditioning, told_of(found.parts, _missing(found.parts)))


def _missing(parts: Sequence[StoredPart]) -> list[str]:
    """Return the dictionaries that no file here holds, by the names that they had."""
    marks = dict.fromkeys(one.mark for part in parts for one in part.edits)
    return [one.file for one in marks if one.file and not shelf.has(one.fingerprint)]
