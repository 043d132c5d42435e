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


def to_api(graph: Mapping[str, Any], info: Info) -> dict[str, Any]:
    """Turn a saved workflow into what the frontend posts: widget values by position become inputs by name.

    Links from the outside of a subgraph are left out.
    """
    origin = {link.number: [str(link.origin), link.origin_slot] for link in links(graph) if link.origin not in OUTSIDE}
    prompt = {}
    for node in graph["nodes"]:
        if node["type"] in NOT_SENT:
            continue
        linked = {one["name"]: origin[one["link"]] for one in node["inputs"] if one["link"] in origin}
        inputs = {widget.name: widget.value for widget in widgets(node, info[node["type"]])} | linked
        prompt[str(node["id"])] = {"class_type": node["type"], "inputs": inputs}
    return prompt


def strange_slots(graph: Mapping[str, Any], info: Info) -> list[str]:
    """List the slots of other names than a schema's; ComfyUI draws those, and leaves their links out."""
    strange = []
    for node in graph["nodes"]:
        if schema := info.get(node["type"]):
            made = schema["output_name"][: len(node["outputs"])]  # an older ComfyUI gives some nodes fewer
            strange += sorted({one["name"] for one in node["inputs"]} - set(all_inputs(schema)))
            strange += sorted({one["name"] for one in node["outputs"]} - set(made))
    return strange
