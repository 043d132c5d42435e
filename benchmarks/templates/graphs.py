"""Parts of a saved workflow: nodes, links, subgraphs, and another set of numbers for all of them."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Sequence
from typing import Any

Graph = dict[str, Any]
"""A workflow or a subgraph, as ComfyUI saves it."""
INSIDE, OUTSIDE = -10, -20
"""Where a subgraph's links come from its inputs, and go to its outputs."""
FIRST_LINK = 63200
"""Number of the first link that is added to a pattern, whose own are below."""
LONG = 10_000
"""Numbers of links from here on are inside of subgraphs."""


def node_of(graph: Graph, number: int) -> dict[str, Any]:
    """Return the node of a number."""
    return next(node for node in graph["nodes"] if node["id"] == number)


def subgraph_of(graph: Graph, number: int) -> Graph:
    """Return the inside of the node of a number."""
    kind = node_of(graph, number)["type"]
    return next(one for one in graph["definitions"]["subgraphs"] if one["id"] == kind)


def loading_graph(name: str, description: str) -> Graph:
    """Return a subgraph with nothing in it."""
    return {
        "id": name, "version": 1,
        "state": {"lastGroupId": 0, "lastNodeId": 0, "lastLinkId": FIRST_LINK - 1, "lastRerouteId": 0},
        "revision": 0, "config": {}, "name": name,
        "inputNode": {"id": INSIDE, "bounding": [-280, 0, 120, 120]},
        "outputNode": {"id": OUTSIDE, "bounding": [900, 0, 120, 100]},
        "inputs": [], "outputs": [], "widgets": [], "nodes": [], "groups": [], "links": [], "extra": {},
        "description": description,
    }  # fmt: skip


def added_node(
    graph: Graph, number: int, kind: str, values: list[Any], *, outputs: Sequence[str], of: str = ""
) -> dict[str, Any]:
    """Add a node below the others; its outputs are of the type that they are named after, or all of another."""
    top = max((node["pos"][1] + node["size"][1] for node in graph["nodes"]), default=-60) + 60
    node = {
        "id": number, "type": kind, "pos": [0, top], "size": [340, 110], "flags": {}, "order": len(graph["nodes"]),
        "mode": 0, "inputs": [], "outputs": [{"name": one, "type": of or one, "links": None} for one in outputs],
        "properties": {"Node name for S&R": kind, "cnr_id": "comfy-core"}, "widgets_values": values,
    }  # fmt: skip
    graph["nodes"].append(node)
    graph["state"]["lastNodeId"] = max(graph["state"]["lastNodeId"], number)
    return node


def added_link(graph: Graph, origin: dict[str, Any], target: dict[str, Any] | None, slot: str, kind: str) -> None:
    """Wire a node's first output to another's input, or to an output of the subgraph of that name."""
    number = _next_link(graph)
    origin["outputs"][0]["links"] = [*(origin["outputs"][0]["links"] or []), number]
    if target is None:
        at = len(graph["outputs"])
        place = [920, 20 * (at + 1)]
        graph["outputs"].append({"id": slot, "name": slot, "type": kind, "linkIds": [number], "pos": place})
        ends = {"target_id": OUTSIDE, "target_slot": at}
    else:
        target["inputs"].append({"name": slot, "type": kind, "link": number})
        ends = {"target_id": target["id"], "target_slot": len(target["inputs"]) - 1}
    graph["links"].append({"id": number, "origin_id": origin["id"], "origin_slot": 0, **ends, "type": kind})


def added_input(graph: Graph, target: dict[str, Any], slot: str, label: str) -> None:
    """Show a node's choice of a file on the node of the subgraph."""
    number, at = _next_link(graph), len(graph["inputs"])
    place = [-160, 20 * (at + 1)]
    made = {"id": slot, "name": slot, "type": "COMBO", "linkIds": [number], "pos": place, "label": label}
    graph["inputs"].append(made)
    target["inputs"].append({"name": slot, "type": "COMBO", "widget": {"name": slot}, "link": number})
    ends = {"target_id": target["id"], "target_slot": len(target["inputs"]) - 1}
    graph["links"].append({"id": number, "origin_id": INSIDE, "origin_slot": at, **ends, "type": "COMBO"})


def replaced_origin(graph: Graph, slot: dict[str, Any], target: dict[str, Any], name: str) -> None:
    """Lead the link of another node's input to this node's input of a name."""
    link = next(one for one in graph["links"] if one["id"] == slot["link"])
    widget = {"widget": {"name": name}} if "widget" in slot else {}
    target["inputs"].append({"name": name, "type": slot["type"], "link": link["id"], **widget})
    link["target_id"], link["target_slot"] = target["id"], len(target["inputs"]) - 1


def _next_link(graph: Graph) -> int:
    """Return the number of a new link: no two graphs of a workflow may have the same."""
    last = graph["state"]["lastLinkId"]
    graph["state"]["lastLinkId"] = last + 1
    return last + 1


# --- numbers -------------------------------------------------------------------------------------------------------


def renumbered(workflow: Graph, before: int, after: int, name: str) -> Graph:
    """Return a workflow whose nodes, links and ids are its own: the frontend keeps pictures by the number."""
    made = copy.deepcopy(workflow)
    subgraphs = made["definitions"]["subgraphs"]
    ids = {one["id"]: _unique(name, one["id"]) for one in subgraphs}
    made["id"] = _unique(name, made["id"])
    for graph in (made, *subgraphs):
        _renumber(graph, ids, after - before)
    for one in subgraphs:
        one["id"] = ids[one["id"]]
        for slot in (*one["inputs"], *one["outputs"]):
            slot["id"] = _unique(name, one["id"], slot["id"])
    asked = made["extra"]["linearData"]
    asked["inputs"] = [[number + after - before, *rest] for number, *rest in asked["inputs"]]
    asked["outputs"] = [number + after - before for number in asked["outputs"]]
    made["last_node_id"] = max(node["id"] for graph in (made, *subgraphs) for node in graph["nodes"])
    made["last_link_id"] = max(one["state"]["lastLinkId"] for one in subgraphs)
    return made


def _renumber(graph: Graph, ids: dict[str, str], by: int) -> None:
    for node in graph["nodes"]:
        node["id"] += by
        node["type"] = ids.get(node["type"], node["type"])
        for slot in node["inputs"]:
            slot["link"] = _link(slot["link"], by)
        for slot in node["outputs"]:
            slot["links"] = slot["links"] and [_link(one, by) for one in slot["links"]]
    graph["links"] = [_moved(one, by) for one in graph["links"]]
    if "state" in graph:
        for slot in (*graph["inputs"], *graph["outputs"]):
            slot["linkIds"] = [_link(one, by) for one in slot["linkIds"]]
        graph["state"]["lastNodeId"] = max(node["id"] for node in graph["nodes"])
        graph["state"]["lastLinkId"] = max(one["id"] for one in graph["links"])


def _moved(link: Any, by: int) -> Any:
    """Return a link of a workflow (a list) or of a subgraph (an object) with other numbers."""
    if isinstance(link, dict):
        ends = {key: link[key] + by if link[key] > 0 else link[key] for key in ("origin_id", "target_id")}
        return {**link, "id": _link(link["id"], by), **ends}
    number, origin, slot, target, *rest = link
    return [_link(number, by), origin + by, slot, target + by, *rest]


def _link(number: int | None, by: int) -> int | None:
    """Move a link's number as far as nodes are moved, or a hundred times as far inside of subgraphs."""
    return number and number + by * (100 if number >= LONG else 1)


def _unique(*names: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(("supsae", *names))))
