"""Pieces of a page that needs no other file: its frame, bars with their intervals, pictures, and numbers in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

import numpy as np
from PIL import Image

from ...drawing.sheet import inlined
from ..outcomes import Interval
from .page_style import STYLE


class Bar(NamedTuple):
    """One bar of a measure."""

    name: str
    tone: str
    """class of its colour in ``page_style``"""
    value: Interval


def document(title: str, main: str, footer: str, *, style: str = "", script: str = "") -> str:
    """Return a page around its sections; the footer and the sections are HTML."""
    run = f"<script>{script}</script>" if script else ""
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title><style>{STYLE}{style}</style></head><body><main>",
            main,
            f"</main><footer>{footer}</footer>{run}</body></html>",
        ]
    )


def bars(label: str, rows: Sequence[Bar]) -> str:
    """Return one measure as rows of a table of the class ``bars``, a bar a method."""
    head = f"<th rowspan={len(rows)}>{escape(label)}</th>"
    made = [_bar(row) for row in rows]
    return f"<tr class=first>{head}{made[0]}</tr>" + "".join(f"<tr>{row}</tr>" for row in made[1:])


def _bar(row: Bar) -> str:
    value = row.value
    return (
        f"<td>{escape(row.name)}</td><td class=track>{axis(value, row.tone)}</td>"
        f"<td class=num>{value.estimate:.1%}</td><td class='num faint'>{value.low:.1%} – {value.high:.1%}</td>"
    )


def axis(value: Interval, tone: str) -> str:
    """Return a share as a mark on its interval's band."""
    left, width, at = 100 * value.low, 100 * (value.high - value.low), 100 * value.estimate
    return (
        f"<span class='axis {tone}'><i style='left:{left:.2f}%;width:{width:.2f}%'></i>"
        f"<b style='left:{at:.2f}%'></b></span>"
    )


def points(value: Interval) -> str:
    """Return a difference of shares in points of a hundred, with its interval."""
    return f"{100 * value.estimate:+.1f} ({100 * value.low:+.1f} to {100 * value.high:+.1f})".replace("-", "−")


def percent(share: float) -> str:
    """Return a share in percent, without a zero behind the point."""
    return f"{share:.1%}".replace(".0%", "%")


def tile(number: str, text: str, aside: str) -> str:
    """Return a large number and what it counts."""
    return f"<div class=tile><b>{escape(number)}</b><span>{escape(text)}</span><i>{escape(aside)}</i></div>"


def terms(meaning: Mapping[str, str]) -> str:
    """Return terms and what they mean."""
    return f"<dl>{''.join(f'<dt>{escape(term)}</dt><dd>{escape(text)}</dd>' for term, text in meaning.items())}</dl>"


def photograph(picture: np.ndarray, alt: str) -> str:
    """Return a picture (h, w, 3) of bytes."""
    return drawn(inlined(Image.fromarray(picture), "JPEG"), alt)


def drawn(source: str, alt: str) -> str:
    """Return a picture from its address."""
    return f'<img alt="{escape(alt, quote=True)}" src="{source}">'
