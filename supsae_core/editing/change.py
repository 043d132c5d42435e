"""What edits are made of: what those that name a concept have in common, and the change of support they ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..dictionary.model import Dictionary


@dataclass(frozen=True)
class Edit:
    """What names a concept; the Concept Edit node makes one.

    A kind that can mean one of several mentions adds ``occurrence: int = 0``, 0 for every one.
    """

    concept: str
    """such as ``hair: red``"""
    strength: float = 1.0
    """position of the slider; 1 is the effect of writing the word"""


class Change(NamedTuple):
    """One part of a change of support."""

    old: int | None
    """concept that is said, or None"""
    new: int | None
    """concept to say, or None"""
    alpha: float
    """step to apply, slider map included, calibration not"""
    scale: bool = False
    """turn ``old`` by ``alpha`` along its own effect, about the category's mean"""
    occurrence: int = 0
    """which mention of ``old``, from 1; 0 is every one"""
    off: tuple[tuple[int, ...], ...] = ()
    """per kept category its concepts: what they do is not to be touched"""


def require_said(dictionary: Dictionary, index: int, said: Sequence[int], verb: str) -> None:
    """Refuse an edit of a concept that is not among those of its category that the prompt says.

    Raises:
        ValueError: with the edit's verb, naming what the prompt says instead.
    """
    if index not in said:
        concept = dictionary.table.concepts[index]
        instead = f"it says {str(dictionary.table.concepts[said[0]])!r}" if said else "its category is not mentioned"
        raise ValueError(f"Cannot {verb} {str(concept)!r}: the prompt does not say it ({instead}).")


def require_unmentioned(dictionary: Dictionary, index: int, verb: str) -> None:
    """Refuse to begin or to stop saying a concept where no prompt that was captured left its category out.

    Raises:
        ValueError: with the remedy.
    """
    concept = dictionary.table.concepts[index]
    if not dictionary.identified[dictionary.table.category_of[index]]:
        raise ValueError(
            f"Cannot {verb} {str(concept)!r}: every captured prompt mentions {concept.category!r}, so what it is to "
            "leave it out was never seen. Capture with a lower mention rate, or swap instead."
        )
