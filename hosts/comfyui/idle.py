"""Edits that find nothing to change at one of several places, and why: a batch of prompts is told prompt by prompt."""

from __future__ import annotations

from collections.abc import Sequence

from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.editing.edits import AnyEdit, Keep, aim, edit_name, resolve_edits
from .placed import Chosen, Place

IDLE = "nothing to change"
"""Verdict on a category at a place, beside those of ``outcome.VERDICTS``."""
Idle = dict[AnyEdit, str]
"""Edit → why it changes nothing at a place."""


def idle_of(dictionary: Dictionary, edits: Sequence[AnyEdit], places: Sequence[Place], chosen: Chosen) -> list[Idle]:
    """Return what changes nothing at each of several places; nothing of a single one, whose report says all there is.

    What can be made nowhere is told once, and not here.
    """
    some = [one for one in edits if not isinstance(one, Keep) and one not in chosen.left_out]
    if len(places) < 2:
        return [{} for _ in places]
    found = list[Idle]()
    for place, own, refused in zip(places, chosen.edits, chosen.refused, strict=True):
        made = [one for one in own if not isinstance(one, Keep) and resolve_edits(dictionary, [one], place.said)]
        found.append({one: refused.get(one) or _why(dictionary, one, place) for one in some if one not in made})
    return found


def told_idle(idle: Idle) -> list[str]:
    """Return a line an edit."""
    return [f"{edit_name(one)} changes nothing here: {why}" for one, why in idle.items()]


def idle_verdicts(dictionary: Dictionary, idle: Idle) -> dict[str, tuple[str, str]]:
    """Return category → verdict and reason."""
    return {aim(dictionary.table, one).category: (IDLE, why) for one, why in idle.items()}


def _why(dictionary: Dictionary, edit: AnyEdit, place: Place) -> str:
    meant, concepts = aim(dictionary.table, edit), dictionary.table.concepts
    said = [str(concepts[one]) for one in dict.fromkeys(place.said) if one in meant.members]
    if said:
        return f"the prompt says {', '.join(said)}"
    if place.partial:
        return f"the prompt is for a part of the picture and does not mention {meant.category}"
    return f"the prompt does not mention {meant.category}"
