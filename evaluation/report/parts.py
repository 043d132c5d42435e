"""The report's comparisons between methods: what was asked, the figure, and what it means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ...drawing.plot import Line
from ..outcomes import Interval
from ..pictures.methods import NO_EDIT, OURS, REWRITE
from . import words
from .charts import curve, heat
from .method_table import NOTES, Row, methods, tone
from .page_parts import percent
from .rows import LOCK, Json, interval, pairs
from .text_report import table

SPLITS = {
    "seen tuples": "the very set of concepts stood in a prompt that was learnt from",
    "unseen tuples": "every pair was learnt from, the set was not",
    "shuffled": "unseen pairs, in another order and with fillers between most phrases",
    "unmentioned": "the prompt leaves the attribute open; the edit adds it",
    "paraphrased company": "another concept is said in words that the dictionary never saw",
    "paraphrased itself": "the words to change are themselves ones that it never saw",
}
"""Split → what is special about it."""
SHARES = ("success", "kept", "both")


class Told(NamedTuple):
    """A part, told."""

    title: str
    asked: str
    figure: str
    """HTML"""
    words: Iterable[str]
    """what it means and what falls short, sentences"""


def everyone(rows: Mapping[str, Json], measures: tuple[str, ...], *, differences: tuple[str, ...] = ()) -> str:
    """Return a table of all methods without and with the lock; each is held against the rewrite drawn the same way."""
    groups = {}
    for method, free, held in pairs(rows):
        lines = [("without lock", free, "minus_rewrite"), ("with lock", held, "minus_rewrite_lock")]
        shown = [(name, row, "" if method == REWRITE else beside) for name, row, beside in lines if row]
        note = f"{NOTES[method]}; " if method in NOTES else ""
        groups[f"{method}\n{note}{_cases(shown[0][1])}"] = [
            Row(name if method != NO_EDIT else "", tone(method), row, beside) for name, row, beside in shown
        ]
    return methods(groups, measures, differences, "rewrite")


def _cases(row: Json) -> str:
    return f"{row['count']} cases"


def headline(section: Json) -> Told:
    """Tell how everyone does."""
    by_category = {
        name: [
            Row(method + LOCK, tone(method), section["rows"][method + LOCK]["by_category"][name])
            for method in (OURS, REWRITE)
        ]
        for name in sorted(section["rows"][OURS + LOCK]["by_category"])
    }
    figure = (
        everyone(section["rows"], (*SHARES, "attribute_kept"), differences=("success", "both"))
        + "<details><summary>By the attribute that is edited, with the lock</summary>"
        + f"{methods(by_category, SHARES)}</details>"
    )
    into = " into a pair that the dictionary never saw together" if section["split"] == "unseen pairs" else ""
    asked = f"Swap one value{into}, in free wording, at strength 1; every method with the same prompts and seeds."
    return Told("Everyone, without and with the lock", asked, figure, words.of_headline(section))


def interference(section: Json) -> Told:
    """Tell what moves that should not."""
    matrices = {name: section["interference"][name] for name in (REWRITE, OURS, REWRITE + LOCK, OURS + LOCK)}
    cells = [cell for matrix in matrices.values() for row in matrix.values() for cell in row.values() if cell[1]]
    most = max(0.1, *(changed / cases for changed, cases in cells))
    figure = "".join(heat(name, matrix, most) for name, matrix in matrices.items())
    asked = (
        "When one attribute is edited (rows), how often, in percent, does another one (columns) read differently than "
        "in the unedited picture, or not at all?"
    )
    return Told("What else moves", asked, f"<div class=heats>{figure}</div>", words.of_interference(matrices))


def several(section: Json) -> Told:
    """Tell what many edits at once cost."""
    places = sorted(section, key=int)
    titles = {"success": "All values asked for are read", "both": "All are read, and all else is kept"}
    figure = "".join(
        curve(
            title,
            [int(one) for one in places],
            [
                (_line(method, [interval(section[n][method][key]) for n in places]), tone(method))
                for method in (REWRITE, OURS)
            ],
            "edits at once",
        )
        for key, title in titles.items()
    )
    asked = (
        f"Swap 1 to {places[-1]} values of the same {section['1'][OURS]['count']} prompts at once, without the lock."
    )
    return Told("Many edits at once", asked, f"<div class=curves>{figure}</div>", words.of_several(section))


def _line(name: str, values: Sequence[Interval]) -> Line:
    return Line(name, tuple(one.estimate for one in values), tuple((one.low, one.high) for one in values))


def splits(section: Json) -> Told:
    """Tell how other prompts do."""
    groups = {
        f"{split}\n{SPLITS.get(split, '')}; {_cases(next(iter(rows.values())))}": [
            Row(method, tone(method), row, "" if method == REWRITE else "minus_rewrite") for method, row in rows.items()
        ]
        for split, rows in section.items()
    }
    asked = "The same edits in easier and in harder prompts, without the lock, at strength 1."
    return Told(
        "Other prompts", asked, methods(groups, SHARES, ("success", "both"), "rewrite"), words.of_splits(section)
    )


def best_strength(section: Json) -> Told:
    """Tell what everyone's own best strength is worth."""
    groups = {
        f"{row['method']}\nat {row['strength']:g}; {_cases(row)}": [Row("", tone(row["method"]), row)]
        for row in sorted(section["rows"].values(), key=lambda row: -(row["both"]["estimate"] or 0))
    }
    tried = next(iter(section["tried"].values()))
    count = next(iter(tried.values()))["both"]["count"]
    rows = [
        [name, *(percent(one["both"]["estimate"]) for one in some.values())] for name, some in section["tried"].items()
    ]
    figure = methods(groups, SHARES, ("both",), "rewrite") + (
        f"<details><summary>Both, on the {count} calibration prompts, by strength</summary>"
        f"{table(['Method', *(f'at {one}' for one in tried)], rows)}</details>"
    )
    asked = (
        "Strength 1 may not suit everyone. Each method’s strength was chosen where it gets both right most often on "
        "calibration prompts, and then tested on the headline’s own, without the lock."
    )
    return Told("Everyone at their best strength", asked, figure, words.of_best_strength(section))


def adapters(section: Json) -> Told:
    """Tell what changing the model instead is worth."""
    asked = (
        f"A low-rank adapter of the transformer, trained for one concept each ({', '.join(section['concepts'])}), in "
        "the manner of Concept Sliders; everyone swaps into these concepts."
    )
    figure = everyone(section["rows"], SHARES, differences=("success", "both"))
    return Told("An adapter for every concept instead", asked, figure, words.of_adapters(section))
