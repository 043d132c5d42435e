"""What a run leaves: its numbers, the report and the plots as files, and a few lines for the shell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..pictures.methods import OURS, REWRITE
from .goals import MET, MISSED, OPEN, goals
from .page import report
from .page_parts import percent
from .plots import plots
from .rows import Json, interval, pairs

if TYPE_CHECKING:  # it loads the readers, which writing does not need
    from ..pictures.run import Found

MOST_MISSED = 4
"""Missed goals that are named in the shell; the report names all."""


def write(found: Found, out: Path) -> dict[str, Path]:
    """Write ``results.json``, the report and its plots; return where they are."""
    out.mkdir(parents=True, exist_ok=True)
    files = {"results": out / "results.json", "report": out / "report.html"}
    files["results"].write_text(compact(found.results) + "\n", encoding="utf-8")
    files["report"].write_text(report(found), encoding="utf-8")
    for name, picture in plots(found).items():
        files[name] = out / f"{name}.png"
        picture.save(files[name])
    return files


def compact(value: Any, depth: int = 0) -> str:
    """Return JSON with every innermost object or list on one line; what is infinite or no number becomes null."""
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    if not any(isinstance(one, dict | list | tuple) for one in items):
        return json.dumps(finite(value), ensure_ascii=False, allow_nan=False)
    inside, close = "\n" + " " * (depth + 1), "\n" + " " * depth
    if isinstance(value, dict):
        rows = [f"{json.dumps(name, ensure_ascii=False)}: {compact(one, depth + 1)}" for name, one in value.items()]
        return f"{{{inside}{f',{inside}'.join(rows)}{close}}}"
    return f"[{inside}{f',{inside}'.join(compact(one, depth + 1) for one in value)}{close}]"


def finite(value: Any) -> Any:
    """Replace what JSON has no word for, such as the end of an interval that has none, by null."""
    if isinstance(value, dict):
        return {name: finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and (value != value or abs(value) == float("inf")) else value


def summary(found: Found) -> str:
    """Return the headline and the goals in lines."""
    sections = found.results["sections"]
    lines = _headline(sections["headline"]) if "headline" in sections else []
    return "\n".join([*lines, *_goals(found.results)])


def _headline(section: Json) -> list[str]:
    rows = [row for method, *both in pairs(section["rows"]) if method in (OURS, REWRITE) for row in both if row]
    asked = f"{section['split']}, {rows[0]['count']} swaps"
    return [
        f"{asked:<32}success          all else kept    both (95 %)",
        *(
            f"  {row['method'] + (' with the lock' if row['lock'] else ''):<30}"
            + "".join(f"{_share(row[name]):<17}" for name in ("success", "kept", "both")).rstrip()
            for row in rows
        ),
    ]


def _share(found: Json) -> str:
    value = interval(found)
    return f"{percent(value.estimate)} ({100 * value.low:.0f}-{100 * value.high:.0f})"


def _goals(results: Json) -> list[str]:
    reached = goals(results)
    counts = [f"{sum(goal.verdict == one for goal in reached)} {one}" for one in (MET, MISSED, OPEN)]
    missed = [goal for goal in reached if goal.verdict == MISSED]
    lines = [f"  missed: {goal.asks}: {goal.measured}" for goal in missed[:MOST_MISSED]]
    more = [f"  and {len(missed) - MOST_MISSED} more"] if len(missed) > MOST_MISSED else []
    return [f"of {len(reached)} goals {', '.join(counts)}", *lines, *more]
