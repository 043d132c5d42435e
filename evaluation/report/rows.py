"""Results read back: intervals, the order that methods are shown in, and what is behind or ahead of what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..outcomes import Interval, difference
from ..pictures.methods import NO_EDIT, OURS, REWRITE

Json = Mapping[str, Any]
LOCK = " + lock"
"""End of the names of what is drawn under the lock."""


def interval(found: Json) -> Interval:
    """Return an interval of ``results.json``; what it leaves out is not a number, or has no end."""
    estimate, low, high = (found[name] for name in ("estimate", "low", "high"))
    return Interval(
        float("nan") if estimate is None else estimate,
        float("-inf") if low is None else low,
        float("inf") if high is None else high,
        found["count"],
    )


def ordered(rows: Mapping[str, Json]) -> list[str]:
    """Return the methods among rows: SupSAE, the rewrite, then by how often they get both right; no edit last."""
    found = dict.fromkeys(row["method"] for row in rows.values())
    return sorted(found, key=lambda name: (_rank(name), -_best(rows, name)))


def _rank(method: str) -> int:
    return {OURS: 0, REWRITE: 1, NO_EDIT: 4}.get(method, 2 if method.startswith(OURS) else 3)


def _best(rows: Mapping[str, Json], method: str) -> float:
    return max(row["both"]["estimate"] or 0.0 for row in rows.values() if row["method"] == method)


def is_rival(method: str) -> bool:
    """Tell whether a method is neither SupSAE nor what it is measured by."""
    return method not in (NO_EDIT, REWRITE) and not method.startswith(OURS)


def pairs(rows: Mapping[str, Json]) -> list[tuple[str, Json | None, Json | None]]:
    """Return (method, its row without the lock, its row with it) in the order of ``ordered``."""
    by_name = {(row["method"], row["lock"]): row for row in rows.values()}
    return [(name, by_name.get((name, False)), by_name.get((name, True))) for name in ordered(rows)]


def lead(rows: Mapping[str, Json], row: Json, measure: str) -> Interval | None:
    """Return how far SupSAE under the same lock is ahead of a row, paired if that was measured."""
    ours = next((one for one in rows.values() if one["method"] == OURS and one["lock"] == row["lock"]), None)
    if "minus_ours" in row:
        behind = interval(row["minus_ours"][measure])
        return Interval(-behind.estimate, -behind.high, -behind.low, behind.count)
    return difference(interval(ours[measure]), interval(row[measure])) if ours else None
