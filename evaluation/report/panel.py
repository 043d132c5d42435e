"""What a panel shows of a dictionary: a verdict in plain words, and what was measured as small tables; plain JSON."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ...supsae_core.dictionary.inherited import combined_from
from ...supsae_core.dictionary.light import is_light
from ...supsae_core.dictionary.model import Dictionary
from ..intervals import Interval
from ..pictures.methods import NO_EDIT, OURS, REWRITE
from .describe import LIGHT_FORM, describe
from .methods import Json, pairs
from .numbers import figure, percent, points, ranged

VERSION = 1
LEVELS = ("good", "fair", "poor")
"""Best first; a report has the worst of what was measured."""
LOCATE = (0.98, 0.9)
"""Share of concepts found again, with their exact words, in prompts kept aside: from which it is good, and fair."""
TOOK = (0.9, 0.7)
"""Share of edits of prompts kept aside that read as asked: from which it is good, and fair."""
POORLY = (0.0, 0.15)
"""Share of concepts poorly learnt or never captured: up to which it is good, and fair."""
NAMED = 6
"""Concepts that a verdict names; the table has all."""
SUCCESS = (0.9, 0.7)
"""Share of edits that show in the picture: from which it is good, and fair."""
BEHIND = (0.05, 0.15)
"""How far success may be behind rewriting the prompt to be good, and fair: no edit can do more than the words."""
SAID = {"seen": "pairs seen together", "unseen": "pairs never seen together"}
"""Split → what is asked of it, in few words."""

Verdict = tuple[str, str]
"""Level, and a sentence that says what to do; empty if nothing is to be said."""


def panel(text: str, verdicts: Iterable[Verdict], praise: str, sections: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Put a report together.

    Args:
        verdicts: what was judged, each by itself.
        sections: made by ``section``; one without rows is left out.
    """
    judged = list(verdicts)
    level = max((one for one, _ in judged), key=LEVELS.index, default=LEVELS[1])
    said = "\n".join(sentence for _, sentence in judged if sentence)
    return {
        "version": VERSION,
        "level": level,
        "verdict": said or praise,
        "sections": [one for one in sections if one["rows"]],
        "text": text,
    }


def section(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> dict[str, Any]:
    """Return a small table; ``head`` may be empty."""
    return {"title": title, "head": list(head), "rows": [list(row) for row in rows]}


def at_least(value: float, steps: tuple[float, float]) -> str:
    """Return the level of a value that should be large: at least the first step is good, the second fair."""
    return next((level for level, step in zip(LEVELS, steps, strict=False) if value >= step), LEVELS[-1])


def at_most(value: float, steps: tuple[float, float]) -> str:
    """Return the level of a value that should be small."""
    return next((level for level, step in zip(LEVELS, steps, strict=False) if value <= step), LEVELS[-1])


def dictionary_panel(
    dictionary: Dictionary, text: str = "", unknown: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return what Fit Dictionary and Load Dictionary show.

    Args:
        unknown: concept → why the model cannot know its words, of those that it cannot.
    """
    count = len(dictionary.table)
    praise = f"Learnt well: all {count} concepts can be swapped, added, removed and made stronger or weaker."
    for _, share in _edits_row(dictionary.report.get("edits")):
        praise += f" In prompts kept aside {share} edits read as asked."
    sections = [tell(dictionary) for tell in (_measured, _calibration, _errors, _known, _origin)]
    strange = section("Words that this model does not know", (), (unknown or {}).items())
    verdicts = [*_strange(unknown or {}, count), *_verdicts(dictionary)]
    return panel(text or describe(dictionary), verdicts, praise, [strange, *sections])


def _strange(unknown: Mapping[str, str], count: int) -> Iterator[Verdict]:
    """What the text encoders were never taught cannot be drawn, however well its rows are told apart."""
    if unknown:
        show = count - len(unknown)
        said = (
            f"{show} of {count} concepts will show; {len(unknown)} {'uses' if len(unknown) == 1 else 'use'} words that "
            f"this model does not know: {names(list(unknown))}. Word them otherwise."
        )
        yield LEVELS[2] if show < count / 2 else LEVELS[1], said


def names(found: Sequence[str]) -> str:
    """List names, as many as one reads."""
    listed = ", ".join(found[:NAMED])
    return f"{listed} and {len(found) - NAMED} more" if len(found) > NAMED else listed


def _poorly(found: Sequence[str], count: int) -> str:
    return f"{len(found)} of {count} concepts {'is' if len(found) == 1 else 'are'} poorly learnt: {names(found)}"


def _verdicts(dictionary: Dictionary) -> Iterator[Verdict]:
    count = len(dictionary.table)
    poorly, never = (_listed(dictionary, name) for name in ("poorly_learnt", "never_captured"))
    unknown = _open(dictionary)
    if is_light(dictionary.provenance):
        yield LEVELS[1], LIGHT_FORM
    if "locate" not in dictionary.report:
        yield LEVELS[1], "This file does not say how well it was learnt. Try it out, or use Evaluate Dictionary."
        return
    level = at_most(len({*poorly, *never}) / count, POORLY)
    many = f"{_poorly(poorly, count)}. Try other strengths with them, or capture more prompts and fit again."
    yield level, many if poorly else ""
    if never:
        yield level, f"Never seen in a captured prompt: {names(never)}. Capture more prompts."
    found = float(dictionary.report["locate"])
    level, least = (
        at_least(found, LOCATE),
        f"Only {percent(found)} is found again in fresh prompts. Give every concept words of its own ('red hair' "
        "rather than 'red'), or capture more prompts.",
    )
    yield level, "" if level == LEVELS[0] else least
    if edits := dictionary.report.get("edits"):
        took, count = float(edits.get("took", 0)), float(edits.get("count", 0))
        level, said = (
            at_least(took, TOOK),
            f"Only {percent(took)} of {count:.0f} edits of prompts kept aside read as asked. Capture more prompts.",
        )
        yield level, "" if level == LEVELS[0] else said
    if unknown:
        done = f"What leaving out {names(unknown)} does was not learnt: swap there, do not add or remove."
        yield LEVELS[1], f"{done} Capture again with mention below 1."


def _measured(dictionary: Dictionary) -> dict[str, Any]:
    report, rows = dictionary.report, []
    if "locate" in report:
        rows = [
            ["Found again in fresh prompts", percent(float(report["locate"]))],
            *_edits_row(report.get("edits")),
            ["Poorly learnt", ", ".join(_listed(dictionary, "poorly_learnt")) or "nothing"],
            ["Never captured", ", ".join(_listed(dictionary, "never_captured")) or "nothing"],
            ["Cannot be added or removed", ", ".join(_open(dictionary)) or "nothing"],
        ]
    return section("How well", (), rows)


def _edits_row(edits: Json | None) -> list[list[str]]:
    if not edits:
        return []
    share, count = float(edits.get("took", 0)), float(edits.get("count", 0))
    return [["Edits of prompts kept aside that read as asked", f"{share * count:.0f} of {count:.0f}"]]


def _calibration(dictionary: Dictionary) -> dict[str, Any]:
    gains = dictionary.report.get("calibration", {})
    rows = [[name, f"{one['mean']:.2f} ± {one['spread']:.2f}"] for name, one in gains.items()]
    return section("Strength 1 beside the written word, 1 is equal", (), rows)


def _errors(dictionary: Dictionary) -> dict[str, Any]:
    parts = dictionary.report.get("parts", {})
    rows = [[name, figure(one.get("fvu_slot")), figure(one.get("fvu_token"))] for name, one in parts.items()]
    return section("What is left unexplained, 0 is perfect", ("Encoder", "of its context", "of a token"), rows)


def _known(dictionary: Dictionary) -> dict[str, Any]:
    concepts, rows = dictionary.table.concepts, []
    for name, members in dictionary.table.categories.items():
        rows.append([name, ", ".join(concepts[index].name for index in members)])
    return section("What it knows", (), rows)


def _origin(dictionary: Dictionary) -> dict[str, Any]:
    known = dictionary.provenance
    rows = [["Text encoders", dictionary.family.name]]
    rows += [["Combined of", one] for one in combined_from(known)]
    if "prompts" in known:
        rows.append(["Prompts", f"{known['prompts']} (seed {known.get('seed', 0)})"])
    if known.get("held_out"):
        rows.append(["Pairs never written together", str(len(known["held_out"]))])
    if dictionary.streams:
        rows.append(["Inside the model", ", ".join(dict.fromkeys(name.split("/")[0] for name in dictionary.streams))])
    if "fit_seconds" in dictionary.report:
        rows.append(["Fitted in", f"{dictionary.report['fit_seconds']:.1f} s"])
    return section("Where it comes from", (), rows)


def _listed(dictionary: Dictionary, key: str) -> list[str]:
    found = dictionary.report.get(key)
    return [str(one) for one in found] if isinstance(found, list | tuple) else []


def _open(dictionary: Dictionary) -> list[str]:
    """Categories whose absence was never seen."""
    known = zip(dictionary.table.categories, dictionary.identified, strict=True)
    return [name for name, identified in known if not identified]


def evaluation_panel(results: Json, text: str) -> dict[str, Any]:
    """Return what Evaluate Dictionary shows of a run, on pictures or on its text encoders alone."""
    sections = results["sections"]
    if "readers" in results:
        rows = sections["headline"]["rows"] if "headline" in sections else {}
        return panel(text, _picture_verdicts(rows), "", (_shares(rows), _differences(rows)))
    found = sections["text"]
    swaps = sum(one["swaps"] for one in found["splits"].values())
    praise = f"Good: in {swaps} fresh prompts its concepts were found and changed as rewriting the words would."
    return panel(text, _text_verdicts(found), praise, (_located(found), _poor(found), _left(found)))


def _text_verdicts(found: Json) -> Iterator[Verdict]:
    located = [one["located"]["estimate"] for one in found["splits"].values()]
    if located:
        level = at_least(min(located), LOCATE)
        least = f"Only {percent(min(located))} of what fresh prompts say is found. Capture more prompts."
        yield level, "" if level == LEVELS[0] else least
    concepts = found["concepts"]
    poor = [name for name, one in concepts.items() if one["poor"]]
    told = f"{_poorly(poor, len(concepts))}. Capture more prompts, or leave them out."
    yield at_most(len(poor) / max(1, len(concepts)), POORLY), told if poor else ""


def _located(found: Json) -> dict[str, Any]:
    rows = []
    for split, one in found["splits"].items():
        shares = (ranged(Interval.parse(one[key])) for key in ("located", "named"))
        rows.append([SAID[split], str(one["swaps"]), *shares])
    return section("In fresh prompts", ("", "swaps", "concept and words found", "concept found"), rows)


def _poor(found: Json) -> dict[str, Any]:
    poor = {name: one["poor"] for name, one in found["concepts"].items() if one["poor"]}
    return section("Poorly learnt", (), poor.items())


def _left(found: Json) -> dict[str, Any]:
    rows = []
    for split, one in found["splits"].items():
        parts = one["parts"].items()
        rows += [[f"{part}, {SAID[split]}", figure(own["fvu_slot"]), figure(own["undone"])] for part, own in parts]
    return section("What is left, 0 is perfect", ("Encoder", "unexplained of its context", "undone of a swap"), rows)


def _picture_verdicts(rows: Json) -> Iterator[Verdict]:
    by_name = {row["method"]: row["success"]["estimate"] for row in rows.values() if not row["lock"]}
    if OURS not in by_name:
        yield LEVELS[1], "No edits were judged on pictures. Take another size."
        return
    ours, words = by_name[OURS], by_name.get(REWRITE, by_name[OURS])
    levels = at_least(ours, SUCCESS), at_most(words - ours, BEHIND)
    said = f"{percent(ours)} of the edits show in the picture."
    if REWRITE in by_name:
        said = f"{percent(ours)} of the edits show in the picture (rewriting the words: {percent(words)})."
    does = {"good": "Works well: ", "fair": "Works for most: ", "poor": "Does not work well: "}
    level = max(levels, key=list(does).index)
    advice = "" if level == LEVELS[0] else " Capture more prompts and fit again; the table below says what falls short."
    yield level, does[level] + said + advice


def _shares(rows: Json) -> dict[str, Any]:
    made = []
    for method, *both in pairs(rows):
        for row in both if method in (OURS, REWRITE, NO_EDIT) else ():
            if row:
                shares = (ranged(Interval.parse(row[key])) for key in ("success", "kept", "both"))
                made.append([_named(row), *shares])
    return section("Pictures", ("", "edit shows", "all else kept", "both"), made)


def _differences(rows: Json) -> dict[str, Any]:
    made = []
    for row in rows.values():
        apart = row.get("minus_rewrite_lock" if row["lock"] else "minus_rewrite")
        if row["method"] == OURS and apart:
            shares = (points(Interval.parse(apart[key])) for key in ("success", "kept", "both"))
            made.append([_named(row), *shares])
    head = ("", "edit shows", "all else kept", "both")
    return section("Ahead of rewriting the words, in points and where the truth may lie", head, made)


def _named(row: Json) -> str:
    return row["method"] + (" with the lock" if row["lock"] else "")
