"""What a panel lists of a dictionary, as plain JSON: categories, concepts, warnings, and how far sliders are safe."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from ..table.concepts import Concept
from .file import Header
from .model import Dictionary
from .unite import as_said


def concept_list(source: Dictionary | Header) -> dict[str, Any]:
    """Describe a dictionary, or a file's header alone.

    Returns:
        ``{"categories": [{"name", "identified", "concepts": [{"name", "says", "warning"}]}], "safe": [low, high]}``;
        what a concept says is the phrase that an edit writes, a warning is empty or a sentence. One that was calibrated
        has a "safe" of its own. From a header it cannot tell the gain that was measured: tensors hold it.
    """
    warnings, categories = dict(_warnings(source)), []
    for (name, members), identified in zip(source.table.categories.items(), source.identified, strict=False):
        concepts = [_shown(source, source.table.concepts[i], warnings.get(i, "")) for i in members]
        categories.append({"name": name, "identified": bool(identified), "concepts": concepts})
    return {"categories": categories, "safe": list(safe(source))}


def _shown(source: Dictionary | Header, concept: Concept, warning: str) -> dict[str, Any]:
    own = source.sliders.get(str(concept))
    ends = {"safe": [own.low, own.high]} if own else {}
    says = as_said(concept.phrases[0]) if source.members else concept.phrases[0]
    return {"name": concept.name, "says": says, "warning": warning, **ends}


def safe(source: Dictionary | Header) -> tuple[float, float]:
    """Return the slider positions between which the strength is calibrated: no edit … what writing the word does.

    Both ends are measured: strength 0 is the unedited prompt, and gains are fitted at strength 1. So are the pictures
    that the map in between is made from. Below and beyond, the map is only continued, and nothing was measured.
    """
    knots = [(0.0, 0.0), *source.slider]
    for (s0, a0), (s1, a1) in pairwise(knots):
        if a1 >= 1 > a0:
            return 0.0, s0 + (1 - a0) * (s1 - s0) / (a1 - a0)
    return 0.0, 1.0


def _warnings(source: Dictionary | Header) -> Iterator[tuple[int, str]]:
    """Yield the concepts (by index) that fitting complained about, and what an artist should know."""
    poorly, never = (_listed(source, key) for key in ("poorly_learnt", "never_captured"))
    for index, concept in enumerate(source.table.concepts):
        if str(concept) in never:
            yield index, "No captured prompt says this, so it cannot be written. Capture more prompts and fit again."
        elif str(concept) in poorly:
            known = isinstance(source, Dictionary)
            measured = f" (its gain was measured as {gain(source, index):.2f})" if known else ""
            yield (
                index,
                f"Learnt poorly{measured}: at strength 1 it may do less or more than the words would, or change other "
                "things too. Try other strengths, or capture more prompts and fit again.",
            )


def _listed(source: Dictionary | Header, key: str) -> list[str]:
    """Return a list of the report; files come from strangers, and other tools may write other things there."""
    found = source.report.get(key)
    return found if isinstance(found, list) else []


def gain(dictionary: Dictionary, concept: int) -> float:
    """Return the calibration of a concept, the mean of all parts; 1 is an edit that needed none."""
    gains = [float(part.gains[concept]) for part in dictionary.parts.values()]
    return sum(gains) / len(gains)
