"""The headline as the table that a README shows."""

from __future__ import annotations

from ..pictures.methods import OURS
from .method_table import NOTES
from .rows import Json, interval, pairs


def table(results: Json) -> str:
    """Return the headline as a Markdown table, a line a method."""
    lines = [
        "| method | success (95 %) | all else kept | both | with the Lock: success | all else kept | both |",
        "|---|---|---|---|---|---|---|",
    ]
    for method, free, held in pairs(results["sections"]["headline"]["rows"]):
        label = f"{method} ({NOTES[method]})" if method in NOTES else method
        cells = [_markdown(free, "success", ends=True), *(_markdown(free, name) for name in ("kept", "both"))]
        cells += [_markdown(held, name, ends=name == "both") for name in ("success", "kept", "both")]
        lines.append(f"| {f'**{label}**' if method == OURS else label} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _markdown(row: Json | None, name: str, *, ends: bool = False) -> str:
    if row is None:
        return ""
    value = interval(row[name])
    reach = f" ({100 * value.low:.1f} … {100 * value.high:.1f})" if ends else ""
    return f"{100 * value.estimate:.1f} %{reach}"
