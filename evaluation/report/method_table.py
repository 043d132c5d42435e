"""The report's tables of methods: shares with their intervals, and paired differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

from ..outcomes import Interval
from ..pictures.methods import NO_EDIT, OURS, REWRITE
from .page_parts import axis, percent, points
from .rows import Json, interval

MEASURES = {
    "success": "Success",
    "kept": "All else kept",
    "both": "Both",
    "attribute_kept": "Attributes kept",
    "free": "Without lock",
    "held": "With lock",
    "still": "Removed value still shown",
}
"""Key of a row → heading of its column."""
NOTES = {
    "paper": "the paper’s model with its settings",
    "paper, all dimensions": "the paper’s model without its cut to 1000 dimensions",
    "flattened ridge": "the paper’s model solved exactly",
    "broadcast mean difference": "what slider nodes do",
    "position-wise delta": "what delta nodes do",
    "TopK auto-encoder": "unsupervised; its best-matching latents",
}
"""Method → what it is, where its name does not say it."""


class Row(NamedTuple):
    """One line of a table of methods."""

    name: str
    tone: str
    """class of its colour"""
    row: Json
    """of the results"""
    beside: str = "minus_rewrite"
    """key of what it is held against; empty: nothing"""


def tone(method: str) -> str:
    """Return the class of a method's colour."""
    if method.startswith(OURS):
        return "edited"
    return {REWRITE: "rewrite", NO_EDIT: "before"}.get(method, "rival")


def methods(
    groups: Mapping[str, Sequence[Row]], measures: Sequence[str], differences: Sequence[str] = (), against: str = ""
) -> str:
    """Return a table of shares with their intervals.

    Args:
        groups: heading → its lines, what a line lacks is left out; a text behind a line break is set small.
        measures: keys of ``MEASURES``.
        differences: keys of the paired differences.
        against: what those are held against.
    """
    heads = [MEASURES[name] for name in measures] + [f"{MEASURES[name]} − {against}" for name in differences]
    head = "".join(f"<th>{escape(one)}</th>" for one in heads)
    body = "".join(_group(name, rows, measures, differences) for name, rows in groups.items() if rows)
    return f"<div class=wide><table class=methods><tr><th></th><th></th>{head}</tr>{body}</table></div>"


def _group(name: str, rows: Sequence[Row], measures: Sequence[str], differences: Sequence[str]) -> str:
    title, _, note = name.partition("\n")
    small = f"<small>{escape(note)}</small>" if note else ""
    heading = f"<th rowspan={len(rows)}>{escape(title)}{small}</th>"
    lines = [_cells(row, measures, differences) for row in rows]
    own = " ours" if title == OURS else ""
    first = f"<tr class='first{own}'>{heading}{lines[0]}</tr>"
    return first + "".join(f"<tr class='{own.strip()}'>{line}</tr>" for line in lines[1:])


def _cells(row: Row, measures: Sequence[str], differences: Sequence[str]) -> str:
    shares = "".join(_share(interval(row.row[name]), row.tone) if name in row.row else "<td></td>" for name in measures)
    beside = row.row.get(row.beside, {})
    apart = "".join(_apart(interval(beside[name])) if name in beside else "<td></td>" for name in differences)
    return f"<td class=name>{escape(row.name)}</td>{shares}{apart}"


def _share(value: Interval, colour: str) -> str:
    if not value.count:
        return "<td>–</td>"
    ends = f"{100 * value.low:.1f} – {100 * value.high:.1f}"
    return f"<td><b>{percent(value.estimate)}</b>{axis(value, colour)}<small>{ends}</small></td>"


def _apart(value: Interval) -> str:
    sign = "good" if value.low > 0 else "bad" if value.high < 0 else ""
    number, _, ends = points(value).partition(" ")
    return f"<td class=apart><span class='{sign}'>{number}</span><small>{ends}</small></td>"
