"""One concept's slider: a map that was measured on pictures, and how far pictures move on (docs/method.md, 14)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ..files import DamagedError, number

Knot = tuple[float, float]


@dataclass(frozen=True)
class SliderMap:
    """Of a concept; it stands behind the dictionary's own map, so its knots begin with what that gives."""

    knots: tuple[Knot, ...]
    """(what the dictionary's map gives, strength to apply), both rising; (0, 0) lies between, and is not among them"""
    low: float
    """slider position, at most 0, down to which pictures were seen to move on and to stay on the edit's way"""
    high: float
    """the same upwards, at least 1"""

    def strength(self, given: float) -> float:
        """Map a strength of the dictionary's map to the one to apply: piecewise linear, continued beyond the ends."""
        knots = sorted([(0.0, 0.0), *self.knots])
        exact = dict(knots).get(given)  # 0 is no edit to the last bit
        return piecewise(knots, given) if exact is None else exact


def piecewise(knots: Sequence[Knot], x: float) -> float:
    """Return what straight lines between two or more knots give at x; the first and the last line go on."""
    pairs = list(pairwise(knots))
    (x0, y0), (x1, y1) = next((pair for pair in pairs if x <= pair[1][0]), pairs[-1])
    return y0 + (x - x0) * (y1 - y0) / (x1 - x0)


def maps_to_json(maps: Mapping[str, SliderMap]) -> dict[str, Any]:
    """Return concept → its map, as a file's header holds it; ``maps_from_json`` is the exact inverse."""
    return {
        name: {"knots": [list(knot) for knot in one.knots], "low": one.low, "high": one.high}
        for name, one in maps.items()
    }


def maps_from_json(data: Mapping[str, Any], concepts: Sequence[str]) -> dict[str, SliderMap]:
    """Read the maps of some of a table's concepts.

    Raises:
        DamagedError: if one is of no concept, or is no rising map through (0, 0) with ends around 0 … 1.
    """
    return {name: _from_json(name, one, concepts) for name, one in data.items()}


def _from_json(name: str, data: Mapping[str, Any], concepts: Sequence[str]) -> SliderMap:
    knots = tuple((number(x, "knots"), number(y, "knots")) for x, y in data["knots"])
    made = SliderMap(knots, number(data["low"], "low"), number(data["high"], "high"))
    rising = all(x0 < x1 and y0 < y1 for (x0, y0), (x1, y1) in pairwise(sorted([(0.0, 0.0), *knots])))
    if name not in concepts or not knots or not rising or not made.low <= 0 < 1 <= made.high:
        raise DamagedError(f"has a slider map of {name!r} that is none: of no concept of its table, or not rising")
    return made
