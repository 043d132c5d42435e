"""What a combined dictionary says of its members: where they come from, and what was measured of their concepts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .joint import prompts
from .model import Dictionary
from .slider_map import SliderMap
from .unite import Spelled

COMBINED = "combined"
"""Member of a dictionary's provenance: that of each it was combined from, and its categories."""


def provenance_of(members: Sequence[Spelled]) -> dict[str, Any]:
    """Return where the whole comes from: the leader's encoders and picture size, everybody's prompts and licences."""
    lead, own = members[0].dictionary.provenance, [one.dictionary.provenance for one in members]
    held_out = [_spelled_pair(pair, one) for one in members for pair in one.dictionary.provenance.get("held_out", ())]
    licences = dict.fromkeys(str(one["licence"]) for one in own if one.get("licence"))
    kept = {key: lead[key] for key in ("fingerprint", "sampling", "seed", "length_policy", "tool") if key in lead}
    categories = [[*one.dictionary.table.categories] for one in members]
    return {
        **kept,
        "prompts": sum(prompts(one.dictionary) for one in members),
        "held_out": [pair for pair in held_out if pair],
        "licence": "; ".join(licences),
        COMBINED: [{**said, "categories": known} for said, known in zip(own, categories, strict=True)],
    }


def _spelled_pair(pair: Sequence[str], one: Spelled) -> list[str]:
    names = dict(zip(map(str, one.dictionary.table.concepts), one.names, strict=True))
    found = [names.get(str(name)) for name in pair]
    return [name for name in found if name is not None] if all(found) else []


def report_of(made: Dictionary) -> dict[str, Any]:
    """Return what was measured of the members, under the whole's names: found again as in the worst of them."""
    reports, concepts = [one.dictionary.report for one in made.members], made.table.concepts
    found: dict[str, Any] = {}
    for key in ("poorly_learnt", "never_captured"):
        if any(key in report for report in reports):
            found[key] = [str(concepts[index]) for index in range(len(concepts)) if _is_listed(made, index, key)]
    if all("locate" in report for report in reports):
        found["locate"] = min(float(report["locate"]) for report in reports)
    edits = [report["edits"] for report in reports if "edits" in report]
    if edits:
        count = sum(one.get("count", 0) for one in edits)
        took = sum(one.get("took", 0) * one.get("count", 0) for one in edits)
        found["edits"] = {"count": count, "took": took / count if count else 0.0}
    return found


def _is_listed(made: Dictionary, concept: int, key: str) -> bool:
    owner = made.owner(concept)
    name = str(owner.dictionary.table.concepts[owner.own_concept[concept]])
    return name in owner.dictionary.report.get(key, ())


def sliders_of(made: Dictionary, *some: Dictionary) -> dict[str, SliderMap]:
    """Return the slider maps of the whole: those of its members, and what was calibrated since they were combined."""
    found = dict(made.sliders)
    for whole in (one for one in some if one.members):
        own = [id(member.dictionary) for member in whole.members]
        for name, slider in whole.sliders.items():
            known = [index for index, concept in enumerate(made.table.concepts) if str(concept) == name]
            if known and id(made.owner(known[0]).dictionary) in own:
                found[name] = slider
    return found


def combined_from(provenance: Mapping[str, Any]) -> list[str]:
    """Return the categories of each dictionary that one was combined from, as far as its file says so."""
    some = [one.get("categories") for one in combined_of(provenance)]
    return [", ".join(map(str, one)) for one in some if isinstance(one, list)]


def combined_of(provenance: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return where each dictionary comes from that one was combined from; nothing of one that was not."""
    found = provenance.get(COMBINED)
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []
