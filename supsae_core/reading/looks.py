"""Looks at one encoder's rows: the first knows of no context, every other one of what the look before found."""

from __future__ import annotations

from typing import NamedTuple

import torch

from .places import Found, Places, highest, pick_phrases, score_places
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


def look(scene: Scene, how: Look, first: Places | None = None, least: float = -torch.inf) -> Places:
    """Return what every place scores at both looks.

    Args:
        first: the first one, if it is known.
        least: phrases that score less wherever they may stand need not be looked at again; they have no place then.
    """
    first = first or score_places(scene)
    known = pick_phrases(scene, first, None, how.first)
    if least == -torch.inf or not first.words:
        return weighed(first, score_places(scene, known), how)
    most = weighed(first, first._replace(table=highest(scene, scene.part.slot_codes.shape[1])), how)
    some = (most.table >= least).any(1).nonzero()[:, 0].tolist()
    return weighed(first, score_places(scene, known, some), how)


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


def weighed(first: Places, second: Places, how: Look) -> Places:
    """Return the scores of two looks at the same rows together."""
    both = torch.lerp(first.table, second.table, how.trust)
    if how.weakest:
        both = both + how.weakest * first.weakest
    return first._replace(table=torch.where(torch.isfinite(first.table), both, -torch.inf))


def _where(found: list[Found]) -> list[tuple[int, tuple[int, ...]]]:
    return [(one.phrase, one.rows) for one in found]
