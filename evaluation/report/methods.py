"""The methods among a run's results: their order, their colours, and what their names leave unsaid."""

from collections.abc import Mapping
from typing import Any

from ..pictures.methods import NO_EDIT, OURS, PRIOR, REWRITE

Json = Mapping[str, Any]
LOCK = " + lock"
"""End of the names of what is drawn under the lock."""
CORE = (REWRITE, OURS, REWRITE + LOCK, OURS + LOCK)
NOTES = {
    "paper": "the paper’s model with its settings",
    "paper, all dimensions": "the paper’s model without its cut to 1000 dimensions",
    "flattened ridge": "the paper’s model solved exactly",
    "broadcast mean difference": "what slider nodes do",
    "position-wise delta": "what delta nodes do",
    "replace": "the new phrase’s mean tokens in place of the old, told where",
    "shortcut": "the same, with what the old tokens were off theirs",
    "phrase deleted": "what the prompt’s own prior draws",
    "TopK auto-encoder": "unsupervised; its best-matching latents",
    "control vector": "one vector from ten pairs, in units of the rows’ size",
    "sparse direction": "unsupervised; the latents that differ most, as in the All-in-One Slider",
    "poles beside the prompt": "what prompt sliders do: both poles encoded behind it, subtracted",
    "chosen tokens": "the words’ mean difference, on the phrase’s own tokens, told where",
}
"""Method → what it is, where its name does not say it."""


def tone(method: str) -> str:
    """Return the class of a method's colour."""
    if method.startswith(OURS):
        return "edited"
    return {REWRITE: "rewrite", NO_EDIT: "before", PRIOR: "before"}.get(method, "baseline")


def is_baseline(method: str) -> bool:
    """Tell whether a method is neither SupSAE nor what it is measured by."""
    return tone(method) == "baseline"


def ordered(rows: Mapping[str, Json]) -> list[str]:
    """Return the methods among rows: SupSAE, the rewrite, then by how often they get both right; no edit last."""
    found = dict.fromkeys(row["method"] for row in rows.values())
    return sorted(found, key=lambda name: (_rank(name), -_best(rows, name)))


def _rank(method: str) -> int:
    return {OURS: 0, REWRITE: 1, PRIOR: 4, NO_EDIT: 5}.get(method, 3 if is_baseline(method) else 2)


def _best(rows: Mapping[str, Json], method: str) -> float:
    return max(row["both"]["estimate"] or 0.0 for row in rows.values() if row["method"] == method)


def pairs(rows: Mapping[str, Json]) -> list[tuple[str, Json | None, Json | None]]:
    """Return (method, its row without the lock, its row with it) in the order of ``ordered``."""
    by_name = {(row["method"], row["lock"]): row for row in rows.values()}
    return [(name, by_name.get((name, False)), by_name.get((name, True))) for name in ordered(rows)]
