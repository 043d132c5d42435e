"""The page's checks: removing, artifacts, the text encoders, the dictionary, the readers themselves, and the cost."""

from collections.abc import Iterator, Mapping
from html import escape

from ...drawing.codes import cosine_picture
from ...supsae_core.dictionary.model import Dictionary
from ...training.calibration import GAIN_RANGE
from ..intervals import Interval
from ..pictures.methods import OURS, REWRITE
from ..text.cases import SPLITS
from .blocks import MethodLine, folded, methods, photograph, table, terms
from .describe import describe
from .methods import CORE, LOCK, Json, pairs, tone
from .numbers import beside, figure, percent, ranged
from .sections import SHARES, Told

KEYS = {"fvu_slot": "Company left", "fvu_token": "Token left", "undone": "Undone"}
"""Key of an encoder's figures → its name."""
MEANING = {
    "Company left": "What decoding leaves unexplained of how a phrase’s tokens change with the words around it "
    "(fvu_slot), in prompts that were not fitted on. 0 is perfect; 1 is as good as the phrase’s own mean.",
    "Token left": "The same held against the mean of all tokens (fvu_token), which is easier.",
    "Undone": "Of the change that rewriting the prompt makes in the encoder’s rows, the share of squares that the edit "
    "at strength 1 does not make or makes wrongly.",
    "Calibration": "How much of the edit’s change writing the word would be. 1 is as much; the spread is between "
    f"prompts. Outside {GAIN_RANGE[0]:g} … {GAIN_RANGE[1]:g} a concept counts as poorly learnt.",
}


def removal(section: Json) -> Told:
    """Tell whether what is removed stays away."""
    still = {OURS: section["still_shown"]["SupSAE"], REWRITE: section["still_shown"]["deleted"]}
    groups = {}
    for method, row in section["rows"].items():
        name = "words deleted" if method == REWRITE else method
        groups[name] = [MethodLine("", tone(method), {**row, "still": still.get(method)})]
    variation = {name: value for name, value in section["total_variation"].items() if name != "mean"}
    apart = table(["Attribute", "Total variation"], [[name, percent(value)] for name, value in variation.items()])
    shown = methods(groups, ("still", *SHARES))
    shown += folded("Total variation between what is drawn and what is drawn without the words", apart)
    asked = (
        "Remove a concept from the encoding. What the model draws instead is its own choice, so the picture is held "
        "against that of the same prompt with the words deleted: success is to show the same value as that one."
    )
    return Told("Removing", asked, shown, _of_removal(section, variation))


def _of_removal(section: Json, variation: Mapping[str, float]) -> Iterator[str]:
    ours, deleted = (Interval.parse(section["still_shown"][name]) for name in ("SupSAE", "deleted"))
    apart = beside(Interval.parse(section["still_shown_difference"]), "that", more="above", less="below")
    yield (f"The removed value is still shown in {ranged(ours)}; with the words deleted in {ranged(deleted)}: {apart}.")
    most = max(variation, key=lambda name: variation[name])
    yield (
        f"What is drawn instead differs most for {most}: {percent(variation[most])} of the pictures would have to show "
        "another value. Small samples differ by chance alone, so the true figure is lower."
    )
    mean = section["total_variation"]["mean"]
    if isinstance(mean, Mapping):
        yield f"Over all attributes, chance taken off in the range: {ranged(Interval.parse(mean))}."


def artifacts(section: Json) -> Told:
    """Tell who damages pictures."""
    rows, groups = section["rows"], {}
    for method, free, held in pairs(rows):
        shares = {name: row["artifacts"] for name, row in (("free", free), ("held", held)) if row}
        groups[method] = [MethodLine("", tone(method), shares)]
    asked = "How often does a picture hold what no portrait does: noise, ghosts, a broken shape?"
    return Told("Artifacts", asked, methods(groups, ("free", "held")), _of_artifacts(rows))


def _of_artifacts(rows: Mapping[str, Json]) -> Iterator[str]:
    name, worst = max(rows.items(), key=lambda row: row[1]["artifacts"]["estimate"])
    held, plain = (Interval.parse(rows[one]["artifacts"]) for one in (OURS + LOCK, "no edit"))
    yield f"SupSAE with the lock: {ranged(held)}; pictures without any edit: {ranged(plain)}."
    if worst["artifacts"]["estimate"] > 0:
        yield f"Most are found with {name}: {ranged(Interval.parse(worst['artifacts']))}."


def text(section: Json) -> Told:
    """Tell what the encoders alone say."""
    shown = ""
    for split, one in section["splits"].items():
        rows = [_encoder_row(part, found) for part, found in one["parts"].items()]
        located, named = (ranged(Interval.parse(one[key])) for key in ("located", "named"))
        shown += (
            f"<h3>{SPLITS[split].capitalize()} <small>{one['swaps']} swaps</small></h3><p>Found in the rows, concept "
            f"and exact words: <b>{located}</b>; the concept alone: {named}.</p>"
            f"{table(['Encoder', *KEYS.values()], rows)}"
        )
    shown += terms(MEANING) + folded("Calibration ± spread, and what is undone, of every concept", _concepts(section))
    asked = (
        "Fresh prompts of the dictionary’s own table, each held against the prompt rewritten, in the text encoders "
        "alone; no picture is needed for these."
    )
    return Told("In the text encoders", asked, shown, _of_text(section))


def _encoder_row(part: str, found: Json) -> list[str]:
    return [part, *(figure(found[key]) for key in KEYS)]


def _concepts(section: Json) -> str:
    parts = list(dict.fromkeys(name for one in section["concepts"].values() for name in one["parts"]))
    rows = []
    for name, one in section["concepts"].items():
        cells = [_calibration(one["parts"].get(part)) for part in parts]
        rows.append([name, str(one["swaps"]), *cells])
    return table(["Concept", "Swaps", *parts], rows)


def _calibration(one: Json | None) -> str:
    return "–" if one is None else f"{one['mean']:.2f} ± {one['spread']:.2f}, {one['undone']:.2f}"


def _of_text(section: Json) -> Iterator[str]:
    poor = [f"{name}: {one['poor']}" for name, one in section["concepts"].items() if one["poor"]]
    yield f"Poorly learnt: {' '.join(poor)}" if poor else "No concept is poorly learnt."
    same = Interval.parse(section["strength_0_unchanged"])
    yield f"At strength 0 the very same tensors are returned in {ranged(same)} of edits."
    yield from section["notes"]


def proxies(section: Json) -> Told:
    """Tell what CLIP says."""
    rows = [[name, figure(Interval.parse(one))] for name, one in section["clip_direction"].items()]
    asked = f"Does the picture change as the words do? {section['proxy']}"
    head = ["CLIP: the words’ change seen in the picture, −1 … 1", "Mean and 95 % interval"]
    return Told("Pictures, by proxy", asked, table(head, rows))


def dictionary(learnt: Dictionary) -> Told:
    """Tell what was learnt."""
    matrix = photograph(cosine_picture(learnt).quantize(128), "cosines between the concepts’ codes", "PNG")
    shown = f"<div class=dictionary><pre>{escape(describe(learnt))}</pre><figure>{matrix}</figure></div>"
    return Told("The dictionary", "What its file says of itself, and how alike its codes are.", shown)


def readers(results: Json) -> Told:
    """Tell whether the readers can be trusted."""
    found, section, shown = results["readers"], results["sections"].get("headline"), ""
    if section:
        groups = {}
        for name in CORE:
            row = section["rows"][name]
            colour, second = tone(row["method"]), row["second_reader"]
            groups[name] = [MethodLine("first reader", colour, row), MethodLine("second reader", colour, second)]
        shown = methods(groups, SHARES)
    asked = (
        "Every picture was read by two classifiers of unlike kinds, both taught on drawn portraits only, never on "
        "generated ones. Do they say the same?"
    )
    return Told("Two readers", asked, shown, _of_readers(found))


def _of_readers(found: Json) -> Iterator[str]:
    agree = Interval.parse(found["agree"])
    yield f"Of {agree.count} values that both can read, they agree in {ranged(agree)}."
    first, second = (percent(found[name]["estimate"]) for name in ("only_first_reads", "only_second_reads"))
    yield f"Only the first can read {first} of all values, only the second {second}."


def cost(results: Json) -> Told:
    """Tell what it took."""
    rows = [[name.replace("_", " "), f"{seconds:.0f} s"] for name, seconds in results["seconds"].items()]
    asked = f"{results['pictures']} pictures were looked at; those that an earlier run had left took no time to draw."
    return Told("Cost", asked, table(["Part", "Took"], rows))
