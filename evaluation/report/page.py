"""The scoreboard as one HTML page that needs no other file."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from ..pictures.bench import Example
from ..pictures.methods import OURS, REWRITE
from . import checks, parts
from .examples import cards, first
from .goals import MET, MISSED, OPEN, Goal, goals
from .page_parts import document, percent, terms, tile
from .page_style import SCRIPT
from .parts import Told
from .rows import LOCK, Json, interval
from .style import STYLE
from .words import beside, shared

if TYPE_CHECKING:  # it loads the readers, which a page does not need
    from ..pictures.run import Found

FIRST = 6
"""Examples at the top of the page."""
MEANING = {
    "Success": "The value asked for is read in the picture. A small classifier reads it, taught on drawn portraits and "
    "never on generated ones.",
    "All else kept": "Every attribute that was not asked for reads as in the unedited picture from the same noise, "
    "also those that the prompt never mentioned.",
    "Both": "Success, and all else kept: what one wants of an edit. What is not both is a failure.",
    "Attributes kept": "The same, counted attribute by attribute: one that changed of seven is one seventh, where “all "
    "else kept” counts the whole picture.",
    "Unreadable": "The classifier is not sure. That counts against success and against kept, which is why even a "
    "picture without any edit does not always keep all.",
    "Prompt rewrite": "The words themselves replaced, and the prompt encoded anew: the ceiling for success. It moves "
    "other attributes too, since the encoding of every word changes.",
    "The lock": "The unedited picture is drawn beside the edited one, and everything outside a mask that only grows is "
    "held to it.",
    "Paired difference": "The same prompts and seeds in both columns, so that only the cases count in which the two "
    "differ (Newcombe’s interval). Where it holds 0, there is no difference to speak of.",
    "Interval": "95 %, Wilson’s: narrow where cases are many. A goal is met when the whole interval is on its side, "
    "missed when none of it is, and else these cases cannot tell.",
}
VERDICTS = {MET: "good", MISSED: "bad", OPEN: "open"}
"""Verdict → its class."""
SECTIONS = {
    "headline": ("headline", parts.headline),
    "interference": ("headline", parts.interference),
    "best_strength": ("best_strength", parts.best_strength),
    "splits": ("splits", parts.splits),
    "several": ("several", parts.several),
    "strength": ("strength", checks.strength),
    "removal": ("removal", checks.removal),
    "adapters": ("adapters", parts.adapters),
    "text": ("text", checks.text),
    "artifacts": ("headline", checks.artifacts),
}
"""Section of the page → (part that it needs, what tells it), in the order of the page."""


def report(found: Found) -> str:
    """Return the report of a run; parts that were not run are left out."""
    results, there = found.results, found.results["sections"]
    told = {name: tell(there[part]) for name, (part, tell) in SECTIONS.items() if part in there}
    told |= {"readers": checks.readers(results), "cost": checks.cost(results)}
    reached = goals(results)
    shown = {name: section.examples for name, section in found.sections.items()}
    head = _hero(results, shown.get("headline", []), _navigation(told)) if "headline" in told else _plain_head(told)
    sections = [_section(name, one, reached, shown.get(name, [])) for name, one in told.items()]
    main = [
        head,
        sections[0],
        _goals(reached),
        *sections[1:],
        f"<section id=meaning><h2>What the words mean</h2>{terms(MEANING)}</section>",
    ]
    return document("SupSAE: the scoreboard", "\n".join(main), _footer(results), style=STYLE, script=SCRIPT)


def _hero(results: Json, examples: Sequence[Example], navigation: str) -> str:
    rows = results["sections"]["headline"]["rows"]
    ours, rewrite = rows[OURS + LOCK], rows[REWRITE + LOCK]
    both = interval(ours["both"])
    strip = "".join(first(one) for one in examples[:FIRST])
    tiles = "".join(
        tile(percent(ours[key]["estimate"]), text, f"prompt rewrite with the lock: {percent(rewrite[key]['estimate'])}")
        for key, text in (
            ("both", "of edits change what was asked, and nothing else"),
            ("success", "show the value asked for"),
            ("kept", "keep every other attribute"),
            ("attribute_kept", "of single attributes stay as they were"),
        )
    )
    return (
        f"<header><h1>{percent(both.estimate)} of edits change what was asked, and nothing else</h1>"
        f"<p class=lead>SupSAE with the lock, over {both.count} swaps{_split(results)}: {shared(both)}. Rewriting the "
        f"prompt by hand, with the same lock and seeds: {shared(interval(rewrite['both']))}. It is "
        f"{beside(interval(ours['minus_rewrite_lock']['both']), 'the rewrite')}.</p><div class=strip>{strip}</div>"
        f"{_fine(min(len(examples), FIRST))}</header><section class=tiles>{tiles}</section>{navigation}"
    )


def _split(results: Json) -> str:
    unseen = results["sections"]["headline"]["split"] == "unseen pairs"
    return " into pairs of concepts that its dictionary never saw together" if unseen else ""


def _fine(count: int) -> str:
    if not count:
        return ""
    return (
        f"<p class=fine>The first {count} cases, none picked: before, the prompt rewritten, SupSAE’s edit; the last "
        "two with the lock. Point at a picture, or press on it, to see the unedited one in its place.</p>"
    )


def _plain_head(told: dict[str, Told]) -> str:
    return f"<header><h1>The scoreboard</h1></header>{_navigation(told)}"


def _navigation(told: dict[str, Told]) -> str:
    links = {"goals": "Goals", **{name: one.title for name, one in told.items()}, "meaning": "What the words mean"}
    return f"<nav>{''.join(f'<a href=#{name}>{escape(title)}</a>' for name, title in links.items())}</nav>"


def _goals(reached: Sequence[Goal]) -> str:
    counts = {verdict: sum(goal.verdict == verdict for goal in reached) for verdict in VERDICTS}
    rows = "".join(
        f"<tr><td class={VERDICTS[goal.verdict]}>{goal.verdict}</td><td>{escape(goal.asks)}</td>"
        f"<td>{escape(goal.measured)}</td></tr>"
        for goal in reached
    )
    summed = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    return (
        f"<section id=goals><h2>Goals</h2><p class=asked>Set before the first measurement. Of {len(reached)}: {summed}."
        " An interval decides; where it holds both sides of the limit, these cases cannot tell.</p>"
        f"<table class=goals>{rows}</table></section>"
    )


def _section(name: str, told: Told, reached: Sequence[Goal], examples: Sequence[Example]) -> str:
    said = "".join(f"<li>{escape(sentence)}</li>" for sentence in told.words)
    own = "".join(
        f"<li><b class={VERDICTS[goal.verdict]}>{goal.verdict}</b>{escape(goal.asks)} "
        f"<span>{escape(goal.measured)}</span></li>"
        for goal in reached
        if goal.part == name
    )
    return (
        f"<section id={name}><h2>{escape(told.title)}</h2><p class=asked>{escape(told.asked)}</p>{told.figure}"
        f"{f'<ul class=said>{said}</ul>' if said else ''}{f'<ul class=own>{own}</ul>' if own else ''}"
        f"{cards(examples)}</section>"
    )


def _footer(results: Json) -> str:
    own, settings = results["dictionary"], results["settings"]
    return (
        f"{escape(results['tool'])}, size {escape(settings['size'])}, seed {settings['seed']}. The dictionary: "
        f"{own['concepts']} concepts learnt from {own['prompts']} prompts, {own['held_out']} pairs held out, content "
        f"<code>{escape(own['content'])}</code>. Every number: <code>results.json</code>"
    )
