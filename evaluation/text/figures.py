"""What edits of rows came to, as numbers with their intervals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...supsae_core.capture.captures import Encoded
from ...supsae_core.dictionary.model import Dictionary
from ...training.calibration import located, read
from ..intervals import Squares, error_interval, paired_error, paired_interval, share
from .aligned import EVERY
from .rivals import OURS
from .rows import Measured

SWAPS = "all swaps"
"""Seen and unseen pairs of any length together."""
Found = Mapping[str, Sequence[Measured]]
"""Method → what it made of the same cases"""


def of_splits(splits: Sequence[str], found: Found) -> dict[str, Any]:
    """Return split → method → its figures; what each case came to stands at the place of its split."""
    places = defaultdict[str, list[int]](list)
    for place, split in enumerate(splits):
        if "pairs" in split:
            places[SWAPS].append(place)
        places[split].append(place)
    made = {}
    for split, some in places.items():
        rows = {method: [all_of[place] for place in some] for method, all_of in found.items()}
        made[split] = {method: _figures(own, rows[OURS]) for method, own in rows.items()}
    return made


def _figures(own: Sequence[Measured], ours: Sequence[Measured]) -> dict[str, Any]:
    """Return the figures of one method; ``minus_ours`` where it is not SupSAE itself."""
    squares, nearest = _squares(own), [one.nearest for one in own]
    made: dict[str, Any] = {
        "error": error_interval(*squares).json(),
        "nearest": share(nearest).json(),
        "kinds": {kind: error for kind in EVERY if (error := _of_kind(own, kind)) is not None},
        "refused": sum(one.refused for one in own),
    }
    if own is not ours:
        apart = {
            "error": paired_error(squares, _squares(ours)),
            "nearest": paired_interval(nearest, [one.nearest for one in ours]),
        }
        made["minus_ours"] = {name: one.json() for name, one in apart.items()}
    return made


def _squares(own: Sequence[Measured]) -> Squares:
    off, whole = ([sum(getattr(one, name).values()) for one in own] for name in ("off", "whole"))
    return off, whole


def _of_kind(own: Sequence[Measured], kind: str) -> float | None:
    off, whole = (sum(getattr(one, name).get(kind, 0.0) for one in own) for name in ("off", "whole"))
    return round((off / whole) ** 0.5, 4) if whole else None


def profile(found: Sequence[Measured]) -> dict[str, float]:
    """Return the share of the squares of a rewrite's change that lies in each kind of row."""
    sums = {kind: sum(one.whole.get(kind, 0.0) for one in found) for kind in EVERY}
    total = sum(sums.values()) or 1.0
    return {kind: round(one / total, 4) for kind, one in sums.items() if one}


def categories_read(dictionary: Dictionary, row: Encoded) -> list[tuple[bool, bool]]:
    """Read a prompt from its rows; tell of every category whether it is mentioned, and whether it is read right."""
    mentioned = {dictionary.table.concepts[one].category for one in row.entry.prompt.support(dictionary.table)}
    found = zip(dictionary.table.categories, located(dictionary, read(dictionary, row)), strict=True)
    return [(category in mentioned, one.exact) for category, one in found]


def of_reading(found: Iterable[Sequence[bool]]) -> dict[str, Any]:
    """Return how prompts are read, given (mentioned, read right) of their categories."""
    said, unsaid = list[bool](), list[bool]()
    for mentioned, right in found:
        (said if mentioned else unsaid).append(right)
    return {"found": share(said).json(), "false": share([not one for one in unsaid]).json()}
