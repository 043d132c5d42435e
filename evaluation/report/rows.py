"""The page's and the shell's words on edits of text rows: everyone, by number of encodings, kind of edit and of row."""

from collections.abc import Iterator, Mapping, Sequence

from ...drawing.plot import Line
from ..intervals import Interval
from ..text.figures import SWAPS
from ..text.rivals import LEVELS, OURS, REPLACE, SHORTCUT
from .blocks import curve, folded, table, terms
from .methods import Json
from .numbers import figure, percent, ranged
from .sections import Told

TONES = {OURS: "edited", LEVELS: "rewrite", REPLACE: "before", SHORTCUT: "baseline"}
"""Method in the curves → class of its colour."""
PAIRS = ("seen pairs", "unseen pairs", "any pairs")
MEANING = {
    "Error": "‖edited − rewritten‖ / ‖original − rewritten‖ over all rows that stand for one another: 0 is the rewrite "
    "itself, 1 is no edit. Intervals: cases resampled. It is a distance of encodings, not of pictures.",
    "Nearest": "No other text is as near to the edited rows as the rewrite, among about 30: the prompt itself, and the "
    "rewrite with one phrase another.",
    "SupSAE, told where": "The edit at the true places; SupSAE itself reads them in the rows. Rivals are told too.",
    "SupSAE, levels alone": "The same dictionary without its edit operators, told where.",
    "replace": "The phrase’s rows become the new phrase’s mean tokens; nothing else changes.",
    "shortcut": "The same plus what the old phrase’s rows were off its mean tokens, on average over them.",
    "Flattened and position-wise methods": "They know rows by their numbers alone and are held against the rewrite’s "
    "rows of the same numbers, with the error of no edit there as 1.",
}


def rows(section: Json) -> Told:
    """Tell how edited rows compare with rewritten ones."""
    most = str(section["encodings"][-1])
    found = section["rows"][most]
    shown = f"<div class=curves>{''.join(_curves(section))}</div>"
    shown += _everyone(found) + folded("Error by kind of edit", _by_split(found, "error"))
    shown += folded("Nearest by kind of edit", _by_split(found, "nearest"))
    shown += folded("Error by kind of row, all swaps", _by_kind(found[SWAPS], section["profile"]))
    shown += folded("Read in the rows", _reading(section))
    if "synonyms" in section:
        shown += folded("Words outside the table, of a category that a swap names", _synonyms(section))
    shown += terms(MEANING)
    asked = (
        f"Edits of {section['concepts']} concepts in fresh prompts, in the rows of {section['host']!r}, held against "
        f"the prompt rewritten; everyone learns from the same encodings. Tables: {most} encodings."
    )
    return Told("Edits in the text encoders’ rows", asked, shown, _words(section))


def _curves(section: Json) -> Iterator[str]:
    sizes = section["encodings"]
    if len(sizes) < 2:
        return
    by_size = list(section["rows"].values())
    for split in (one for one in PAIRS if one in by_size[0]):
        lines = []
        for method, colour in TONES.items():
            found = [Interval.parse(one[split][method]["error"]) for one in by_size]
            ranges = tuple((one.low, one.high) for one in found)
            lines.append((Line(method, tuple(one.estimate for one in found), ranges), colour))
        yield curve(f"Error, {split}", sizes, lines, "encodings")


def _everyone(found: Json) -> str:
    head = ["All swaps", "Error", "Error − SupSAE’s", "Nearest", "Nearest − SupSAE’s", "Refused"]
    lines = []
    for method, one in found[SWAPS].items():
        apart = one.get("minus_ours")
        error, near = (figure(Interval.parse(apart[key])) if apart else "" for key in ("error", "nearest"))
        told = [figure(Interval.parse(one["error"])), error, ranged(Interval.parse(one["nearest"])), near]
        lines.append([method, *told, str(one["refused"])])
    return table(head, lines)


def _by_split(found: Json, key: str) -> str:
    methods = list(found[SWAPS])
    lines = []
    for split, own in found.items():
        cells = [_cell(Interval.parse(own[method][key]), key) for method in methods]
        lines.append([f"{split} ({own[OURS]['error']['count']})", *cells])
    return table(["Edits (cases)", *methods], lines)


def _cell(value: Interval, key: str) -> str:
    return f"{value.estimate:.3f}" if key == "error" else f"{round(value.estimate * value.count)} of {value.count}"


def _by_kind(own: Json, profile: Mapping[str, float]) -> str:
    kinds = list(own[OURS]["kinds"])
    lines = [["share of the rewrite’s change", *(percent(profile.get(kind, 0.0)) for kind in kinds)]]
    lines += [[method, *(figure(one["kinds"].get(kind)) for kind in kinds)] for method, one in own.items()]
    return table(["", *kinds], lines)


def _reading(section: Json) -> str:
    lines = []
    for size, prompts in section["reading"].items():
        for name, one in prompts.items():
            found, false = (ranged(Interval.parse(one[key])) for key in ("found", "false"))
            lines.append([f"{size} encodings, {name}", found, false])
    return table(["", "Said, and read at its place", "Not said, and read"], lines)


def _synonyms(section: Json) -> str:
    lines = []
    for size, one in section["synonyms"].items():
        lines.append([f"{size} encodings", *(ranged(Interval.parse(one[key])) for key in ("read", "offered", "near"))])
    heads = ("Read all the same", "Else offered: the very words", "Else offered: some of them")
    return table(["Words that the table lacks", *heads], lines)


def _words(section: Json) -> Iterator[str]:
    for size, own in section["rows"].items():
        swaps = own[SWAPS]
        ours = Interval.parse(swaps[OURS]["error"])
        yield f"From {size} encodings SupSAE leaves an error of {figure(ours)}; {_beside(swaps)}."
    yield from section["notes"]


def _beside(swaps: Json) -> str:
    """Say whom SupSAE is ahead of, behind, and level with, by the error over all swaps."""
    groups: dict[str, list[str]] = {"ahead of": [], "level with": [], "behind": []}
    for method, one in swaps.items():
        if "minus_ours" in one and not method.startswith(f"{OURS}, told"):
            apart = Interval.parse(one["minus_ours"]["error"])
            way = "ahead of" if apart.low > 0 else "behind" if apart.high < 0 else "level with"
            groups[way].append(f"“{method}”")
    return "; ".join(f"it is {way} {', '.join(names)}" for way, names in groups.items() if names)


def lines(section: Json) -> Iterator[str]:
    """Yield the key figures for the shell."""
    splits: Sequence[str] = [one for one in PAIRS if one in next(iter(section["rows"].values()))]
    for size, own in section["rows"].items():
        yield f"{size} encodings by {section['host']!r}: error (0 the rewrite, 1 no edit), and nearest"
        for method in own[SWAPS]:
            told = [f"{split} {_short(own[split][method])}" for split in (*splits, "5 edits") if split in own]
            yield f"  {method:<28}{', '.join(told)}"
        for name, one in section["reading"][size].items():
            found, false = (percent(one[key]["estimate"]) for key in ("found", "false"))
            yield f"  read {name}: {found} of what is said, {false} of what is not"
        if "synonyms" in section:
            read, offered = (percent(section["synonyms"][size][key]["estimate"]) for key in ("read", "offered"))
            yield f"  words outside the table: {read} read, of the others {offered} offered by these very words"
    yield from section["notes"]


def _short(one: Json) -> str:
    near = Interval.parse(one["nearest"])
    return f"{one['error']['estimate']:.3f} ({round(near.estimate * near.count)} of {near.count})"
