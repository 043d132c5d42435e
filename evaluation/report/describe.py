"""What a fitted dictionary is worth, in sentences: the report of the Fit node and of the command line."""

from collections.abc import Iterator, Mapping
from typing import Any

from ...supsae_core.dictionary.inherited import combined_from
from ...supsae_core.dictionary.light import is_light
from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.dictionary.shipped import told_of_shipped
from ...training.calibration import GAIN_RANGE

LIGHT_FORM = (
    "A light form: its edits are less exact than the whole file's, whose figures these are. Get that file for the full "
    "dictionary."
)


def describe(dictionary: Dictionary) -> str:
    """Return the report of a dictionary, a few lines of plain text; what its file does not say is left out."""
    makers = (_origin, _errors, _edits, _streams, _reading, _limits)
    blocks = [list(maker(dictionary)) for maker in makers]
    return "\n\n".join("\n".join(lines) for lines in blocks if lines)


def _origin(dictionary: Dictionary) -> Iterator[str]:
    table, known = dictionary.table, dictionary.provenance
    yield f"{len(table)} concepts in {len(table.categories)} categories, format {dictionary.family.name!r}"
    if "prompts" in known:
        pairs = len(known.get("held_out", ()))
        seed = known.get("seed", 0)
        kept = f"seed {seed}, {pairs} pairs of concepts never written together" if pairs else f"seed {seed}"
        yield f"learnt from {known['prompts']} prompts ({kept})"
    if apart := combined_from(known):
        yield f"combined of dictionaries: {'; '.join(apart)}"
    if is_light(known):
        yield LIGHT_FORM
    yield from told_of_shipped(known)
    if "fit_seconds" in dictionary.report:
        yield f"fitted in {dictionary.report['fit_seconds']:.1f} s"


def _errors(dictionary: Dictionary) -> Iterator[str]:
    parts = dictionary.report.get("parts", {})
    if not parts:
        return
    yield "Held-out error, fvu: 0 is perfect, 1 knows nothing"
    names = max(len(name) for name in parts)
    for name, measured in parts.items():
        yield f"  {name:<{names}}  " + ", ".join(_part(measured))


def _edits(dictionary: Dictionary) -> Iterator[str]:
    report = {name: one for name, one in dictionary.report.get("operators", {}).items() if "chosen" in one}
    if not report or is_light(dictionary.provenance):  # it has another operator
        return
    yield "Edits by what was least wrong in pairs kept aside (docs/method.md, 20); errors as shares of the worst:"
    for name, one in report.items():
        for side, what in (("phrase", "its words"), ("rest", "all else")):
            ranked = sorted(one[side].items(), key=lambda pair: pair[1])
            yield f"  {name}, {what}: " + ", ".join(f"{way} {error:.2f}" for way, error in ranked)


def _streams(dictionary: Dictionary) -> Iterator[str]:
    report = dictionary.report.get("streams", {})
    if not report:
        return
    yield f"Inside the model, at noise levels {', '.join(f'{one:.2f}' for one in dictionary.centres)}:"
    names = max(len(name) for name in report)
    for name, levels in report.items():
        left = ", ".join(f"{level['fvu_slot']:.2f}" for level in levels)
        alike = ", ".join(f"{level['agreement']:.2f}" for level in levels)
        yield f"  {name:<{names}}  context leaves {left}; a swap and its word agree by {alike}"


def _part(measured: Mapping[str, Any]) -> Iterator[str]:
    if "fvu_token" in measured:
        constant = measured.get("fvu_token_constant")
        aside = "" if constant is None else f" (one constant a phrase: {constant:.3f})"
        yield f"{measured['fvu_token']:.3f} of a token{aside}"
    if "fvu_slot" in measured:
        yield f"{measured['fvu_slot']:.3f} of what its context does to it"
    if "rank" in measured:
        yield f"rank {measured['rank']:.0f}"


RATES = {
    "plain": "found in plain prompts",
    "sharing": "beside other things in the table's words",
    "false": "read where it is not said",
}
"""What the report measured of reading → how it is said."""
WORST = 5
"""Concepts that are told of those that are missed at times."""
SELDOM = 0.5
"""Share of a concept's mentions found again below which an edit is told to miss it."""


def _reading(dictionary: Dictionary) -> Iterator[str]:
    report = dictionary.report
    if "locate" in report:
        yield f"Found again in prompts kept aside, concept and exact words: {report['locate']:.1%}"
    if rates := report.get("reading"):
        told = ", ".join(f"{RATES[name]} {share:.1%}" for name, share in rates.items() if name in RATES)
        yield f"What is read: {told}"
    if missed := report.get("found"):
        worst = ", ".join(f"{name} {share:.0%}" for name, share in list(missed.items())[:WORST])
        yield f"Found least often: {worst}"
    if report.get("calibration"):
        gains = ", ".join(
            f"{name} {one['mean']:.2f} ± {one['spread']:.2f}" for name, one in report["calibration"].items()
        )
        yield f"Calibration, what strength 1 is multiplied by to equal writing the word: {gains}"
    if "poorly_learnt" in report:
        low, high = GAIN_RANGE
        poorly = ", ".join(report["poorly_learnt"])
        yield f"Poorly learnt (calibration outside {low:g} … {high:g}): {poorly or 'nothing'}"


def _limits(dictionary: Dictionary) -> Iterator[str]:
    categories = zip(dictionary.table.categories, dictionary.identified, strict=True)
    unknown = [name for name, identified in categories if not identified]
    never = dictionary.report.get("never_captured", ())
    if unknown:
        yield (
            f"Not identified: adding and removing in {', '.join(unknown)}. Every captured prompt mentions these "
            "categories, so what leaving them out does was never seen. Swapping works; for the rest capture again with "
            "a lower mention rate."
        )
    if never:
        yield f"Not identified: {', '.join(never)}. No captured prompt wrote the first phrase. Capture more prompts."
    seldom = [name for name, share in dictionary.report.get("found", {}).items() if share < SELDOM]
    if seldom:
        yield (
            f"Seldom found again: {', '.join(seldom)}. Where a prompt says one of them, an edit may add beside it "
            "instead of replacing it. Give such a concept words of its own ('red hair' rather than 'red'), or capture "
            "more prompts."
        )
    if not unknown and not never:
        yield "Everything is identified: every concept can be swapped, added, removed and scaled."
