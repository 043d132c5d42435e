"""What the experiment found: shares with their intervals, the sheet of pictures, and the key figures in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from ...drawing.sheet import Column, sheet
from ...supsae_core.table.concepts import ConceptTable
from ..cases import Case
from ..intervals import share
from ..outcomes import Outcome

QUALIFIED = 0.75
"""Least share of a concept's own pictures that show it, for a swap of it to count."""
SHARES = {"success": "success", "all else kept": "all_kept", "both": "both"}
"""What is counted → field of an outcome."""
SHOWN = 16
"""Cases on the sheet."""


class Became(NamedTuple):
    """A case, and what became of it in every way it was edited; None where nobody reads."""

    case: Case
    ways: Mapping[str, Outcome | None]


def figures(
    became: Sequence[Became], table: ConceptTable, qualified: Mapping[str, Mapping[str, int]]
) -> dict[str, Any]:
    """Return the shares of all cases, and of those whose concepts the model draws at all."""
    able = [one for one in became if not set(_swapped(one.case, table)) & set(weak(qualified))]
    return {"all cases": _rows(became), "qualified cases": _rows(able), "cases": [_case(one) for one in became]}


def weak(qualified: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Return the concepts that the model hardly draws itself."""
    return [name for name, one in qualified.items() if one["shown"] < QUALIFIED * one["of"]]


def _swapped(case: Case, table: ConceptTable) -> Iterator[str]:
    for old, new in zip(case.before, case.after, strict=True):
        if old != new:
            yield from (str(table.concepts[old]), str(table.concepts[new]))


def _rows(became: Sequence[Became]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for way in became[0].ways if became else ():
        seen = [outcome for one in became if (outcome := one.ways[way]) is not None]
        found[way] = {key: share([getattr(one, name) for one in seen]).json() for key, name in SHARES.items()}
    return found


def _case(one: Became) -> dict[str, Any]:
    case = one.case
    ways = {
        way: None if outcome is None else {key: getattr(outcome, name) for key, name in SHARES.items()}
        for way, outcome in one.ways.items()
    }
    return {"prompt": case.prompt.text, "rewrite": case.rewrite.text, "seed": case.seed, "ways": ways}


def contact_sheet(became: Sequence[Became], pictures: Sequence[Sequence[np.ndarray]], about: str) -> Image.Image:
    """Draw the first cases: before, and in every way they were edited."""
    columns = [
        Column(one.case.prompt.text, one.case.title, tuple(shown), ("", *map(_fault, one.ways.values())))
        for one, shown in zip(became, pictures, strict=False)
    ]
    rows = ["before", *(way.replace(", ", ",\n") for way in became[0].ways)]
    return sheet(columns, rows, f"The first {len(columns)} of {len(became)} swaps, none picked", about)


def _fault(one: Outcome | None) -> str:
    return "" if one is None or one.both else "moved" if one.success else "missed"


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield the key figures for the shell."""
    yield str(found["read"])
    drawn = [(name, found["qualified"][name]) for name in found["weak"]]
    if drawn:
        told = ", ".join(f"{name} ({one['shown']} of {one['of']})" for name, one in drawn)
        yield f"The model itself hardly draws {told}: swaps of these are left out of the qualified cases."
    for title in ("all cases", "qualified cases"):
        for way, one in found[title].items():
            told = [f"{name} {_percent(value)}" for name, value in one.items() if value["count"]]
            yield f"{title} ({one['success']['count']}), {way:<20}{', '.join(told) or 'nobody read'}"


def _percent(value: Mapping[str, float]) -> str:
    low, middle, high = (round(100 * value[key]) for key in ("low", "estimate", "high"))
    return f"{middle} % ({low} … {high})"
