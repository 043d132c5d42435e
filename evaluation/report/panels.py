"""What the panel of Evaluate Dictionary shows: verdicts on its text encoders alone, or on pictures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..outcomes import Interval
from ..pictures.methods import NO_EDIT, OURS, REWRITE
from ..text.text import TextMetrics
from .goals import goals
from .page_parts import percent
from .panel import LOCATE, POORLY, Verdict, at_least, at_most, names, panel, section
from .rows import Json, interval, pairs

SUCCESS = (0.9, 0.7)
"""Share of edits that show in the picture: from which it is good, and fair."""
BEHIND = (0.05, 0.15)
"""How far success may be behind rewriting the prompt to be good, and fair: no edit can do more than the words."""
SAID = {"seen": "pairs seen together", "unseen": "pairs never seen together"}
"""Split → what is asked of it, in few words."""


def text_panel(metrics: TextMetrics, text: str) -> dict[str, Any]:
    """Return what is shown of a dictionary that was judged without pictures."""
    swaps = sum(one.swaps for one in metrics.splits.values())
    praise = f"Good: in {swaps} fresh prompts its concepts were found and changed as rewriting the words would."
    found = section(
        "In fresh prompts", ("", "swaps", "concept and words found", "concept found"),
        (
            [SAID[name], str(one.swaps), _percent(one.located), _percent(one.named)]
            for name, one in metrics.splits.items()
        ),
    )  # fmt: skip
    parts = (
        [f"{part}, {SAID[name]}", *(_number(value) for value in (own.fvu_slot, own.undone))]
        for name, one in metrics.splits.items()
        for part, own in one.parts.items()
    )
    left = section("What is left, 0 is perfect", ("Encoder", "unexplained of its company", "undone of a swap"), parts)
    poor = section("Poorly learnt", (), ([name, one.poor] for name, one in metrics.concepts.items() if one.poor))
    return panel(text, _text_verdicts(metrics), praise, (found, poor, left))


def _text_verdicts(metrics: TextMetrics) -> Iterator[Verdict]:
    located = [one.located.estimate for one in metrics.splits.values()]
    if located:
        level = at_least(min(located), LOCATE)
        least = f"Only {percent(min(located))} of what fresh prompts say is found. Capture more prompts."
        yield level, "" if level == "good" else least
    poor = [name for name, one in metrics.concepts.items() if one.poor]
    many = f"{len(poor)} of {len(metrics.concepts)} concepts {'is' if len(poor) == 1 else 'are'} poorly learnt"
    told = f"{many}: {names(poor)}. Capture more prompts, or leave them out."
    yield at_most(len(poor) / max(1, len(metrics.concepts)), POORLY), told if poor else ""


def picture_panel(results: Json, text: str) -> dict[str, Any]:
    """Return what is shown of a dictionary that was judged on pictures."""
    headline = results["sections"].get("headline")
    rows = headline["rows"] if headline else {}
    table = (
        [
            row["method"] + (" with the lock" if row["lock"] else ""),
            *(_share(row[key]) for key in ("success", "kept", "both")),
        ]
        for method, *both in pairs(rows)
        if method in (OURS, REWRITE, NO_EDIT)
        for row in both
        if row
    )
    shown = section("Pictures", ("", "edit shows", "all else kept", "both"), table)
    aimed = section("Goals", ("", "measured", ""), ([one.asks, one.measured, one.verdict] for one in goals(results)))
    return panel(text, _picture_verdicts(rows), "", (shown, aimed))


def _picture_verdicts(rows: Json) -> Iterator[Verdict]:
    by_name = {row["method"]: interval(row["success"]).estimate for row in rows.values() if not row["lock"]}
    if OURS not in by_name:
        yield "fair", "No edits were judged on pictures. Take another size."
        return
    ours, words = by_name[OURS], by_name.get(REWRITE, by_name[OURS])
    levels = at_least(ours, SUCCESS), at_most(words - ours, BEHIND)
    beside = f" (rewriting the words: {percent(words)})" if REWRITE in by_name else ""
    said = f"{percent(ours)} of the edits show in the picture{beside}."
    does = {"good": "Works well: ", "fair": "Works for most: ", "poor": "Does not work well: "}
    level = max(levels, key=list(does).index)
    advice = "" if level == "good" else " Capture more prompts and fit again; the table below says what falls short."
    yield level, does[level] + said + advice


def _share(found: Json) -> str:
    return _percent(interval(found))


def _percent(value: Interval) -> str:
    return f"{percent(value.estimate)} ({100 * value.low:.0f}–{100 * value.high:.0f})"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
