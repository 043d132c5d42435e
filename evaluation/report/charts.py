"""Heat tables and curves of the report, in the colours of the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape

from ...drawing.plot import Line

Matrix = Mapping[str, Mapping[str, Sequence[int]]]
"""Attribute edited → another one → [how often that changed, cases]."""
WIDTH, HEIGHT = 460, 260
"""Of a curve, in its own units; the text in it is 13 of them."""


def heat(title: str, matrix: Matrix, most: float) -> str:
    """Return how often each attribute changed (columns) by the one edited (rows); ``most`` is the deepest colour."""
    names, columns = sorted(matrix), sorted({other for row in matrix.values() for other in row})
    head = "".join(f"<th><span>{escape(name)}</span></th>" for name in columns)
    body = "".join(
        f"<tr><th>{escape(name)}</th>{''.join(_cell(matrix[name].get(other), most) for other in columns)}</tr>"
        for name in names
    )
    overall = "".join(_cell(summed(matrix, other), most) for other in columns)
    return (
        f"<figure class=heat><figcaption>{escape(title)}</figcaption><table><tr><th></th>{head}</tr>{body}"
        f"<tr class=all><th>all edits</th>{overall}</tr></table></figure>"
    )


def summed(matrix: Matrix, other: str) -> list[int]:
    """Return [changed, cases] of one attribute over all edits of others."""
    cells = [row[other] for row in matrix.values() if other in row]
    return [sum(cell[0] for cell in cells), sum(cell[1] for cell in cells)]


def _cell(cell: Sequence[int] | None, most: float) -> str:
    if not cell or not cell[1]:
        return "<td class=none>·</td>"
    rate = cell[0] / cell[1]
    shade = f"--share:{min(rate / most, 1.0) if most else 0:.2f}"
    return f"<td style='{shade}' title='{cell[0]} of {cell[1]}'>{100 * rate:.0f}</td>"


def curve(title: str, places: Sequence[float], lines: Sequence[tuple[Line, str]], across: str) -> str:
    """Draw lines of shares, each in the colour of a class, with the bands of their intervals."""
    top = max(1.0, *(value for line, _ in lines for value in line.values))
    x = [44 + (WIDTH - 58) * (place - places[0]) / (places[-1] - places[0]) for place in places]
    y = lambda value: HEIGHT - 44 - (HEIGHT - 60) * value / top  # noqa: E731
    grid = "".join(
        f"<path class=grid d='M44 {y(tick):.1f}H{WIDTH - 14}'/><text x=38 y={y(tick) + 4.5:.1f} text-anchor=end>"
        f"{tick:.0%}</text>"
        for tick in (0, 0.25, 0.5, 0.75, 1)
    )
    ticks = "".join(
        f"<text x={at:.1f} y={HEIGHT - 24} text-anchor=middle>{place:g}</text>"
        for at, place in zip(x, places, strict=True)
    )
    drawn = "".join(_line(line, colour, x, [y(value) for value in line.values], y) for line, colour in lines)
    legend = "".join(f"<span class='{colour}'>{escape(line.name)}</span>" for line, colour in lines)
    return (
        f"<figure class=curve><figcaption>{escape(title)}</figcaption><p class=legend>{legend}</p>"
        f"<svg viewBox='0 0 {WIDTH} {HEIGHT}' role=img aria-label='{escape(title, quote=True)}'>{grid}{drawn}{ticks}"
        f"<text x={WIDTH / 2:.0f} y={HEIGHT - 5} text-anchor=middle>{escape(across)}</text></svg></figure>"
    )


def _line(line: Line, colour: str, x: Sequence[float], y: Sequence[float], to_y: Callable[[float], float]) -> str:
    path = "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True))
    dots = "".join(f"<circle cx={a:.1f} cy={b:.1f} r=3.5 />" for a, b in zip(x, y, strict=True))
    band = ""
    if line.ranges:
        ends = [(a, to_y(low)) for a, (low, _) in zip(x, line.ranges, strict=True)]
        ends += [(a, to_y(high)) for a, (_, high) in zip(reversed(x), reversed(line.ranges), strict=True)]
        band = f"<path class=band d='M{'L'.join(f'{a:.1f} {b:.1f}' for a, b in ends)}Z'/>"
    return f"<g class='{colour}'>{band}<path class=line d='M{path}'/>{dots}</g>"
