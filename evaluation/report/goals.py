"""Which goals were met: what was aimed for, what was measured, and what the interval lets one say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import isfinite
from typing import NamedTuple

from ..outcomes import Interval, difference
from ..pictures.methods import NO_EDIT, OURS
from .page_parts import percent, points
from .rows import LOCK, Json, interval, is_rival, lead

MET, MISSED, OPEN = "met", "missed", "cannot tell"
ENOUGH = 24
"""Prompts whose mean curve is taken for the curve; it has no interval."""


class Goal(NamedTuple):
    """One goal and what came of it."""

    part: str
    """of the scoreboard, or ``readers``"""
    asks: str
    measured: str
    verdict: str
    """``met``, ``missed`` or, where the interval holds both, ``cannot tell``"""


def at_least(value: Interval, limit: float) -> str:
    """Return the verdict on a value that should reach a limit."""
    return MET if value.low >= limit else MISSED if value.high < limit else OPEN


def at_most(value: Interval, limit: float) -> str:
    """Return the verdict on a value that should not exceed a limit."""
    return MET if value.high <= limit else MISSED if value.low > limit else OPEN


def within(value: Interval, limit: float) -> str:
    """Return the verdict on a difference that should not exceed a limit either way."""
    if -limit <= value.low and value.high <= limit:
        return MET
    return MISSED if value.low > limit or value.high < -limit else OPEN


def goals(results: Json) -> list[Goal]:
    """Return the goals whose parts were run."""
    sections = results["sections"]
    found = {part: tell(sections[part], sections) for part, tell in GOALS.items() if part in sections}
    found["readers"] = _readers(results["readers"])
    return [Goal(part, *one) for part, some in found.items() for one in some]


Told = Iterator[tuple[str, str, str]]
"""What is aimed for, what was measured, and the verdict."""


def share(value: Interval) -> str:
    """Return a share with its interval."""
    return f"{percent(value.estimate)} ({100 * value.low:.1f} to {100 * value.high:.1f})"


def ratio(value: Interval) -> str:
    """Return a ratio of failures with its interval."""
    if not isfinite(value.high):
        return "the rewrite hardly ever fails"
    return f"{value.estimate:.2f} ({value.low:.2f} to {value.high:.2f})"


def _headline(section: Json, _: Json) -> Told:
    rows = section["rows"]
    ours, held = rows[OURS], rows[OURS + LOCK]
    success = interval(ours["minus_rewrite"]["success"])
    yield ("success within 0.5 point of the prompt rewrite, or above", points(success), at_least(success, -0.005))
    failures = interval(held["minus_rewrite"]["failures"])
    for most, what in ((0.75, ""), (0.5, ", the stretch")):
        asks = f"failures with the lock for every one of the rewrite’s without it: at most {most:g}{what}"
        yield (asks, ratio(failures), at_most(failures, most))
    both = interval(held["minus_rewrite_lock"]["both"])
    yield ("both at most 1 point behind the rewrite with the lock", points(both), at_least(both, -0.01))
    yield from _ahead(rows, "ahead of every rival, under the same lock")
    kept, least = interval(held["attribute_kept"]), interval(rows[NO_EDIT]["attribute_kept"])
    yield (
        "single attributes kept with the lock, at least 99%",
        f"{share(kept)}; without any edit {percent(least.estimate)}",
        at_least(kept, 0.99),
    )
    yield from (_few(rows, row) for row in rows.values() if row["method"].startswith(f"{OURS},") and not row["lock"])


def _ahead(rows: Mapping[str, Json], asks: str) -> Told:
    """Say how far the nearest rival is behind."""
    leads = {
        name: apart
        for name, row in rows.items()
        if is_rival(row["method"]) and (apart := lead(rows, row, "both")) is not None
    }
    if leads:
        nearest = min(leads, key=lambda name: leads[name].estimate)
        verdicts = [_is_ahead(one) for one in leads.values()]
        verdict = MISSED if MISSED in verdicts else OPEN if OPEN in verdicts else MET
        yield (asks, f"{points(leads[nearest])}, the nearest: {nearest}", verdict)


def _is_ahead(value: Interval) -> str:
    return MET if value.low > 0 else MISSED if value.high < 0 else OPEN


def _few(rows: Mapping[str, Json], row: Json) -> tuple[str, str, str]:
    apart = lead(rows, row, "success")
    assert apart is not None
    return (
        f"success of {row['method'].removeprefix(OURS + ', ')} at most 3 points behind that of all",
        points(Interval(-apart.estimate, -apart.high, -apart.low, apart.count)),
        at_most(apart, 0.03),
    )


def _splits(section: Json, sections: Json) -> Told:
    headline = sections.get("headline", {})
    if headline.get("split") == "unseen pairs" and "seen tuples" in section:
        seen, unseen = section["seen tuples"][OURS], headline["rows"][OURS]
        apart = difference(interval(seen["success"]), interval(unseen["success"]))
        yield ("success in seen sets at most 1 point above unseen pairs", points(apart), at_most(apart, 0.01))


def _several(section: Json, _: Json) -> Told:
    most = max(section, key=int)
    apart = interval(section[most][OURS]["minus_rewrite"]["success"])
    yield (f"{most} edits at once at most 3 points behind the rewrite", points(apart), at_least(apart, -0.03))


def _strength(section: Json, _: Json) -> Told:
    step = section["largest_step"]
    enough, steady = section["count"] >= ENOUGH, section["monotone"]
    yield _plain("more strength, more change", "steady" if steady else "not steady", steady, enough)
    measured = f"{percent(step)} at most, the mean of {section['count']} prompts"
    yield _plain("no quarter step above a third of the change at 1", measured, step <= 1 / 3, enough)
    still = section["untouched_at_0"]
    yield _plain("nothing changes at strength 0", "the same tensors" if still else "other tensors", still)


def _plain(asks: str, measured: str, met: bool, enough: bool = True) -> tuple[str, str, str]:
    return (asks, measured, OPEN if not enough else MET if met else MISSED)


def _removal(section: Json, _: Json) -> Told:
    still = interval(section["still_shown_difference"])
    yield ("a removed value shown as often as without its words, within 2 points", points(still), within(still, 0.02))
    variation = section["total_variation"]["mean"]
    if isinstance(variation, Mapping):
        value = interval(variation)
        yield ("what is drawn instead: total variation at most 5 points", share(value), at_most(value, 0.05))


def _best(section: Json, _: Json) -> Told:
    yield from _ahead(section["rows"], "ahead of every rival, each at its own best strength")


def _adapters(section: Json, _: Json) -> Told:
    yield from _ahead(section["rows"], "ahead of the low-rank adapter on its own concepts")


def _readers(found: Json) -> Told:
    agree = interval(found["agree"])
    yield "the two readers agree, at least 99.5%", share(agree), at_least(agree, 0.995)


def _text(section: Json, _: Json) -> Told:
    for split, found in section["splits"].items():
        located = interval(found["located"])
        yield (f"{split} pairs: concept and exact words located, at least 99%", share(located), at_least(located, 0.99))


GOALS: dict[str, Callable[[Json, Json], Told]] = {
    "headline": _headline,
    "splits": _splits,
    "several": _several,
    "removal": _removal,
    "strength": _strength,
    "best_strength": _best,
    "adapters": _adapters,
    "text": _text,
}
"""Part → (its section, all sections) → its goals."""
