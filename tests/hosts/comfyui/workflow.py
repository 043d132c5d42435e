"""Reads saved workflows as the frontend does, and finds what is wrong with one without running it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from itertools import chain
from typing import Any, NamedTuple

NOT_SENT = {"MarkdownNote", "Note"}  # drawn by the frontend only
CHOICE = "COMFY_DYNAMICCOMBO_V3"  # a combo whose options bring inputs of their own
WIDGETS = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO", CHOICE}
CONTROL = {"fixed", "increment", "decrement", "randomize"}  # what a seed does after a run
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


def schema_inputs(inputs: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str, Mapping[str, Any], bool]]:
    """Yield (name, type, options, required) in the order of a schema; an old combo's options come as its type."""
    for kind in ("required", "optional"):
        for name, (of, *rest) in inputs.get(kind, {}).items():
            options = rest[0] if rest else {}
            if isinstance(of, list):
                yield prefix + name, "COMBO", {**options, "options": of}, kind == "required"
            else:
                yield prefix + name, of, options, kind == "required"


def all_inputs(schema: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the options of all inputs, those of every choice as well: name → options."""
    return {name: options for name, _, options, _ in _with_choices(schema["input"], lambda name: None)}


def choice_name(choice: Any) -> str:
    """Return what a combo shows for one of its options."""
    return choice["key"] if isinstance(choice, dict) else choice


def _with_choices(
    inputs: Mapping[str, Any], chosen: Callable[[str], str | None], prefix: str = ""
) -> Iterator[tuple[str, str, Mapping[str, Any], bool]]:
    """Yield inputs, and behind each choice those that it brings; of all its options if none is said to be chosen."""
    for one in schema_inputs(inputs, prefix):
        yield one
        name, kind, options, _ = one
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
        for name, kind, options, _ in _with_choices(schema["input"], lambda name: chosen_in(found, name)):
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


def faults(graph: Mapping[str, Any], info: Info, *, not_here: Set[tuple[str, str]] = frozenset()) -> list[str]:
    """List what is wrong with a workflow or a subgraph, one sentence each.

    Args:
        graph: as it is saved.
        info: what the server knows.
        not_here: (node id, input) whose file may be missing on this machine.
    """
    known = {node["id"]: node for node in graph["nodes"]}
    doubled = [f"node {number} is there twice" for number in _twice(node["id"] for node in graph["nodes"])]
    doubled += [f"link {number} is there twice" for number in _twice(link.number for link in links(graph))]
    wires = {link.number: link for link in links(graph)}
    wrong = [fault for link in wires.values() for fault in _link_faults(link, known)]
    for node in graph["nodes"]:
        title = f"{node['type']} {node['id']}"
        if node["type"] in NOT_SENT:
            continue
        if node["type"] not in info:
            wrong.append(f"{title}: no such node")
            continue
        schema = info[node["type"]]
        found = chain(_slot_faults(node, schema, wires), _value_faults(node, schema, not_here))
        wrong += [f"{title}: {fault}" for fault in found]
    return doubled + wrong


def _twice(numbers: Iterator[int]) -> list[int]:
    seen = list(numbers)
    return sorted({number for number in seen if seen.count(number) > 1})


def _link_faults(link: Link, nodes: Mapping[int, Any]) -> Iterator[str]:
    ends = (
        ("origin", link.origin, link.origin_slot, "outputs"),
        ("target", link.target, link.target_slot, "inputs"),
    )
    for end, number, slot, side in ends:
        if number in OUTSIDE:
            continue
        slots = nodes[number][side] if number in nodes else []
        if slot >= len(slots):
            yield f"link {link.number}: its {end} {number}, slot {slot}, is not there"
            continue
        one = slots[slot]
        held = one["links"] or [] if side == "outputs" else [one["link"]]
        if link.number not in held:
            yield f"link {link.number}: its {end} {number} does not know it"
        if not _fits(link.type, one["type"]):
            yield f"link {link.number}: is {link.type}, its {end} {number} is {one['type']}"


def _fits(a: str, b: str) -> bool:
    return "*" in (a, b) or bool(set(a.split(",")) & set(b.split(",")))


def _slot_faults(node: Mapping[str, Any], schema: Mapping[str, Any], wires: Mapping[int, Link]) -> Iterator[str]:
    try:
        found = widgets(node, schema)
    except ValueError:  # told by ``_value_faults``
        found = []
    inputs = _with_choices(schema["input"], lambda name: chosen_in(found, name))
    wanted = {name: (kind, required) for name, kind, _, required in inputs}
    slots = {one["name"]: one for one in node["inputs"]}
    for name, one in slots.items():
        if name not in wanted:
            yield f"no input {name}"
        elif not _fits(one["type"], wanted[name][0]):
            yield f"input {name} is {one['type']}, not {wanted[name][0]}"
        if one["link"] is not None and one["link"] not in wires:
            yield f"input {name} has a link {one['link']} that is not there"
    for name, (kind, required) in wanted.items():
        if required and kind not in WIDGETS and slots.get(name, {}).get("link") is None:
            yield f"input {name} is connected to nothing"
    made = list(zip(schema["output_name"], map(_of, schema["output"]), strict=True))
    outputs = [(one["name"], one["type"]) for one in node["outputs"]]
    if outputs != made[: len(outputs)]:  # an older ComfyUI gives some nodes fewer
        yield f"its outputs are {made}, not {outputs}"
    for one in node["outputs"]:
        lost = [number for number in one["links"] or [] if number not in wires]
        yield from (f"output {one['name']} has a link {number} that is not there" for number in lost)


def _of(kind: Any) -> str:
    return "COMBO" if isinstance(kind, list) else kind


def _value_faults(node: Mapping[str, Any], schema: Mapping[str, Any], not_here: Set[tuple[str, str]]) -> Iterator[str]:
    try:
        found = widgets(node, schema)
    except ValueError as error:
        yield str(error)
        return
    for widget in found:
        if not _legal(widget) and (node["type"], widget.name) not in not_here:
            yield f"{widget.name} cannot be {widget.value!r}"


def _legal(widget: Widget) -> bool:
    value, options = widget.value, widget.options
    low, high = options.get("min", float("-inf")), options.get("max", float("inf"))
    if widget.kind in ("COMBO", CHOICE):
        return value in map(choice_name, options["options"])
    if widget.kind == "BOOLEAN":
        return isinstance(value, bool)
    if widget.kind == "STRING":
        return isinstance(value, str)
    kinds = int if widget.kind == "INT" else (int, float)
    return isinstance(value, kinds) and not isinstance(value, bool) and low <= value <= high
