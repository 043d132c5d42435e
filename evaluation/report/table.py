"""The headline as the table that a README shows."""

from ..intervals import Interval
from ..pictures.methods import OURS
from .methods import NOTES, Json, pairs


def table(results: Json) -> str:
    """Return the headline as a Markdown table, a line a method."""
    lines = [
        "| method | success (95 %) | all else kept | both | with the Lock: success | all else kept | both (95 %) |",
        "|---|---|---|---|---|---|---|",
    ]
    for method, free, held in pairs(results["sections"]["headline"]["rows"]):
        label = f"{method} ({NOTES[method]})" if method in NOTES else method
        cells = [_cell(free, "success", ends=True), _cell(free, "kept"), _cell(free, "both")]
        cells += [_cell(held, "success"), _cell(held, "kept"), _cell(held, "both", ends=True)]
        lines.append(f"| {f'**{label}**' if method == OURS else label} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(row: Json | None, name: str, *, ends: bool = False) -> str:
    if row is None:
        return ""
    value = Interval.parse(row[name])
    reach = f" ({100 * value.low:.1f} … {100 * value.high:.1f})" if ends else ""
    return f"{100 * value.estimate:.1f} %{reach}"
