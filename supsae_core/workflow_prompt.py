"""The positive prompt that a picture was made from, as programs write it beside the picture.

ComfyUI writes the graph that it ran, id → {"class_type", "inputs": name → value or [id, output]}, and the workflow as
its page has it; AUTOMATIC1111's page and its kin write a text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from .words import folded

TEXTS = ("text", "prompt", "string", "value", "clip_l", "clip_g", "t5xxl")
"""Inputs that hold a prompt's text: of nodes that encode it, and of those that a text is typed into."""
DEEP = 64
"""Nodes that are gone through at most on the way to a text."""
MOST_NODES = 20_000
"""Nodes of a workflow."""
GRAPH, PAGE, PARAMETERS = "prompt", "workflow", "parameters"
"""Keywords under which pictures hold them."""
ENDS = re.compile(r"^(?:Negative prompt:|Steps: \d+)", re.M)
"""How the positive prompt ends in AUTOMATIC1111's text."""

NOT_SAID = re.compile(r"<[^<>]+:[^<>]*>|\bembedding:\S+|\bBREAK\b|:\s*[-+]?[\d.]+\s*(?=[)\]])|(?<!\\)[()\[\]]")
"""Tags, embeddings, weights and the brackets around them: what no text encoder sees as words."""


def bare(text: str) -> str:
    """Return the words of a prompt alone, as a text encoder without weights reads them."""
    return folded(re.sub(r"\\([()\[\]])", r"\1", NOT_SAID.sub(" ", text))).replace(" ,", ",")


def prompt_of(texts: Mapping[str, str]) -> str | None:
    """Return the positive prompt of a picture; None if none of its texts says one.

    Args:
        texts: keyword → text, as ``png_text.read_texts`` returns them.
    """
    for keyword, graph_of in ((GRAPH, lambda said: said), (PAGE, graph_of_page)):
        said = _json(texts.get(keyword, ""))
        found = positive(graph_of(said)) if isinstance(said, dict) else None
        if found:
            return found
    parameters = texts.get(PARAMETERS, "")
    end = ENDS.search(parameters)
    # without its settings it is anybody's text of that name
    return parameters[: end.start()].strip() or None if end else None


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def positive(graph: Mapping[str, Any]) -> str | None:
    """Return what the positive conditionings of a graph were encoded from, joined if there are several texts."""
    if len(graph) > MOST_NODES:
        return None
    ends = [(node, "positive") for node in graph if "positive" in _inputs(graph, node)]
    # a guider without a negative prompt
    ends = ends or [(node, "conditioning") for node in graph if "Guider" in str(_kind(graph, node))]
    texts = dict.fromkeys(text for node, name in ends for text in _texts_behind(graph, node, name))
    return ", ".join(text for text in texts if text) or None


def _texts_behind(graph: Mapping[str, Any], node: str, name: str) -> Iterator[str]:
    """Yield the texts that a conditioning comes from, in the order in which nodes are met."""
    seen, waiting = set[str](), [_source(_inputs(graph, node).get(name))]
    while waiting and len(seen) < DEEP:
        here = waiting.pop(0)
        if here is None or here in seen:
            continue
        seen.add(here)
        inputs = _inputs(graph, here)
        own = [text for one in TEXTS if one in inputs and (text := _typed(graph, inputs[one])) is not None]
        yield from (text.strip() for text in own)
        if not own:
            waiting += [_source(one) for key, one in inputs.items() if key.startswith(("conditioning", "positive"))]


def _typed(graph: Mapping[str, Any], value: object) -> str | None:
    """Return a text, or that of the node it is linked to; None where that makes it of several."""
    for _ in range(DEEP):
        if isinstance(value, str):
            return value
        inputs = _inputs(graph, _source(value))
        own = [inputs[one] for one in TEXTS if one in inputs]
        if len(own) != 1:
            return None
        value = own[0]
    return None


def _inputs(graph: Mapping[str, Any], node: str | None) -> Mapping[str, Any]:
    found = None if node is None else graph.get(node)
    inputs = found.get("inputs") if isinstance(found, Mapping) else None
    return inputs if isinstance(inputs, Mapping) else {}


def _kind(graph: Mapping[str, Any], node: str) -> object:
    found = graph[node]
    return found.get("class_type") if isinstance(found, Mapping) else None


def _source(value: object) -> str | None:
    """Return the node that a link comes from; None for what is no link."""
    return str(value[0]) if isinstance(value, list) and len(value) == 2 else None


def graph_of_page(page: Mapping[str, Any]) -> dict[str, Any]:
    """Return a workflow of ComfyUI's page as a graph: its links, and the first text that each node's widgets hold.

    Widgets have no names there. What lies in subgraphs is not gone into.
    """
    nodes, links = page.get("nodes"), page.get("links")
    if not isinstance(nodes, list) or not isinstance(links, list) or len(nodes) > MOST_NODES:
        return {}
    origins = {one[0]: one[1] for one in links if isinstance(one, list) and len(one) > 2 and _is_id(one[0])}
    named = (one for one in nodes if isinstance(one, dict) and _is_id(one.get("id")))
    return {str(one["id"]): {"class_type": one.get("type"), "inputs": _page_inputs(one, origins)} for one in named}


def _page_inputs(node: Mapping[str, Any], origins: Mapping[Any, Any]) -> dict[str, Any]:
    slots, values = node.get("inputs"), node.get("widgets_values")
    inputs = dict[str, Any]()
    for slot in slots if isinstance(slots, list) else ():
        link = slot.get("link") if isinstance(slot, dict) else None
        if _is_id(link) and link in origins and isinstance(slot.get("name"), str):
            inputs[slot["name"]] = [origins[link], 0]
    texts = [one for one in values if isinstance(one, str)] if isinstance(values, list) else []
    encodes = "Encode" in str(node.get("type")) or "String" in str(node.get("type"))
    if texts and encodes and not inputs.keys() & {*TEXTS}:
        inputs[TEXTS[0]] = texts[0]
    return inputs


def _is_id(one: object) -> bool:
    return isinstance(one, (int, str))
