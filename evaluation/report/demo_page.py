"""The report as one HTML page that needs no other file: pictures, numbers with their intervals, and what they mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from PIL import Image

from ...drawing.sheet import inlined
from ...supsae_core.version import __version__
from ..outcomes import Interval
from ..trials import Group, Results, Trial, groups
from .demo_report import NAMES, SECTIONS, change, counted, mark
from .describe import describe
from .page_parts import Bar, bars, document, drawn, percent, photograph, points, terms, tile
from .page_style import SCRIPT

MEASURES = {
    "success": "Asked-for value is read",
    "kept": "All else as it was",
    "both": "Both at once",
}
"""Score → its name on the page."""
FAULTS = {
    "": "",
    "missed": "<span class=bad>missed</span>",
    "moved": "<span class=moved>something else changed</span>",
}
"""Mark of a case → what its heading says of it."""
MEANING = {
    "Asked-for value is read": "A small classifier, taught on drawn portraits and never on generated ones, looks at "
    "the picture. Where it is not sure it says “unreadable”, which counts as a failure.",
    "All else as it was": "Every attribute that was not asked for reads as in the unedited picture from the same "
    "noise, also those that the prompt never mentioned. One that differs or is unreadable fails the case.",
    "Prompt rewrite": "The words themselves replaced, and the prompt encoded anew. It too moves other attributes now "
    "and then: the noise is the same, but the encoding of every word changes. It is the measure for the edit.",
    "The bars": "The mark is what was measured; the band is its 95 % interval (Wilson), wide where cases are few. "
    "Differences over the same cases carry Newcombe’s interval for paired proportions; where it holds 0, there is none "
    "to speak of.",
}


def page(results: Results, cosines: Image.Image) -> str:
    """Return the report as one HTML page that needs no other file."""
    made = groups(results.trials)
    main = [
        _hero(results),
        _tiles(results, made),
        _numbers(made),
        _meaning(),
        *(_gallery(results, group) for group in made),
        _story(results),
        _dictionary(results, cosines),
        _next(results),
    ]
    footer = (
        f"supsae {__version__}, seed {results.settings['seed']}. Every number and case: "
        f"<code>{escape(results.files['numbers'].name)}</code>"
    )
    return document("SupSAE on Portraits", "\n".join(main), footer, script=SCRIPT)


def _hero(results: Results) -> str:
    return (
        "<header><h1>Change what a prompt says,<br>without touching the prompt</h1>"
        "<p class=lead>Each portrait here was drawn twice from the same noise. In between, the prompt stayed as it "
        "was: a dictionary of named concepts, learnt just before, found one concept in the prompt’s encoding and "
        f"changed it there.</p><div class=strip>{''.join(map(_pair, results.trials[:6]))}</div>"
        "<p class=fine>The first six cases of this run, as they were drawn; none was picked.</p></header>"
    )


def _pair(trial: Trial) -> str:
    pictures = photograph(trial.pictures["before"], "before") + photograph(
        trial.pictures["edited"], change(trial, " → ")
    )
    fault = FAULTS[mark(trial.outcomes["edited"])]
    return f"<div class=pair>{pictures}<p>{_heading(trial)} {fault}</p></div>"


def _heading(trial: Trial) -> str:
    return f"<small>{escape(trial.case.category)}</small> {escape(change(trial, ' → '))}"


def _tiles(results: Results, made: Sequence[Group]) -> str:
    return f"<section class=tiles>{''.join(tile(*one) for one in _key_numbers(results, made[0]))}</section>"


def _key_numbers(results: Results, group: Group) -> list[tuple[str, str, str]]:
    """Return (number, what it counts, aside) of the first group and of the whole run."""
    edited, rewrite = group.scores["edited"], group.scores["rewrite"]
    return [
        (
            percent(edited.success.estimate),
            f"of {edited.success.count} {group.action}s show the value asked for",
            f"rewriting the prompt: {percent(rewrite.success.estimate)}",
        ),
        (
            percent(edited.kept.estimate),
            "keep every other attribute of the picture",
            f"rewriting the prompt: {percent(rewrite.kept.estimate)}",
        ),
        (percent(results.located), "of what the prompts say is found, concept and words", "in the encoding alone"),
        (f"{results.untouched} of {len(results.trials)}", "edits at strength 0 change nothing", "bit for bit"),
        (
            f"{results.settings['prompts']}",
            "prompts to learn from",
            f"encoded and fitted in {_learning(results):.0f}\u00a0s",
        ),
    ]


def _learning(results: Results) -> float:
    return sum(seconds for name, seconds in results.seconds.items() if "encode" in name or "fit" in name)


def _numbers(made: Sequence[Group]) -> str:
    return f"<section><h2>The numbers</h2>{''.join(_group(group) for group in made)}</section>"


def _group(group: Group) -> str:
    scores, count = group.scores, group.scores["edited"].success.count
    by_name = {name: {method: getattr(one, name) for method, one in scores.items()} for name in MEASURES}
    if group.still is None:
        rows = [_bars(label, by_name[name]) for name, label in MEASURES.items()]
        paired = f"<p class=fine>{_paired(group)}</p>"
    else:  # the rewrite's own value is the one wanted, so its success says nothing
        rows = [
            _bars("Same value as with the words deleted", {"edited": scores["edited"].success}),
            _bars(MEASURES["kept"], by_name["kept"]),
            _bars("Removed value still shown", group.still),
        ]
        paired = ""
    return (
        f"<h3>{escape(SECTIONS[group.action][0])} <small>{counted(count)}</small></h3>"
        f"<div class=wide><table class=bars>{''.join(rows)}</table></div>{paired}{_attributes(group)}"
    )


def _bars(label: str, values: Mapping[str, Interval]) -> str:
    """Return one measure as rows of a table, a bar a method."""
    return bars(label, [Bar(NAMES[method], method, value) for method, value in values.items()])


def _paired(group: Group) -> str:
    parts = [f"{MEASURES[name].lower()}: {points(getattr(group, name))}" for name in ("success", "both")]
    return f"Edit minus rewrite over the same cases, in points: {'; '.join(parts)}."


def _attributes(group: Group) -> str:
    scores = {method: one.attributes for method, one in group.scores.items()}
    rows = "".join(_bars(name, {method: scores[method][name] for method in scores}) for name in scores["edited"])
    return (
        "<details><summary>Kept, attribute by attribute</summary>"
        f"<div class=wide><table class=bars>{rows}</table></div></details>"
    )


def _meaning() -> str:
    return f"<section><h2>What they mean</h2>{terms(MEANING)}</section>"


def _gallery(results: Results, group: Group) -> str:
    heading, text = SECTIONS[group.action]
    cards = [_card(results, trial) for trial in results.trials if trial.action == group.action]
    return (
        f"<section><h2>{escape(heading)}</h2><p>{escape(text)} All {counted(len(cards))}, failures included. Point at "
        "a picture, or press on it, to see the unedited one in its place.</p>"
        f"<div class=cards>{''.join(cards)}</div></section>"
    )


def _card(results: Results, trial: Trial) -> str:
    figures = "".join(_figure(trial, method) for method in NAMES)
    refused = f"<p class=refused>{escape(trial.refused)}</p>" if trial.refused else ""
    return (
        f"<article><h4>{_heading(trial)}</h4>"
        f"<p class=prompt>{_marked(results, trial)}</p><div class=trio>{figures}</div>{refused}</article>"
    )


def _figure(trial: Trial, method: str) -> str:
    picture = photograph(trial.pictures[method], f"{NAMES[method]}: {trial.case.prompt.text}")
    return f"<figure>{picture}<figcaption>{NAMES[method]}<br>{_verdict(trial, method)}</figcaption></figure>"


def _verdict(trial: Trial, method: str) -> str:
    """Return the value that is read, whether it is the one wanted, and what else moved, as HTML."""
    read, outcome = trial.read[method], trial.outcomes.get(method)
    value = escape(read[trial.case.category])
    if outcome is None:
        return value
    moved = [f"{name} {trial.read['before'][name]} → {read[name]}" for name, kept in outcome.kept.items() if not kept]
    also = "".join(f"<br><span class=moved>{escape(one)}</span>" for one in moved)
    if trial.action == "remove" and method == "rewrite":
        return value + also  # what it shows is what is wanted: nothing to judge
    return f"<span class={'good' if outcome.success else 'bad'}>{value}</span>{also}"


def _marked(results: Results, trial: Trial) -> str:
    """Return the prompt with the words that the edit is about marked, as HTML."""
    case, table = trial.case, results.dictionary.table
    if case.old is None:
        return escape(case.prompt.text) or "<i>an empty prompt</i>"
    old = table.index(f"{case.category}: {case.old}")
    at = next(m for m in case.prompt.mentions if table.phrases[m.phrase].concept == old)
    words = case.prompt.words
    before, said, behind = (
        escape(" ".join(part)) for part in (words[: at.start], words[at.start : at.stop], words[at.stop :])
    )
    return f"{before} <mark>{said}</mark> {behind}"


def _story(results: Results) -> str:
    rows = "".join(
        f"<li><span>{escape(text)}</span><b>{_took(results.seconds.get(name))}</b></li>"
        for name, text in _steps(results).items()
    )
    return f"<section><h2>What was done</h2><ol class=story>{rows}</ol></section>"


def _steps(results: Results) -> dict[str, str]:
    told, pairs = results.settings, len(results.dictionary.provenance.get("held_out", ()))
    return {
        "load the models": "Loaded a tiny model in the format of Stable Diffusion 3.5: two text encoders, a "
        "three-block MMDiT and a picture decoder, all but the encoders through diffusers’ own classes.",
        "write prompts and encode them": f"Wrote {told['prompts']} prompts in free wording and encoded them; {pairs} "
        "pairs of concepts never stood together. No picture was drawn to learn from.",
        "fit the dictionary": "Solved for a code per concept and for what concepts do to one another’s words: a linear "
        "solve. Calibrated it on prompts kept aside.",
        "edit": "Wrote the test prompts, found their concepts in the encoding alone and changed one in each.",
        "draw pictures": f"Drew {len(results.trials)} cases three times each, from the same noise: {told['steps']} "
        f"steps, guidance {told['cfg']:g}.",
        "read the pictures": "Read every attribute of every picture with the classifier.",
        "write the report": "Wrote this page and the contact sheet.",
    }


def _took(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.1f} s"


def _dictionary(results: Results, cosines: Image.Image) -> str:
    matrix = drawn(inlined(cosines.quantize(128), "PNG"), "cosines between the concepts’ codes")
    return (
        "<section><h2>The dictionary</h2><div class=dictionary>"
        f"<pre>{escape(describe(results.dictionary))}</pre>"
        f"<figure>{matrix}</figure></div></section>"
    )


def _next(results: Results) -> str:
    file = escape(str(results.files["dictionary"]))
    return f"""<section><h2>Go on</h2><pre>supsae edit --dictionary {file} \\
  --prompt "a portrait of a person with black hair, no hat" \\
  --edit "swap hair: red" --edit "swap hat: crown" --out red.png
supsae inspect {file} --prompt "someone with golden hair and a top hat"</pre>
<p>This is a small world made for measuring, in which the truth of a picture is known. It says how the method behaves;
it does not say how well another model’s concepts are learnt.</p></section>"""
