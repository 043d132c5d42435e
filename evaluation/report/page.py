"""What a run found as one HTML page that needs no other file."""

from collections.abc import Callable, Sequence
from html import escape

from ..intervals import Interval
from ..pictures.methods import NO_EDIT, OURS, REWRITE
from ..results import Example, Results
from . import checks, reconstruction, rows, sections
from .blocks import cards, document, fault, photograph, terms, tile
from .methods import LOCK, Json
from .numbers import beside, percent, ranged
from .sections import Told

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
    "Baselines": "What one could use instead, learnt from the same prompts. They are told which concepts a prompt "
    "says; SupSAE reads them in the conditioning.",
    "Paired difference": "The same prompts and seeds in both columns, so that only the cases count in which the two "
    "differ (Newcombe’s interval). Where it holds 0, there is no difference to speak of.",
    "Interval": "95 %, Wilson’s: narrow where cases are many.",
}
SECTIONS: dict[str, tuple[str, Callable[[Json], Told]]] = {
    "headline": ("headline", sections.headline),
    "interference": ("headline", sections.interference),
    "best_strength": ("best_strength", sections.best_strength),
    "splits": ("splits", sections.splits),
    "several": ("several", sections.several),
    "two_people": ("two_people", sections.two_people),
    "strength": ("strength", sections.strength),
    "removal": ("removal", checks.removal),
    "adapters": ("adapters", sections.adapters),
    "proxies": ("proxies", checks.proxies),
    "rows": ("rows", rows.rows),
    "reconstruction": ("reconstruction", reconstruction.reconstruction),
    "text": ("text", checks.text),
    "artifacts": ("headline", checks.artifacts),
}
"""Section of the page → (part that it needs, what tells it), in the order of the page."""


def page(found: Results) -> str:
    """Return the page of a run; parts that were not run are left out."""
    results, there = found.results, found.results["sections"]
    told = {name: tell(there[part]) for name, (part, tell) in SECTIONS.items() if part in there}
    told["dictionary"] = checks.dictionary(found.dictionary)
    if "readers" in results:
        told |= {"readers": checks.readers(results), "cost": checks.cost(results)}
    titles = {name: one.title for name, one in told.items()}
    main = [_section(name, one, found.examples.get(name, ())) for name, one in told.items()]
    head = "<header><h1>What the dictionary is worth</h1></header>"
    if "headline" in told:
        head = _hero(there["headline"], found.examples.get("headline", ()))
        titles["meaning"] = "What the words mean"
        main.append(f"<section id=meaning><h2>{titles['meaning']}</h2>{terms(MEANING)}</section>")
    links = "".join(f"<a href=#{name}>{escape(title)}</a>" for name, title in titles.items())
    return document("SupSAE: the scoreboard", "\n".join([head, f"<nav>{links}</nav>", *main]), _footer(results))


def _hero(section: Json, examples: Sequence[Example]) -> str:
    rows = section["rows"]
    ours, rewrite = rows[OURS + LOCK], rows[REWRITE + LOCK]
    both, other = (Interval.parse(row["both"]) for row in (ours, rewrite))
    apart = beside(Interval.parse(ours["minus_rewrite_lock"]["both"]), "the rewrite")
    unseen = (
        " into pairs of concepts that its dictionary never saw together" if section["split"] == "unseen pairs" else ""
    )
    strip = "".join(_first(one) for one in examples[:FIRST])
    return (
        f"<header><h1>{percent(both.estimate)} of edits change what was asked, and nothing else</h1>"
        f"<p class=lead>SupSAE with the lock, over {both.count} swaps{unseen}: {ranged(both)}. Rewriting the prompt by "
        f"hand, with the same lock and seeds: {ranged(other)}. It is {apart}.</p><div class=strip>{strip}</div>"
        f"{_fine(min(len(examples), FIRST))}</header><section class=tiles>{_tiles(ours, rewrite)}</section>"
    )


def _tiles(ours: Json, rewrite: Json) -> str:
    told = {
        "both": "of edits change what was asked, and nothing else",
        "success": "show the value asked for",
        "kept": "keep every other attribute",
        "attribute_kept": "of single attributes stay as they were",
    }
    made = ""
    for key, text in told.items():
        number, other = (percent(row[key]["estimate"]) for row in (ours, rewrite))
        made += tile(number, text, f"prompt rewrite with the lock: {other}")
    return made


def _first(example: Example) -> str:
    """Return a case at the top of the page: before, and with the lock rewritten and edited."""
    shown = {"before": NO_EDIT, "rewritten": REWRITE + LOCK, "SupSAE": OURS + LOCK}
    figures = ""
    for name, way in shown.items():
        picture = photograph(example.pictures[way], f"{name}: {example.prompt}")
        figures += f"<figure>{picture}<figcaption>{name}</figcaption></figure>"
    return f"<div class=trio>{figures}<p>{escape(example.title)} {fault(example.faults[OURS + LOCK])}</p></div>"


def _fine(count: int) -> str:
    if not count:
        return ""
    return (
        f"<p class=fine>The first {count} cases, none picked: before, the prompt rewritten, SupSAE’s edit; the last "
        "two with the lock. Point at a picture, or press on it, to see the unedited one in its place.</p>"
    )


def _section(name: str, told: Told, examples: Sequence[Example]) -> str:
    said = "".join(f"<li>{escape(sentence)}</li>" for sentence in told.words)
    return (
        f"<section id={name}><h2>{escape(told.title)}</h2><p class=asked>{escape(told.asked)}</p>{told.figure}"
        f"{f'<ul class=said>{said}</ul>' if said else ''}{cards(examples)}</section>"
    )


def _footer(results: Json) -> str:
    own, settings = results["dictionary"], results["settings"]
    size = f", size {escape(settings['size'])}" if "size" in settings else ""
    return (
        f"{escape(results['tool'])}{size}, seed {settings['seed']}. The dictionary: {own['concepts']} concepts learnt "
        f"from {own['prompts']} prompts, {own['held_out']} pairs held out, content "
        f"<code>{escape(own['content'])}</code>. Every number: <code>results.json</code>"
    )
