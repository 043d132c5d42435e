"""The text that a conditioning was encoded from, as the workflow says it, and where its words stand."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeGuard

import comfy.sd1_clip

from ...supsae_core.encoders.base import Family
from ...supsae_core.reading.known_text import KnownText
from ...supsae_core.reading.readout import MOST_ROWS
from ...supsae_core.table.concepts import MARKS
from ...supsae_core.workflow_prompt import TEXTS
from .conditionings import EDITED, Conditioning, Taught
from .tokenizers import WordCounts, bare_words, counts_of, glues, weighs

DEEP = 16
"""Nodes that are gone through at most."""


def text_behind(graph: Mapping[str, Any], node: str, name: str = "conditioning") -> str | None:
    """Return the text of a conditioning that goes into a node's input; None where there is none, or more than one.

    Args:
        graph: the workflow as ComfyUI runs it, id → {"inputs": name → value or [id, output]}.
    """
    for _ in range(DEEP):
        link = _inputs(graph, node).get(name)
        if not _is_link(link):
            return None
        node, inputs = str(link[0]), _inputs(graph, str(link[0]))
        said = {_typed(graph, inputs[one]) for one in TEXTS if one in inputs}
        if said:
            return said.pop() if len(said) == 1 else None
        name = "conditioning"
    return None


def _typed(graph: Mapping[str, Any], value: object) -> str | None:
    """Return a text, or that of the node it is linked to."""
    for _ in range(DEEP):
        if isinstance(value, str):
            return value
        if not _is_link(value):
            return None
        inputs = _inputs(graph, str(value[0]))
        own = [inputs[one] for one in TEXTS if one in inputs]
        value = own[0] if len(own) == 1 else None
    return None


def _inputs(graph: Mapping[str, Any], node: str) -> Mapping[str, Any]:
    found = graph.get(node)
    inputs = found.get("inputs") if isinstance(found, Mapping) else None
    return inputs if isinstance(inputs, Mapping) else {}


def _is_link(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list) and len(value) == 2


def taught_text(family: Family, conditioning: Conditioning, text: str | None) -> Taught | None:
    """Return what a text tells a reader of its rows; None where it is not known, or the rows were edited since."""
    if text is None or any(EDITED in extra for _, extra in conditioning):
        return None
    known = known_text(family, text)
    return None if known is None else Taught({}, {}, known)


def known_text(family: Family, text: str) -> KnownText | None:
    """Return a text word by word, without ComfyUI's weights.

    None where this ComfyUI has no tokenizers of the family, or where the words do not add up to the text: it is a
    template of one's own, or ends in blanks.
    """
    words = counts_of(family)
    if words is None:
        return None
    parts = [(comfy.sd1_clip.escape_important(text), 1.0)]
    if weighs(family.name):
        parts = comfy.sd1_clip.token_weights(parts[0][0], 1.0)
    parts = [(comfy.sd1_clip.unescape_important(part), weight) for part, weight in parts]
    said = "".join(part for part, _ in parts)
    if len(said.split()) > MOST_ROWS:  # of which the rows are not read either
        return None
    counts, marks = _by_parts(words, [part for part, _ in parts if part])
    total = [words.total(part) for part, _ in parts]
    for name, some in counts.items():
        if sum(some) != sum(one[name] for one in total) or min(some, default=0) < 0:
            return None
    bare = bare_words(said) if glues(family.name) else frozenset[int]()
    weights = () if family.weighted else _weights(parts)
    return KnownText(tuple(said.split()), counts, bare, weights, marks)


def _by_parts(words: WordCounts, parts: Sequence[str]) -> tuple[dict[str, tuple[int, ...]], dict[str, dict[int, int]]]:
    """Return the tokens of every word, and of the marks behind those that a weight parts from their marks.

    ComfyUI spells what a weight is for, and what stands behind it, by themselves: T5's comma then has a blank's token.
    """
    found: dict[str, list[int]] = {name: [] for name in words.of_text("")}
    marks = defaultdict[str, dict[int, int]](dict)
    for before, part in pairwise(["", *parts]):
        joined = bool(before) and not before[-1].isspace() and not part[0].isspace()
        for name, some in words.of_text(part).items():
            counts = list(some)
            if joined and counts:
                if not part.split()[0].strip(MARKS):
                    marks[name][len(found[name]) - 1] = counts[0]
                found[name][-1] += counts.pop(0)
            found[name] += counts
    return {name: tuple(some) for name, some in found.items()}, dict(marks)


def _weights(parts: Sequence[tuple[str, float]]) -> tuple[float, ...]:
    """Return the weight of every word of a text, that of its first letter; nothing if all are 1."""
    letters = [weight for part, weight in parts for _ in part]
    found = tuple(letters[word.start()] for word in re.finditer(r"\S+", "".join(part for part, _ in parts)))
    return found if any(weight != 1 for weight in found) else ()
