"""Draw the rooms and which may import which, from the table in tests/test_architecture.py: writes ``docs/rooms.svg``.

A room's line is the first sentence of its ``__init__.py``. Arrows that follow from others are left out.
"""

import ast
import importlib.util
import textwrap
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "docs" / "rooms.svg"
CORE = "supsae_core"
INSIDE = {"hosts/diffusers": "hosts", "evaluation": "evaluation", "training": "training", "portraits": "portraits"}
"""Rooms whose own rooms are drawn as one with them."""
COLUMNS = ("cli", "evaluation", "training", "nodes", "hosts", "portraits", "hosts/comfyui", "drawing")
"""From left to right, within a row."""
CAPTURE = f"{CORE}/capture"
"""Stands beside the chain of the other rooms of the core."""
WIDTH, MARGIN, GAP, ROW, BOX = 960, 24, 24, 112, 78
"""Pixels: of the picture, of its edge, between boxes, from row to row, height of a box."""
LETTER = 6.6
"""Pixels that a letter of the small type takes at most."""


class Box(NamedTuple):
    """A rectangle with a title and a few words."""

    x: float
    y: float
    width: float
    height: float


def table() -> tuple[Mapping[str, set[str]], Mapping[str, set[str]]]:
    """Return room → rooms below it, and room → libraries that it alone may import."""
    spec = importlib.util.spec_from_file_location("architecture", ROOT / "tests" / "test_architecture.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {name: room.below for name, room in module.ROOMS.items()}, module.DOORS


def drawn(room: str, *, core: bool) -> str | None:
    """Return the box that a room is part of, outside or inside the core; None if it is in none."""
    if room == "" or (room.startswith(CORE) and not core):
        return CORE if room else None
    if core:
        parts = room.split("/")[:2]
        return "/".join(parts) if room.startswith(CORE) else None
    found = [name for name in INSIDE if room == name or room.startswith(f"{name}/")]
    return INSIDE[found[0]] if found else room


def merged(below: Mapping[str, set[str]], *, core: bool) -> dict[str, set[str]]:
    """Return box → boxes below it."""
    made: dict[str, set[str]] = {}
    for room, others in below.items():
        box = drawn(room, core=core)
        if box is not None:
            targets = {drawn(one, core=core) for one in others} - {box, None}
            made.setdefault(box, set()).update(one for one in targets if one is not None)
    return made


def reduced(below: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Leave out what follows from other arrows."""
    made = {}
    for box, others in below.items():
        made[box] = {one for one in others if not _follows(one, others, below)}
    return made


def _follows(one: str, others: set[str], below: Mapping[str, set[str]]) -> bool:
    return any(one in below[other] for other in others - {one})


def levels(below: Mapping[str, set[str]]) -> dict[str, int]:
    """Return the longest way down from every box."""
    made: dict[str, int] = {}
    while len(made) < len(below):
        known = {box for box, others in below.items() if others <= made.keys()} - made.keys()
        assert known, "the rooms import each other in a circle"
        made |= {box: max(map(made.__getitem__, below[box]), default=-1) + 1 for box in known}
    return made


def said(room: str) -> str:
    """Return the first sentence of a room."""
    text = ast.get_docstring(ast.parse((ROOT / room / "__init__.py").read_text(encoding="utf-8"))) or ""
    first = " ".join(text.split("\n\n")[0].split()).split(". ")[0]
    return first.removesuffix(".").split("; ")[0]


def inside(room: str, box: Box) -> tuple[str, Box, str]:
    """Return what is written in a room of the core: its name and sentence; of the folder itself, its files."""
    if room != CORE:
        return room.removeprefix(f"{CORE}/"), box, said(room)
    files = sorted(path.name for path in (ROOT / CORE).glob("*.py") if path.name not in ("__init__.py", "host.py"))
    return ", ".join(files), box, "what every room of the core may use"


def box_svg(name: str, box: Box, text: str, kind: str = "room") -> str:
    """Draw a box."""
    lines = textwrap.wrap(text, int((box.width - 20) / LETTER))
    words = "".join(
        f'<text class="small" x="{box.x + 12:g}" y="{box.y + 40 + 15 * number:g}">{escape(line)}</text>'
        for number, line in enumerate(lines)
    )
    frame = f'<rect class="{kind}" x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}" rx="6"/>'
    return f'{frame}<text class="name" x="{box.x + 12:g}" y="{box.y + 22:g}">{escape(name)}</text>{words}'


def arrow_svg(top: Box, bottom: Box) -> str:
    """Draw an arrow from the lower edge of one box to the upper edge of another, where they are nearest."""
    low, high = max(top.x, bottom.x) + 30, min(top.x + top.width, bottom.x + bottom.width) - 30
    if low <= high:
        start = end = (low + high) / 2
    else:
        start = min(max(bottom.x + bottom.width / 2, top.x + 30), top.x + top.width - 30)
        end = min(max(start, bottom.x + 30), bottom.x + bottom.width - 30)
    return f'<path class="arrow" d="M{start:g} {top.y + top.height:g}L{end:g} {bottom.y - 3:g}"/>'


def row_of_boxes(names: Sequence[str], y: float) -> dict[str, Box]:
    """Spread boxes over the width."""
    width = (WIDTH - 2 * MARGIN - GAP * (len(names) - 1)) / len(names)
    return {name: Box(MARGIN + place * (width + GAP), y, width, BOX) for place, name in enumerate(names)}


def outer_boxes(below: Mapping[str, set[str]]) -> dict[str, Box]:
    """Place the boxes above the core, row by row."""
    level, boxes = levels(below), dict[str, Box]()
    rows = sorted(set(level.values()) - {level[CORE]}, reverse=True)
    for number, one in enumerate(rows):
        names = [name for name in COLUMNS if level.get(name) == one]
        boxes |= row_of_boxes(names, MARGIN + number * ROW)
    assert boxes.keys() == below.keys() - {CORE}, "a room has no column: name it in COLUMNS"
    return boxes


def core_boxes(below: Mapping[str, set[str]], y: float) -> dict[str, Box]:
    """Place the rooms of the core: a chain, and the capture beside it."""
    chain = sorted(below.keys() - {CAPTURE}, key=levels(below).__getitem__, reverse=True)
    wide = WIDTH - 4 * MARGIN
    boxes, half = {}, (wide - GAP) / 2
    shared = [name for name in chain if name in below[CAPTURE]]
    for number, name in enumerate(chain):
        left, width = (2 * MARGIN, wide) if name in shared else (2 * MARGIN + half + GAP, half)
        boxes[name] = Box(left, y + number * (ROW - 18), width, BOX - 10)
    beside = [boxes[name] for name in chain if name not in shared]
    bottom = beside[-1].y + beside[-1].height
    return boxes | {CAPTURE: Box(2 * MARGIN, beside[0].y, half, bottom - beside[0].y)}


STYLE = """
  svg { background: #fff }
  .room { fill: #f4f6fb; stroke: #5b6b8c } .core { fill: #fbf8f1; stroke: #a08b5b }
  .inner { fill: #fff; stroke: #a08b5b } .arrow { stroke: #444; fill: none; marker-end: url(#head) }
  text { font-family: system-ui, sans-serif; fill: #222 } .name { font-size: 15px; font-weight: 600 }
  .small { font-size: 12px }
"""


def picture() -> str:
    """Return the whole picture as SVG."""
    below, doors = table()
    outer, inner = merged(below, core=False), merged(below, core=True)
    boxes = outer_boxes(outer)
    top = max(box.y for box in boxes.values()) + ROW
    rooms = core_boxes(inner, top + 66)
    height = max(box.y + box.height for box in rooms.values()) + MARGIN
    frame = Box(MARGIN, top, WIDTH - 2 * MARGIN, height - top)
    parts = [
        box_svg(CORE, frame, "tensors in, tensors out. Above its rooms stands host.py: what a host must offer", "core")
    ]
    for name, box in boxes.items():
        own = sorted({one for room in (name, f"{name}/diffusers") for one in doors.get(room, ())})
        only = f". Alone imports {', '.join(own)}" if own else ""
        parts.append(box_svg(name, box, said(name) + only))
    parts += [box_svg(*inside(name, box), "inner") for name, box in rooms.items()]
    every = {**boxes, CORE: frame}
    parts += [arrow_svg(every[name], every[one]) for name, others in reduced(outer).items() for one in sorted(others)]
    parts += [arrow_svg(rooms[name], rooms[one]) for name, others in reduced(inner).items() for one in sorted(others)]
    size = f'width="{WIDTH}" height="{height + MARGIN:g}" viewBox="0 0 {WIDTH} {height + MARGIN:g}"'
    head = '<marker id="head" markerWidth="8" markerHeight="8" refX="6" refY="4" orient="auto">'
    style = f'<style>{STYLE}</style><defs>{head}<path d="M0 0L8 4L0 8Z"/></marker></defs>'
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{style}', *parts, "</svg>", ""])


if __name__ == "__main__":
    OUT.write_text(picture(), encoding="utf-8")
    print(f"Wrote {OUT}")
