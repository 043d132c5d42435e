"""The scoreboard's plots as pictures: everyone, what else moves, the slider, many edits, and the first cases."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from ...drawing.plot import Line, plot
from ...drawing.sheet import FAINT, INK, MARGIN, PAPER, Column, font, mixed, sheet, wrapped
from ..pictures.bench import Example
from ..pictures.methods import OURS, REWRITE
from .charts import Matrix, summed
from .dots import Dots, dots
from .method_table import tone
from .rows import LOCK, Json, interval, pairs

if TYPE_CHECKING:  # it loads the readers, which a plot does not need
    from ..pictures.run import Found

COLOURS = {"edited": (91, 63, 214), "rewrite": (120, 118, 126), "before": (176, 172, 162), "rival": (192, 122, 43)}
"""Class of a method → its colour."""
DEEP = (200, 40, 58)
"""Of the most frequent change."""
CELL, HEADS = 46, 106
"""Pixels of a heat table's cells, and left of and above them for names."""
ON_SHEET = 8
"""Examples on the contact sheet."""
ROW_NAME = 124
"""Pixels for the name of a row of the contact sheet."""


def plots(found: Found) -> dict[str, Image.Image]:
    """Return the plots of the parts that were run, by name."""
    sections = found.results["sections"]
    made = {name: draw(sections[part]) for name, (part, draw) in PLOTS.items() if part in sections}
    if "headline" in found.sections and found.sections["headline"].examples:
        made["examples"] = _examples(found.sections["headline"].examples)
    return made


def headline(section: Json) -> Image.Image:
    """Draw success, kept and both of everyone, without and with the lock."""
    measures = {"success": "value asked for is read", "kept": "all else is kept", "both": "both"}
    shares = lambda row: {name: interval(row[name]) for name in measures} if row else {}  # noqa: E731
    rows = [
        Dots(name, COLOURS[tone(name)], shares(free), shares(held), name == OURS)
        for name, free, held in pairs(section["rows"])
    ]
    counts = sorted({row["count"] for row in section["rows"].values()})
    into = "into pairs of concepts that the dictionary never saw together"
    note = (
        f"{counts[-1]} swaps {into if section['split'] == 'unseen pairs' else 'of concepts'} on Portraits"
        f"{f' ({counts[0]} for the rivals)' if len(counts) > 1 else ''}, free wording, strength 1, the same seeds for "
        "all. Bands: 95 % intervals."
    )
    title = "What was asked, and nothing else"
    return dots(rows, measures, title=title, note=note, rings="without the lock", discs="with the lock")


def interference(section: Json) -> Image.Image:
    """Draw how often each attribute changed by an edit of another one, four times."""
    matrices = {name: section["interference"][name] for name in (REWRITE, OURS, REWRITE + LOCK, OURS + LOCK)}
    cells = [_rate(cell) for matrix in matrices.values() for row in matrix.values() for cell in row.values()]
    panels = [_heat(name, matrix, max(0.1, *cells)) for name, matrix in matrices.items()]
    width, height = panels[0].size
    made = Image.new("RGB", (2 * width + 3 * MARGIN, 2 * height + 2 * MARGIN + 90), PAPER)
    pen = ImageDraw.Draw(made)
    pen.text((MARGIN, 28), "What else moves", INK, font(30))
    note = "Rows: the attribute edited. Columns: how often another one then reads differently, in percent."
    pen.text((MARGIN, 70), note, FAINT, font(17))
    for index, panel in enumerate(panels):
        made.paste(panel, (MARGIN + index % 2 * (width + MARGIN), 110 + index // 2 * (height + MARGIN)))
    return made


def _heat(title: str, matrix: Matrix, most: float) -> Image.Image:
    names, columns = sorted(matrix), sorted({other for row in matrix.values() for other in row})
    lines = {name: [matrix[name].get(other, (0, 0)) for other in columns] for name in names}
    lines["all edits"] = [summed(matrix, other) for other in columns]
    made = Image.new("RGB", (HEADS + CELL * len(columns), 34 + HEADS + CELL * len(lines)), PAPER)
    pen = ImageDraw.Draw(made)
    pen.text((0, 0), title, INK, font(20))
    heads = Image.new("RGB", (HEADS, CELL * len(columns)), PAPER)
    for index, name in enumerate(columns):
        ImageDraw.Draw(heads).text((4, CELL * index + CELL // 2), name, FAINT, font(16), anchor="lm")
    made.paste(heads.transpose(Image.Transpose.ROTATE_90), (HEADS, 30))
    for down, (name, cells) in enumerate(lines.items()):
        top = 34 + HEADS + CELL * down
        pen.text((HEADS - 10, top + CELL // 2), name, FAINT, font(16), anchor="rm")
        for index, cell in enumerate(cells):
            if cell[1]:
                _field(pen, HEADS + CELL * index, top, _rate(cell), most)
    return made


def _field(pen: ImageDraw.ImageDraw, left: int, top: int, rate: float, most: float) -> None:
    colour = mixed((255, 255, 255), DEEP, 0.8 * min(rate / most, 1.0))
    pen.rounded_rectangle([left + 1, top + 1, left + CELL - 2, top + CELL - 2], 5, colour)
    pen.text((left + CELL / 2, top + CELL / 2), f"{100 * rate:.0f}", INK, font(16), anchor="mm")


def _rate(cell: Sequence[int]) -> float:
    return cell[0] / cell[1] if cell[1] else 0.0


def strength(section: Json) -> Image.Image:
    """Draw the change of the picture, and how often the value asked for is read, over the slider."""
    lines = [
        Line("change of the picture, of that at 1", tuple(section["change"]), (), COLOURS["edited"]),
        _line("value asked for is read", [interval(one) for one in section["success"]], "rival"),
    ]
    note = f"mean of {section['count']} prompts"
    return plot(section["positions"], lines, title="The slider", across="strength", upwards="", note=note)


def several(section: Json) -> Image.Image:
    """Draw how often all of 1, 2 … edits succeed."""
    places = sorted(section, key=int)
    lines = [
        _line(method, [interval(section[one][method]["success"]) for one in places], tone(method))
        for method in (OURS, REWRITE)
    ]
    note = f"{section[places[0]][OURS]['count']} prompts, without the lock"
    title, upwards = "Many edits at once", "all values asked for are read"
    return plot([int(one) for one in places], lines, title=title, across="edits", upwards=upwards, note=note)


def _line(name: str, values: Sequence, colour: str) -> Line:
    return Line(
        name, tuple(one.estimate for one in values), tuple((one.low, one.high) for one in values), COLOURS[colour]
    )


def _examples(examples: Sequence[Example]) -> Image.Image:
    ways = list(examples[0].pictures)
    columns = [
        Column(kind, wanted, tuple(one.pictures[way] for way in ways), tuple(one.faults[way] for way in ways))
        for one in examples[:ON_SHEET]
        for kind, _, wanted in [one.title.partition(": ")]
    ]
    note = (
        f"The first {len(columns)} cases, none picked. All pictures of a column start from the same noise. Red frame: "
        "the asked-for value was not read. Amber frame: something else changed."
    )
    rows = ["\n".join(wrapped(way, font(18), ROW_NAME)) for way in ways]
    return sheet(columns, rows, "One edit, every method", note, across=len(columns))


PLOTS: Mapping[str, tuple[str, Callable[[Json], Image.Image]]] = {
    "headline": ("headline", headline),
    "interference": ("headline", interference),
    "strength": ("strength", strength),
    "several": ("several", several),
}
"""Plot → (part that it needs, what draws it)."""
