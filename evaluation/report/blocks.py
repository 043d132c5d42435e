"""Pieces of a page that needs no other file: its frame, tables, bars with their intervals, curves and pictures."""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import NamedTuple

import numpy as np
from PIL import Image

from ...drawing.plot import Line
from ...drawing.sheet import inlined
from ..intervals import Interval
from ..results import Example
from .methods import Json
from .numbers import percent, points
from .style import SCRIPT, STYLE

MEASURES = {
    "success": "Success",
    "kept": "All else kept",
    "both": "Both",
    "attribute_kept": "Attributes kept",
    "other_same_category": "The other’s same attribute kept",
    "other_kept": "All of the other kept",
    "free": "Without lock",
    "held": "With lock",
    "still": "Removed value still shown",
}
"""Key of a row → heading of its column."""
FAULTS = {"missed": ("bad", "not read"), "moved": ("moved", "something else changed")}
"""Fault of a picture → its class and its name."""
WIDTH, HEIGHT = 460, 260
"""Of a curve, in its own units; the text in it is 13 of them."""


def document(title: str, main: str, footer: str) -> str:
    """Return a page around its sections; the footer and the sections are HTML."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main>\n{main}\n</main>"
        f"<footer>{footer}</footer><script>{SCRIPT}</script></body></html>\n"
    )


def terms(meaning: Mapping[str, str]) -> str:
    """Return terms and what they mean."""
    return f"<dl>{''.join(f'<dt>{escape(term)}</dt><dd>{escape(text)}</dd>' for term, text in meaning.items())}</dl>"


def tile(number: str, text: str, aside: str) -> str:
    """Return a large number and what it counts."""
    return f"<div class=tile><b>{escape(number)}</b><span>{escape(text)}</span><i>{escape(aside)}</i></div>"


def folded(summary: str, inside: str) -> str:
    """Return something that is shown on request."""
    return f"<details><summary>{escape(summary)}</summary>{inside}</details>"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; the first column names the rows."""
    heads = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(f"<tr><th>{escape(row[0])}</th>{_cells(row[1:])}</tr>" for row in rows)
    return f"<div class=wide><table class=plain><tr>{heads}</tr>{body}</table></div>"


def _cells(cells: Sequence[str]) -> str:
    return "".join(f"<td>{escape(cell)}</td>" for cell in cells)


class MethodLine(NamedTuple):
    """One line of a table of methods."""

    name: str
    tone: str
    """class of its colour"""
    row: Json
    """of the results"""
    beside: str = ""
    """key of what it is held against; empty: nothing"""


def methods(
    groups: Mapping[str, Sequence[MethodLine]],
    measures: Sequence[str],
    differences: Sequence[str] = (),
) -> str:
    """Return a table of shares with their intervals.

    Args:
        groups: heading → its lines, what a line lacks is left out; a text behind a line break is set small.
    """
    heads = [MEASURES[name] for name in measures]
    heads += [f"{MEASURES[name]} − rewrite" for name in differences]
    head = "".join(f"<th>{escape(one)}</th>" for one in heads)
    body = "".join(_group(name, lines, measures, differences) for name, lines in groups.items() if lines)
    return f"<div class=wide><table class=methods><tr><th></th><th></th>{head}</tr>{body}</table></div>"


def _group(name: str, lines: Sequence[MethodLine], measures: Sequence[str], differences: Sequence[str]) -> str:
    title, _, note = name.partition("\n")
    small = f"<small>{escape(note)}</small>" if note else ""
    heading = f"<th rowspan={len(lines)}>{escape(title)}{small}</th>"
    body = ""
    for index, line in enumerate(lines):
        beside = line.row.get(line.beside, {})
        shares = "".join(_share(line.row.get(key), line.tone) for key in measures)
        apart = "".join(_apart(beside.get(key)) for key in differences)
        first = "" if index else heading
        kind = f"{'more' if index else 'first'} {line.tone}"
        body += f"<tr class='{kind}'>{first}<td>{escape(line.name)}</td>{shares}{apart}</tr>"
    return body


def _share(found: Json | None, tone: str) -> str:
    if not found or not found["count"]:
        return f"<td>{'–' if found else ''}</td>"
    value = Interval.parse(found)
    ends = f"{100 * value.low:.1f} – {100 * value.high:.1f}"
    return f"<td><b>{percent(value.estimate)}</b>{axis(value, tone)}<small>{ends}</small></td>"


def _apart(found: Json | None) -> str:
    if not found:
        return "<td></td>"
    value = Interval.parse(found)
    sign = "good" if value.low > 0 else "bad" if value.high < 0 else ""
    number, _, ends = points(value).partition(" ")
    return f"<td><span class='{sign}'>{number}</span><small>{ends}</small></td>"


def axis(value: Interval, tone: str) -> str:
    """Return a share as a mark on its interval's band."""
    left, width, at = 100 * value.low, 100 * (value.high - value.low), 100 * value.estimate
    return (
        f"<span class='axis {tone}'><i style='left:{left:.2f}%;width:{width:.2f}%'></i>"
        f"<b style='left:{at:.2f}%'></b></span>"
    )


def heat(title: str, matrix: Mapping[str, Mapping[str, Sequence[int]]], most: float) -> str:
    """Return how often each attribute changed (columns) by the one edited (rows), cells [changed, cases].

    ``most`` is the share of the deepest colour.
    """
    columns = sorted({other for row in matrix.values() for other in row})
    head = "".join(f"<th><span>{escape(name)}</span></th>" for name in columns)
    lines = {**{name: matrix[name] for name in sorted(matrix)}, "all edits": summed(matrix)}
    body = ""
    for name, row in lines.items():
        cells = "".join(_heat_cell(row.get(other), most) for other in columns)
        body += f"<tr><th>{escape(name)}</th>{cells}</tr>"
    caption = f"<figcaption>{escape(title)}</figcaption>"
    return f"<figure class=heat>{caption}<table><tr><th></th>{head}</tr>{body}</table></figure>"


def summed(matrix: Mapping[str, Mapping[str, Sequence[int]]]) -> dict[str, tuple[int, int]]:
    """Return attribute → (changed, cases) over all edits of others."""
    made: dict[str, tuple[int, int]] = {}
    for row in matrix.values():
        for other, (changed, cases) in row.items():
            before = made.get(other, (0, 0))
            made[other] = (before[0] + changed, before[1] + cases)
    return made


def _heat_cell(cell: Sequence[int] | None, most: float) -> str:
    if not cell or not cell[1]:
        return "<td class=none>·</td>"
    rate = cell[0] / cell[1]
    shade = f"--share:{min(rate / most, 1.0) if most else 0:.2f}"
    return f"<td style='{shade}' title='{cell[0]} of {cell[1]}'>{100 * rate:.0f}</td>"


def curve(title: str, places: Sequence[float], lines: Sequence[tuple[Line, str]], across: str) -> str:
    """Draw lines of shares, each in the colour of a class, with the bands of their intervals."""
    top = max(1.0, *(value for line, _ in lines for value in line.values))
    span = places[-1] - places[0] or 1

    def x(place: float) -> float:
        return 44 + (WIDTH - 58) * (place - places[0]) / span

    def y(value: float) -> float:
        return HEIGHT - 44 - (HEIGHT - 60) * value / top

    grid = "".join(_tick(tick, y(tick)) for tick in (0, 0.25, 0.5, 0.75, 1))
    ticks = "".join(f"<text x={x(at):.1f} y={HEIGHT - 24} text-anchor=middle>{at:g}</text>" for at in places)
    across_at = [x(place) for place in places]
    drawn = "".join(_line(line, colour, across_at, y) for line, colour in lines)
    legend = "".join(f"<span class='{colour}'>{escape(line.name)}</span>" for line, colour in lines)
    return (
        f"<figure class=curve><figcaption>{escape(title)}</figcaption><p class=legend>{legend}</p>"
        f"<svg viewBox='0 0 {WIDTH} {HEIGHT}' role=img aria-label='{escape(title, quote=True)}'>{grid}{drawn}{ticks}"
        f"<text x={WIDTH / 2:.0f} y={HEIGHT - 5} text-anchor=middle>{escape(across)}</text></svg></figure>"
    )


def _tick(share: float, y: float) -> str:
    return (
        f"<path class=grid d='M44 {y:.1f}H{WIDTH - 14}'/><text x=38 y={y + 4.5:.1f} text-anchor=end>{share:.0%}</text>"
    )


def _line(line: Line, colour: str, x: Sequence[float], y: Callable[[float], float]) -> str:
    points = [(at, y(value)) for at, value in zip(x, line.values, strict=True)]
    dots = "".join(f"<circle cx={a:.1f} cy={b:.1f} r=3.5 />" for a, b in points)
    band = ""
    if line.ranges:
        low = [(at, y(ends[0])) for at, ends in zip(x, line.ranges, strict=True)]
        high = [(at, y(ends[1])) for at, ends in zip(x, line.ranges, strict=True)]
        band = f"<path class=band d='M{_path([*low, *high[::-1]])}Z'/>"
    return f"<g class='{colour}'>{band}<path class=line d='M{_path(points)}'/>{dots}</g>"


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "L".join(f"{a:.1f} {b:.1f}" for a, b in points)


def photograph(picture: np.ndarray | Image.Image, alt: str, kind: str = "JPEG") -> str:
    """Return a picture, or an array (h, w, 3) of bytes."""
    shown = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    return f'<img alt="{escape(alt, quote=True)}" src="{inlined(shown, kind)}">'


def cards(examples: Sequence[Example]) -> str:
    """Return cases with every way that they were drawn in, folded away; nothing if there are none."""
    if not examples:
        return ""
    inside = "".join(map(_card, examples))
    return folded(f"Pictures: the first {len(examples)} cases, none picked", f"<div class=stack>{inside}</div>")


def _card(example: Example) -> str:
    figures = "".join(_photo(way, example) for way in example.pictures)
    return (
        f"<article><h4>{escape(example.title)}</h4><p class=prompt>{escape(example.prompt)}</p>"
        f"<div class='shown trio'>{figures}</div></article>"
    )


def _photo(way: str, example: Example) -> str:
    mark = example.faults[way]
    picture = photograph(example.pictures[way], f"{way}: {example.title}")
    said = f"{escape(way)}<br>{fault(mark)}"
    return f"<figure class='{mark and f'fault-{mark}'}'>{picture}<figcaption>{said}</figcaption></figure>"


def fault(mark: str) -> str:
    """Return what is wrong with a picture, in words and in colour."""
    if not mark:
        return ""
    kind, name = FAULTS[mark]
    return f"<span class={kind}>{name}</span>"
