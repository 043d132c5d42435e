"""A run's results in a few lines of text and as a contact sheet; the words that these and the page share."""

from __future__ import annotations

from PIL import Image

from ...drawing.sheet import Column, sheet
from ..outcomes import Outcome
from ..trials import Group, Results, Trial, groups

NAMES = {"before": "before", "edited": "SupSAE edit", "rewrite": "prompt rewrite"}
"""Method → its name in the report."""
ON_SHEET = 16
"""Cases on the contact sheet: the first ones, as they were drawn."""
SECTIONS = {
    "swap": (
        "Swaps into combinations never learnt",
        "Each swap puts a value beside another one that it never stood with while the dictionary was fitted.",
    ),
    "add": ("Additions", "The prompt leaves a category open; the edit says a value of it in rows that held padding."),
    "remove": (
        "Removals",
        "The phrase becomes padding. What is drawn then is the model's choice, so the edit is held against the picture "
        "of the prompt with the words deleted: it succeeds when both show the same value.",
    ),
    "scale": ("Scalings", "What is said is turned up or down about its category's mean."),
}
"""Action → heading of its cases, and what is asked of them."""


def summary(results: Results) -> str:
    """Return where to look and the key numbers, in lines."""
    lines = [line for group in groups(results.trials) for line in _group_lines(group)]
    lines += [
        f"found in the rows, concept and words    {results.located:.1%}",
        f"strength 0 leaves the very same tensors {results.untouched} of {len(results.trials)}",
        f"took {sum(results.seconds.values()):.0f} s",
        "",
        f"Look at     {results.files['page']}",
        f"and         {results.files['sheet']}",
        f"dictionary  {results.files['dictionary']}",
        f"all numbers {results.files['numbers']}",
    ]
    return "\n".join(lines)


def _group_lines(group: Group) -> list[str]:
    edited, rewrite = group.scores["edited"], group.scores["rewrite"]
    if group.still is None:
        asked = [f"  asked-for value is read               {edited.success}; prompt rewrite {rewrite.success}"]
    else:
        still = group.still
        asked = [
            f"  same value as with the words deleted  {edited.success}",
            f"  removed value still shown             {still['edited']}; with the words deleted {still['rewrite']}",
        ]
    kept = f"  all else as in the unedited picture   {edited.kept}; prompt rewrite {rewrite.kept}"
    return [f"{group.action}, {counted(edited.success.count)}", *asked, kept]


def counted(cases: int) -> str:
    """Return a number of cases in words that agree."""
    return f"{cases} case" if cases == 1 else f"{cases} cases"


def contact_sheet(results: Results) -> Image.Image:
    """Draw the first cases in the order they were drawn, before above edited above rewritten."""
    shown = results.trials[:ON_SHEET]
    columns = [
        Column(t.case.category, change(t, " to "), tuple(t.pictures[m] for m in NAMES), _marks(t)) for t in shown
    ]
    note = (
        f"The first {len(shown)} cases, none picked. The three pictures of a column start from the same noise. Red "
        "frame: the asked-for value was not read. Amber frame: something else changed."
    )
    rows = [name.replace(" ", "\n") for name in NAMES.values()]
    return sheet(columns, rows, "Editing what a prompt says, without touching the prompt", note)


def _marks(trial: Trial) -> tuple[str, ...]:
    judged = {method: mark(outcome) for method, outcome in trial.outcomes.items()}
    if trial.action == "remove" and judged["rewrite"] == "missed":
        judged["rewrite"] = ""  # what it shows is what is wanted: nothing to judge
    return tuple(judged.get(method, "") for method in NAMES)


def mark(outcome: Outcome) -> str:
    """Return what is wrong with a picture, a key of ``images.MARKS``, or empty."""
    return "missed" if not outcome.success else "" if outcome.all_kept else "moved"


def change(trial: Trial, arrow: str) -> str:
    """Return what the edit asks for, e.g. ``black → red``; the sheet's font has no arrow."""
    old, new = trial.case.old, trial.case.wanted
    if old and new:
        return f"{old}{arrow}{new}"
    return f"+ {new}" if new else f"without {old}"
