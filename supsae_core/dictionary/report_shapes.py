"""What the report in a dictionary's file may hold; files come from strangers, and panels count on these shapes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any

LARGEST = 1e18
"""No measurement is larger; JSON may hold whole numbers that no float can."""


def number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not abs(value) > LARGEST


def numbers(value: object) -> bool:
    return isinstance(value, list | tuple) and all(map(number, value))


def texts(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)


def measured(value: object) -> bool:
    """Tell whether this is numbers by name."""
    return isinstance(value, Mapping) and all(map(number, value.values()))


def by_part(value: object) -> bool:
    return isinstance(value, Mapping) and all(map(measured, value.values()))


def gains(value: object) -> bool:
    return by_part(value) and all({"mean", "spread"} <= one.keys() for one in value.values())  # type: ignore[attr-defined]


def levels(value: object) -> bool:
    """Tell whether this is, per stream, what was measured at each noise level."""
    if not isinstance(value, Mapping) or not all(isinstance(one, list | tuple) for one in value.values()):
        return False
    return all(measured(one) and {"fvu_slot", "agreement"} <= one.keys() for one in chain.from_iterable(value.values()))


def operators(value: object) -> bool:
    """Tell whether this is, per encoder, errors of what may make an edit's rows, and what was chosen."""
    return isinstance(value, Mapping) and all(map(_operator, value.values()))


def _operator(value: object) -> bool:
    if not isinstance(value, Mapping) or not number(value.get("pairs")):
        return False
    chosen = value.get("chosen", {})
    sides = {"rest", "phrase"} if "chosen" in value else set()
    return isinstance(chosen, Mapping) and all(
        measured(value.get(side)) and chosen.get(side) in value[side] for side in sides
    )


SHAPES: dict[str, Callable[[object], bool]] = {
    "parts": by_part,
    "calibration": gains,
    "streams": levels,
    "operators": operators,
    "locate": number,
    "reading": measured,
    "found": measured,
    "edits": measured,
    "fit_seconds": number,
    "solve_seconds": number,
    "poorly_learnt": texts,
    "never_captured": texts,
    "slider_change": numbers,
}
"""Entry → whether a value is one that can be shown."""


def readable(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return a report without the entries that cannot be shown, as if they had not been measured."""
    return {key: value for key, value in report.items() if key not in SHAPES or SHAPES[key](value)}
