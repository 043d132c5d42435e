"""The page's comparisons between methods: what was asked, the figure, and what it means in words that it decides."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ...drawing.plot import Line
from ..intervals import Interval, difference, wilson
from ..pictures.methods import NO_EDIT, OURS, REWRITE
from .blocks import MethodLine, curve, folded, heat, methods, summed, table
from .methods import CORE, LOCK, NOTES, Json, is_baseline, ordered, pairs, tone
from .numbers import beside, percent, ranged, ratio

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
    words: Iterable[str] = ()
    """what it means and what falls short, sentences"""


def everyone(rows: Mapping[str, Json], measures: Sequence[str]) -> str:
    """Return a table of all methods without and with the lock; each is held against the rewrite drawn the same way."""
    groups = {}
    for method, free, held in pairs(rows):
        lines = []
        for name, row, other in (("without lock", free, "minus_rewrite"), ("with lock", held, "minus_rewrite_lock")):
            if row:
                label = "" if method == NO_EDIT else name
                held_to = "" if method in (NO_EDIT, REWRITE) else other
                lines.append(MethodLine(label, tone(method), row, held_to))
        note = f"{NOTES[method]}; " if method in NOTES else ""
        groups[f"{method}\n{note}{_cases(lines[0].row)}"] = lines
    return methods(groups, measures, ("success", "both"))


def _cases(row: Json) -> str:
    return f"{row['count']} cases"


def headline(section: Json) -> Told:
    """Tell how everyone does."""
    rows = section["rows"]
    by_category = {}
    for name in sorted(rows[OURS + LOCK]["by_category"]):
        own = {method: rows[method + LOCK]["by_category"][name] for method in (OURS, REWRITE)}
        by_category[name] = [MethodLine(method + LOCK, tone(method), row) for method, row in own.items()]
    figure = everyone(rows, (*SHARES, "attribute_kept"))
    figure += folded("By the attribute that is edited, with the lock", methods(by_category, SHARES))
    into = " into a pair that the dictionary never saw together" if section["split"] == "unseen pairs" else ""
    asked = f"Swap one value{into}, in free wording, at strength 1; every method with the same prompts and seeds."
    return Told("Everyone, without and with the lock", asked, figure, _of_headline(rows))


def _of_headline(rows: Mapping[str, Json]) -> Iterator[str]:
    free, held = rows[OURS], rows[OURS + LOCK]
    with_lock, without = (Interval.parse(row["both"]) for row in (held, free))
    apart = Interval.parse(held["minus_rewrite_lock"]["both"])
    yield (
        f"With the lock SupSAE makes the change and keeps all else in {ranged(with_lock)} of cases, "
        f"{beside(apart, 'the rewrite with the same lock')}."
    )
    apart = Interval.parse(free["minus_rewrite"]["both"])
    yield f"Without it, in {ranged(without)}, {beside(apart, 'the rewrite without it')}."
    apart = Interval.parse(free["minus_rewrite"]["success"])
    yield f"Its success alone, without the lock, is {beside(apart, 'that of the rewrite')}."
    failures = Interval.parse(held["minus_rewrite"]["failures"])
    yield f"For every failure of the plain rewrite, SupSAE with the lock has {ratio(failures)}."
    yield (
        f"What fails with the lock: in {percent(1 - held['success']['estimate'])} of cases the value asked for is not "
        f"read, in {percent(1 - held['kept']['estimate'])} something else changed or cannot be read. The lock let "
        f"{percent(held.get('let_through', 1.0))} of the picture change."
    )
    for row in rows.values():
        if row["method"].startswith(f"{OURS}, ") and not row["lock"]:
            few = row["method"].removeprefix(f"{OURS}, ")
            yield f"Learnt from {few} its success is {beside(_lead(rows, row), 'that of all prompts')}."
    yield from _nearest(rows)


def _lead(rows: Mapping[str, Json], row: Json) -> Interval:
    """Return how far a row's success is ahead of SupSAE's, paired if that was measured."""
    if "minus_ours" in row:
        return Interval.parse(row["minus_ours"]["success"])
    return difference(Interval.parse(row["success"]), Interval.parse(rows[OURS]["success"]))


def _nearest(rows: Mapping[str, Json]) -> Iterator[str]:
    others = [name for name in ordered(rows) if is_baseline(name)]
    if others:
        own = [row for row in rows.values() if row["method"] == others[0]]
        best = max(own, key=lambda row: row["both"]["estimate"])
        nearest = f"“{others[0]}” {'with' if best['lock'] else 'without'} the lock"
        who = f"Of {len(others)} baselines the nearest is {nearest}" if len(others) > 1 else f"At its best, {nearest}"
        apart = Interval.parse(best["minus_ours"]["both"]) if "minus_ours" in best else None
        told = f", {beside(apart, 'SupSAE in the same cases')}" if apart else ""
        yield f"{who}: both in {ranged(Interval.parse(best['both']))}{told}."


def interference(section: Json) -> Told:
    """Tell what moves that should not."""
    matrices = {name: section["interference"][name] for name in CORE}
    cells = [cell for matrix in matrices.values() for row in matrix.values() for cell in row.values() if cell[1]]
    most = max(0.1, *(changed / cases for changed, cases in cells))
    figure = "".join(heat(name, matrix, most) for name, matrix in matrices.items())
    asked = (
        "When one attribute is edited (rows), how often, in percent, does another one (columns) read differently than "
        "in the unedited picture, or not at all?"
    )
    return Told("What else moves", asked, f"<div class=heats>{figure}</div>", _of_interference(matrices))


def _of_interference(matrices: Mapping[str, Mapping[str, Mapping[str, Sequence[int]]]]) -> Iterator[str]:
    matrix = matrices[OURS + LOCK]
    ours, rewrite = (summed(matrices[name]) for name in (OURS + LOCK, REWRITE + LOCK))
    most = max(ours, key=lambda name: _rate(ours[name]))
    yield (
        f"With the lock, SupSAE disturbs {most} most: in {ranged(wilson(*ours[most]))} of the edits of something "
        f"else, the rewrite in {ranged(wilson(*rewrite[most]))}."
    )
    cells = {(edited, name): cell for edited, row in matrix.items() for name, cell in row.items()}
    edited, changed = max(cells, key=lambda name: _rate(cells[name]))
    count, cases = cells[edited, changed]
    yield f"The worst single field: editing {edited} changed {changed} in {count} of {cases} cases."
    clean = sum(not count for count, _ in cells.values())
    yield f"{clean} of {len(cells)} fields are clean: no change was seen there."


def _rate(cell: Sequence[int]) -> float:
    return cell[0] / cell[1] if cell[1] else 0.0


def several(section: Json) -> Told:
    """Tell what many edits at once cost."""
    places = sorted(section, key=int)
    titles = {"success": "All values asked for are read", "both": "All are read, and all else is kept"}
    figure = ""
    for key, title in titles.items():
        lines = []
        for method in (REWRITE, OURS):
            lines.append((_line(method, [section[n][method][key] for n in places]), tone(method)))
        figure += curve(title, list(map(int, places)), lines, "edits at once")
    asked = (
        f"Swap 1 to {places[-1]} values of the same {section['1'][OURS]['count']} prompts at once, without the lock."
    )
    return Told("Many edits at once", asked, f"<div class=curves>{figure}</div>", _of_several(section, places[-1]))


def _of_several(section: Json, most: str) -> Iterator[str]:
    for method in (OURS, REWRITE):
        one, many = (section[count][method]["success"] for count in ("1", most))
        lost = 100 * (one["estimate"] - many["estimate"])
        yield (
            f"{method}: all of {most} values are read in {ranged(Interval.parse(many))}, {lost:.1f} points fewer than "
            "of one."
        )
    apart = Interval.parse(section[most][OURS]["minus_rewrite"]["success"])
    yield f"With {most} edits SupSAE is {beside(apart, 'the rewrite')}."


def _line(name: str, found: Sequence[Json]) -> Line:
    values = [Interval.parse(one) for one in found]
    ranges = tuple((one.low, one.high) for one in values)
    return Line(name, tuple(one.estimate for one in values), ranges)


def two_people(section: Json) -> Told:
    """Tell who can change one of two people."""
    rows = section["rows"]
    asked = (
        "Two people side by side in one prompt, each with a value of the same attribute; change it for one of them, at "
        "strength 1. Everyone is told whose."
    )
    figure = everyone(rows, ("success", "other_same_category", "other_kept", "both"))
    return Told("One of two people", asked, figure, _of_two_people(rows))


def _of_two_people(rows: Mapping[str, Json]) -> Iterator[str]:
    ours = rows[OURS]
    yield (
        f"SupSAE changes the one asked for in {ranged(Interval.parse(ours['success']))}, and leaves the other’s same "
        f"attribute in {ranged(Interval.parse(ours['other_same_category']))}."
    )
    for key, what in (("success", "Its success"), ("both", "That nothing else changed")):
        yield f"{what} is {beside(Interval.parse(ours['minus_rewrite'][key]), 'the rewrite')}."
    yield from _nearest(rows)


def strength(section: Json) -> Told:
    """Tell how the slider acts."""
    lines = {
        "Change of the picture, of that at 1": Line("SupSAE", tuple(section["change"])),
        "Value asked for is read": _line("SupSAE", section["success"]),
    }
    figure = "".join(curve(name, section["positions"], [(line, "edited")], "strength") for name, line in lines.items())
    asked = (
        f"Move the slider from 0 to {section['positions'][-1]:g} on {section['count']} prompts. The change is measured "
        "inside that which position 1 changes."
    )
    return Told("The slider", asked, f"<div class=curves>{figure}</div>", _of_strength(section))


def _of_strength(section: Json) -> Iterator[str]:
    places, change = section["positions"], section["change"]
    steps = [after - before for before, after in zip(change, change[1:], strict=False)]
    between = [f"{low:g} and {high:g}" for low, high in zip(places, places[1:], strict=False)]
    at = max(range(len(steps)), key=lambda index: abs(steps[index]))
    yield f"The largest step lies between {between[at]}: {percent(abs(steps[at]))} of the change at 1."
    back = [name for name, step in zip(between, steps, strict=True) if step < 0]
    yield f"The change shrinks between {', '.join(back)}." if back else "The change grows with every step."
    half = next((p for p, one in zip(places, section["success"], strict=True) if one["estimate"] >= 0.5), None)
    if half is not None:
        yield f"From position {half:g} on, at least half of the pictures show the value asked for."
    same = "At 0 the tensors are those of the unedited prompt, the very same."
    yield same if section["untouched_at_0"] else "At 0 the tensors are not those of the unedited prompt."


def splits(section: Json) -> Told:
    """Tell how other prompts do."""
    groups = {}
    for split, rows in section.items():
        lines = [
            MethodLine(method, tone(method), row, "" if method == REWRITE else "minus_rewrite")
            for method, row in rows.items()
        ]
        groups[f"{split}\n{SPLITS.get(split, '')}; {_cases(lines[0].row)}"] = lines
    asked = "The same edits in easier and in harder prompts, without the lock, at strength 1."
    return Told("Other prompts", asked, methods(groups, SHARES, ("success", "both")), _of_splits(section))


def _of_splits(section: Json) -> Iterator[str]:
    apart = {name: Interval.parse(rows[OURS]["minus_rewrite"]["success"]) for name, rows in section.items()}
    for name, value in apart.items():
        if value.high < 0:
            yield f"Short of the rewrite in “{name}”: success is {beside(value, 'it')}."
    if all(value.high >= 0 for value in apart.values()):
        yield "In no split is SupSAE’s success below the rewrite’s by more than chance."


def best_strength(section: Json) -> Told:
    """Tell what everyone's own best strength is worth."""
    groups = {}
    for row in sorted(section["rows"].values(), key=lambda row: -(row["both"]["estimate"] or 0)):
        heading = f"{row['method']}\nat {row['strength']:g}; {_cases(row)}"
        groups[heading] = [MethodLine("", tone(row["method"]), row, "minus_rewrite")]
    tried = section["tried"]
    first = next(iter(tried.values()))
    count = next(iter(first.values()))["both"]["count"]
    rows = []
    for name, some in tried.items():
        rows.append([name, *(percent(one["both"]["estimate"]) for one in some.values())])
    figure = methods(groups, SHARES, ("both",))
    figure += folded(
        f"Both, on the {count} calibration prompts, by strength",
        table(["Method", *(f"at {one}" for one in first)], rows),
    )
    asked = (
        "Strength 1 may not suit everyone. Each method’s strength was chosen where it gets both right most often on "
        "calibration prompts, and then tested on the headline’s own, without the lock."
    )
    return Told("Everyone at their best strength", asked, figure, _of_best_strength(section))


def _of_best_strength(section: Json) -> Iterator[str]:
    others = [f"{name} {value:g}" for name, value in section["best"].items() if value != 1]
    yield f"Another strength than 1 suits {', '.join(others)}." if others else "Strength 1 suits everyone best."
    yield from _nearest(section["rows"])


def adapters(section: Json) -> Told:
    """Tell what changing the model instead is worth."""
    asked = (
        f"A low-rank adapter of the transformer, trained for one concept each ({', '.join(section['concepts'])}), in "
        "the manner of Concept Sliders; everyone swaps into these concepts."
    )
    return Told(
        "An adapter for every concept instead", asked, everyone(section["rows"], SHARES), _nearest(section["rows"])
    )
