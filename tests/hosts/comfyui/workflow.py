"""Reads saved workflows as the frontend does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

NOT_SENT = {"MarkdownNote", "Note"}  # drawn by the frontend only
CHOICE = "COMFY_DYNAMICCOMBO_V3"  # a combo whose options bring inputs of their own
WIDGETS = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO", CHOICE}
OUTSIDE = {-10, -20}  # where the links of a subgraph that come from its inputs and go to its outputs begin and end

Info = Mapping[str, Any]
"""What /object_info says: node id → schema."""


class Link(NamedTuple):
    number: int
    origin: int
    origin_slot: int
    target: int
    target_slot: int
    type: str


class Widget(NamedTuple):
    name: str
    kind: str
    options: Mapping[str, Any]
    value: Any


def links(graph: Mapping[str, Any]) -> list[Link]:
    """Return the links of a workflow (lists) or of a subgraph (objects)."""
    keys = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
    return [Link(*(link[key] for key in keys)) if isinstance(link, dict) else Link(*link) for link in graph["links"]]


def schema_inputs(inputs: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield (name, type, options) in the order of a schema; an old combo's options come as its type."""
    for kind in ("required", "optional"):
        for name, (of, *rest) in inputs.get(kind, {}).items():
            options = rest[0] if rest else {}
            if isinstance(of, list):
                yield prefix + name, "COMBO", {**options, "options": of}
            else:
                yield prefix + name, of, options


def all_inputs(schema: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the options of all inputs, those of every choice as well: name → options."""
    return {name: options for name, _, options in _with_choices(schema["input"], lambda name: None)}


def choice_name(choice: Any) -> str:
    """Return what a combo shows for one of its options."""
    return choice["key"] if isinstance(choice, dict) else choice


def _with_choices(
    inputs: Mapping[str, Any], chosen: Callable[[str], str | None], prefix: str = ""
) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield inputs, and behind each choice those that it brings; of all its options if none is said to be chosen."""
    for one in schema_inputs(inputs, prefix):
        yield one
        name, kind, options = one
        for option in options["options"] if kind == CHOICE else ():
            if chosen(name) in (None, option["key"]):
                yield from _with_choices(option["inputs"], chosen, f"{name}.")


def widgets(node: Mapping[str, Any], schema: Mapping[str, Any]) -> list[Widget]:
    """Name the widget values of a node, which a workflow stores by position.

    Raises:
        ValueError: if there are too few or too many, or a seed would change after a run.
    """
    values, found = iter(node["widgets_values"]), []
    try:
        for name, kind, options in _with_choices(schema["input"], lambda name: chosen_in(found, name)):
            if kind not in WIDGETS:
                continue
            found.append(Widget(name, kind, options, next(values)))
            if options.get("control_after_generate", name in ("seed", "noise_seed")) and next(values) != "fixed":
                raise ValueError(f"{name} would change with every run")
    except StopIteration:
        raise ValueError(f"has {len(node['widgets_values'])} values, too few") from None
    if left := list(values):
        raise ValueError(f"has values that belong to no widget: {left}")
    return found


def chosen_in(found: Sequence[Widget], name: str) -> str | None:
    """Return the choice that was made, None before it is known."""
    return next((one.value for one in found if one.name == name), None)


class _Level(NamedTuple):
    """A graph, and the node of another that it is the inside of."""

    graph: Mapping[str, Any]
    definitions: Mapping[str, Mapping[str, Any]]
    prefix: str = ""
    around: Any = None
    node: Mapping[str, Any] | None = None

    def inside(self, node: Mapping[str, Any]) -> _Level | None:
        """Return the inside of a node, None if it is no subgraph's."""
        graph = self.definitions.get(node["type"])
        return graph and _Level(graph, self.definitions, f"{self.prefix}{node['id']}:", self, node)

    def origin(self, number: int) -> list[Any] | None:
        """Return the node and the output that a link begins at, through subgraphs; None if it comes from nowhere."""
        link = next(one for one in links(self.graph) if one.number == number)
        if link.origin == -10:
            outer = self.node["inputs"][link.origin_slot]["link"] if self.node else None
            return None if outer is None else self.around.origin(outer)
        node = next(one for one in self.graph["nodes"] if one["id"] == link.origin)
        inner = self.inside(node)
        if inner is None:
            return [f"{self.prefix}{link.origin}", link.origin_slot]
        outward = [one for one in links(inner.graph) if one.target == -20 and one.target_slot == link.origin_slot]
        return inner.origin(outward[0].number)


def to_api(graph: Mapping[str, Any], info: Info) -> dict[str, Any]:
    """Turn a saved workflow into what the frontend posts: widget values by position become inputs by name.

    Nodes in subgraphs get the ids of both, such as ``3:7``; of one that stands alone links from outside are left out.
    """
    known = {one["id"]: one for one in graph.get("definitions", {}).get("subgraphs", [])}
    return dict(_posted(_Level(graph, known), info))


def _posted(level: _Level, info: Info) -> Iterator[tuple[str, Any]]:
    for node in level.graph["nodes"]:
        if inner := level.inside(node):
            yield from _posted(inner, info)
        elif node["type"] not in NOT_SENT:
            found = {one["name"]: level.origin(one["link"]) for one in node["inputs"] if one["link"] is not None}
            linked = {name: origin for name, origin in found.items() if origin is not None}
            inputs = {widget.name: widget.value for widget in widgets(node, info[node["type"]])} | linked
            yield f"{level.prefix}{node['id']}", {"class_type": node["type"], "inputs": inputs}


def strange_slots(graph: Mapping[str, Any], info: Info) -> list[str]:
    """List the slots of other names than a schema's; ComfyUI draws those, and leaves their links out."""
    strange = []
    for node in graph["nodes"]:
        if schema := info.get(node["type"]):
            made = schema["output_name"][: len(node["outputs"])]  # an older ComfyUI gives some nodes fewer
            strange += sorted({one["name"] for one in node["inputs"]} - set(all_inputs(schema)))
            strange += sorted({one["name"] for one in node["outputs"]} - set(made))
    return strange
