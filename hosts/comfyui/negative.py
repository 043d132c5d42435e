"""The negative prompt of a mix: what the mix asks for is taken out of it, or it would be fought; all else stays."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.editing.between import Between
from ...supsae_core.editing.edits import Add, AnyEdit, Remove, Swap
from . import conditionings, placed
from .conditionings import ALONE, Conditioning


class Cleared(NamedTuple):
    """A negative prompt that fights nothing of what is asked for."""

    conditioning: Conditioning
    lines: list[str]
    """what was taken out, and what could not be"""


def cleared(conditioning: Conditioning, dictionary: Dictionary, edits: Sequence[AnyEdit]) -> Cleared:
    """Take out of a negative prompt what edits of the positive one say; with nothing to do, pass it on as it is.

    Raises:
        ValueError: if its rows cannot be read.
    """
    asked = dict.fromkeys(dictionary.table.index(name) for name in chain.from_iterable(map(_said_by, edits)))
    named = tuple(asked)
    places = [place for i, entry in enumerate(conditioning) for place in placed.read(dictionary, entry, i, named)]
    said = [one for one in asked if any(one in place.said for place in places)]
    if not said:
        return Cleared(conditioning, [])
    names = {Remove(str(dictionary.table.concepts[one])): str(dictionary.table.concepts[one]) for one in said}
    made = conditionings.edit_places(conditioning, dictionary, tuple(names), tuple(names))
    lines = []
    for edit, name in names.items():
        why = made.left_out.get(edit)
        if why is None:
            lines.append(f"The negative prompt said {name}, which is asked for: taken out.")
        else:
            lines.append(f"The negative prompt says {name}, which is asked for, and it cannot be taken out: {why}")
    # the Lock need not try this alone: it is no edit that anybody asked for
    return Cleared([[rows, {**extra, ALONE: ()}] for rows, extra in made.conditioning], lines)


def _said_by(edit: AnyEdit) -> tuple[str, ...]:
    """Return the concepts that an edit brings in."""
    if isinstance(edit, Between):
        return edit.concept, edit.other
    return (edit.concept,) if isinstance(edit, Swap | Add) and edit.strength > 0 else ()
