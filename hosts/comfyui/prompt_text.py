"""The text that a conditioning was encoded from, as the workflow says it, and where its words stand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

import comfy.sd1_clip

from ...supsae_core.encoders.base import Family
from ...supsae_core.reading.known_text import KnownText
from ...supsae_core.reading.readout import MOST_ROWS
from ...supsae_core.workflow_prompt import TEXTS
from .conditionings import EDITED, Conditioning, Taught
from .tokenizers import bare_words, counts_of, glues, weighs

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
    said = comfy.sd1_clip.escape_important(text)
    if weighs(family.name):
        said = "".join(part for part, _ in comfy.sd1_clip.token_weights(said, 1.0))
    said = comfy.sd1_clip.unescape_important(said)
    if len(said.split()) > MOST_ROWS:  # of which the rows are not read either
        return None
    counts = words.of_text(said)
    total = words.total(said)
    if any(sum(some) != total[name] or min(some, default=0) < 0 for name, some in counts.items()):
        return None
    bare = bare_words(said) if glues(family.name) else frozenset[int]()
    return KnownText(tuple(said.split()), counts, bare)
