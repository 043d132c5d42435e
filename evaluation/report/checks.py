"""The report's checks: removing, the slider, the text encoders, artifacts, the readers themselves, and the cost."""

from __future__ import annotations

from collections.abc import Mapping

from ...drawing.plot import Line
from ..pictures.methods import OURS, REWRITE
from . import words
from .charts import curve
from .method_table import Row, methods, tone
from .page_parts import percent, terms
from .parts import SHARES, Told
from .rows import LOCK, Json, interval, pairs
from .text_report import MEANING as TEXT_MEANING
from .text_report import table

KEYS = {"fvu_slot": "Company left", "fvu_token": "Token left", "undone": "Undone"}
"""Key of an encoder's figures → its name."""


def removal(section: Json) -> Told:
    """Tell whether what is removed stays away."""
    still = {OURS: section["still_shown"]["SupSAE"], REWRITE: section["still_shown"]["deleted"]}
    rows = {
        _named(name): [Row("", tone(name), row | ({"still": still[name]} if name in still else {}))]
        for name, row in section["rows"].items()
    }
    apart = [
        [name, percent(value)] for name, value in section["total_variation"].items() if not isinstance(value, Mapping)
    ]
    figure = methods(rows, ("still", *SHARES)) + (
        "<details><summary>Total variation between what is drawn and what is drawn without the words</summary>"
        f"{table(['Attribute', 'Total variation'], apart)}</details>"
    )
    asked = (
        "Remove a concept from the encoding. What the model draws instead is its own choice, so the picture is held "
        "against that of the same prompt with the words deleted: success is to show the same value as that one."
    )
    return Told("Removing", asked, figure, words.of_removal(section))


def _named(method: str) -> str:
    return "words deleted" if method == REWRITE else method


def strength(section: Json) -> Told:
    """Tell how the slider acts."""
    success = [interval(one) for one in section["success"]]
    read = Line("SupSAE", tuple(s.estimate for s in success), tuple((s.low, s.high) for s in success))
    lines = {
        "Change of the picture, of that at 1": Line("SupSAE", tuple(section["change"])),
        "Value asked for is read": read,
    }
    figure = "".join(curve(name, section["positions"], [(line, "edited")], "strength") for name, line in lines.items())
    asked = (
        f"Move the slider from 0 to {section['positions'][-1]:g} on {section['count']} prompts. The change is measured "
        "inside that which position 1 changes."
    )
    return Told("The slider", asked, f"<div class=curves>{figure}</div>", words.of_strength(section))


def text(section: Json) -> Told:
    """Tell what the encoders alone say."""
    rows = [
        [f"{part}, {split} pairs", *("–" if found[key] is None else f"{found[key]:.3f}" for key in KEYS)]
        for split, one in section["splits"].items()
        for part, found in one["parts"].items()
    ]
    asked = "Fresh prompts, read and decoded in the text encoders alone; no picture is needed for these."
    figure = table(["Encoder", *KEYS.values()], rows) + terms({name: TEXT_MEANING[name] for name in KEYS.values()})
    return Told("In the text encoders", asked, figure, words.of_text(section))


def artifacts(section: Json) -> Told:
    """Tell who damages pictures."""
    groups = {}
    for method, free, held in pairs(section["rows"]):
        shares = {name: row["artifacts"] for name, row in (("free", free), ("held", held)) if row}
        groups[method] = [Row("", tone(method), shares)]
    asked = "How often does a picture hold what no portrait does: noise, ghosts, a broken shape?"
    return Told("Artifacts", asked, methods(groups, ("free", "held")), words.of_artifacts(section["rows"]))


def readers(results: Json) -> Told:
    """Tell whether the readers can be trusted."""
    found, section = results["readers"], results["sections"].get("headline")
    figure = ""
    if section:
        groups = {
            name: [
                Row("first reader", tone(row["method"]), row),
                Row("second reader", tone(row["method"]), row["second_reader"]),
            ]
            for name, row in section["rows"].items()
            if name in (REWRITE, OURS, REWRITE + LOCK, OURS + LOCK)
        }
        figure = methods(groups, SHARES)
    asked = (
        "Every picture was read by two classifiers of unlike kinds, both taught on drawn portraits only, never on "
        "generated ones. Do they say the same?"
    )
    return Told("Two readers", asked, figure, words.of_readers(found))


def cost(results: Json) -> Told:
    """Tell what it took."""
    rows = [[name.replace("_", " "), f"{seconds:.0f} s"] for name, seconds in results["seconds"].items()]
    asked = f"{results['pictures']} pictures were looked at; those that an earlier run had left took no time to draw."
    return Told("Cost", asked, table(["Part", "Took"], rows), [])
