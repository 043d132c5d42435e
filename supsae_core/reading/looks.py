"""Looks at one encoder's rows: the first knows of no context, every other one of what the look before found."""

from __future__ import annotations

from typing import NamedTuple

import torch

from .places import Found, Places, pick_phrases, score_places
from .scene import Scene

MOST = 4
"""Looks after the first at phrases that are known to be there."""
LEAST = torch.finfo().min
"""A score that every place has where a phrase fits at all."""


class Look(NamedTuple):
    """How two looks are weighed; the fields of ``Cuts``."""

    first: float
    trust: float
    weakest: float


def look(scene: Scene, how: Look, first: Places | None = None) -> Places:
    """Return what every place scores at both looks; ``first`` is the first one, if it is known."""
    first = first or score_places(scene)
    known = pick_phrases(scene, first, None, how.first)
    return _weighed(first, score_places(scene, known), how)


def look_for(scene: Scene, wanted: list[int], first: Places | None = None) -> Places:
    """Return what the places of phrases that are known to be there score, in the context of one another.

    Looks go on until no place changes: one wrong place spoils the context of all others.
    """
    places = first or score_places(scene, only=wanted)
    known = pick_phrases(scene, places, wanted, LEAST)
    for _ in range(MOST):
        places = score_places(scene, known, wanted)
        before, known = known, pick_phrases(scene, places, wanted, LEAST)
        if _where(known) == _where(before):
            break
    return places


def _weighed(first: Places, second: Places, how: Look) -> Places:
    """Return the scores of two looks at the same rows together."""
    both = torch.lerp(first.table, second.table, how.trust)
    if how.weakest:
        both = both + how.weakest * first.weakest
    return first._replace(table=torch.where(torch.isfinite(first.table), both, -torch.inf))


def _where(found: list[Found]) -> list[tuple[int, tuple[int, ...]]]:
    return [(one.phrase, one.rows) for one in found]
