"""The report's pictures: cases as they were drawn, none picked, with what is wrong in words and in colour."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ..pictures.bench import Example
from ..pictures.methods import NO_EDIT, OURS, REWRITE
from .page_parts import photograph
from .rows import LOCK

FAULTS = {"missed": ("bad", "not read"), "moved": ("moved", "something else changed")}
"""Fault of a picture → its class and its name."""


def first(example: Example) -> str:
    """Return a case at the top of the page: before, and with the lock rewritten and edited."""
    shown = {"before": NO_EDIT, "rewritten": REWRITE + LOCK, "SupSAE": OURS + LOCK}
    figures = "".join(
        f"<figure>{photograph(example.pictures[way], example.prompt)}<figcaption>{name}</figcaption></figure>"
        for name, way in shown.items()
    )
    return f"<div class=trio>{figures}<p>{escape(example.title)} {_fault(example.faults[OURS + LOCK])}</p></div>"


def cards(examples: Sequence[Example]) -> str:
    """Return cases with every way that they were drawn in, folded away; nothing if there are none."""
    if not examples:
        return ""
    return (
        f"<details><summary>Pictures: the first {len(examples)} cases, none picked</summary>"
        f"<div class=stack>{''.join(map(_card, examples))}</div></details>"
    )


def _card(example: Example) -> str:
    figures = "".join(_figure(way, example) for way in example.pictures)
    return (
        f"<article><h4>{escape(example.title)}</h4><p class=prompt>{escape(example.prompt)}</p>"
        f"<div class='shown trio'>{figures}</div></article>"
    )


def _figure(way: str, example: Example) -> str:
    fault = example.faults[way]
    picture = photograph(example.pictures[way], f"{way}: {example.title}")
    said = f"{escape(way)}<br>{_fault(fault)}"
    return f"<figure class='{fault and f'fault-{fault}'}'>{picture}<figcaption>{said}</figcaption></figure>"


def _fault(fault: str) -> str:
    if not fault:
        return ""
    kind, name = FAULTS[fault]
    return f"<span class={kind}>{name}</span>"
