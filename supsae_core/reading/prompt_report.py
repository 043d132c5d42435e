"""What a conditioning says in full: concepts, where they stand, how they are weighted, and what nothing explains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..dictionary.model import Dictionary
from ..dictionary.unite import as_said
from ..encoders.base import Encoder, Rows
from ..encoders.layout import TEMPLATE, Layout, Span
from .coded import CodedRows
from .readout import Reading, read_conditioning
from .weights import numbered


class Said(NamedTuple):
    """One mention of a concept."""

    concept: str
    """category: name"""
    phrase: str
    """the wording of the table that was found"""
    score: float
    """log-likelihood ratio per code that these words stand here"""
    rows: Mapping[str, tuple[int, ...]]
    """encoder → its rows of the conditioning"""
    weight: float
    """prompt weight, as in ``(phrase:1.3)``; 1 without one"""


class Unexplained(NamedTuple):
    """Shares of the variation of one encoder's rows that decoding what is said leaves over."""

    phrases: float | None
    """in the rows of the phrases that were found; None if there are none"""
    rows: float
    """in all rows but those that are the same in every prompt: fillers, ends and pads included"""


class PromptReport(NamedTuple):
    """What one conditioning says."""

    said: tuple[Said, ...]
    """in order of writing"""
    unmentioned: tuple[str, ...]
    """categories"""
    unexplained: Mapping[str, Unexplained]
    """by encoder"""
    least: float
    """score from which on a phrase counts as found"""
    longer: Mapping[str, tuple[int, int]] = MappingProxyType({})
    """encoder → its rows, and those that texts are padded to: of encoders whose text is longer"""


def report_prompt(dictionary: Dictionary, cond: Tensor, reading: Reading | None = None) -> PromptReport:
    """Read one conditioning (L, width).

    Raises:
        ValueError: if the rows cannot be read (see ``read_conditioning``).
    """
    reading = reading or read_conditioning(dictionary, cond)
    said = tuple(_mentions(dictionary, reading))
    mentioned = {dictionary.table.concepts[concept].category for concept in reading.concepts(dictionary)}
    unmentioned = tuple(name for name in dictionary.table.categories if name not in mentioned)
    here = reading.encoders(dictionary.family)
    unexplained = {
        encoder.name: _unexplained(dictionary, encoder, cond, reading.rows, reading.layouts[encoder.name])
        for encoder in dictionary.family.encoders
        if encoder in here
    }
    lead = dictionary.parts[here[-1].name]  # as in read_conditioning: what it finds is said
    layouts = {one.name: (len(reading.rows.of(one)), one.layout) for one in dictionary.family.encoders}
    longer = {name: (rows, one.length(0)) for name, (rows, one) in layouts.items() if one.is_longer(rows)}
    return PromptReport(said, unmentioned, unexplained, lead.cuts.last, longer)


def to_json(found: PromptReport) -> dict[str, Any]:
    """Return what JSON can hold; concepts, phrases and encoders by their names."""
    return {
        "concepts": [_mention_to_json(one) for one in found.said],
        "unmentioned": list(found.unmentioned),
        "unexplained": {
            encoder: {"phrases": phrases if phrases is None else round(phrases, 4), "rows": round(rows, 4)}
            for encoder, (phrases, rows) in found.unexplained.items()
        },
        "least_score": round(found.least, 3),
        "longer": {encoder: {"rows": rows, "padded_to": least} for encoder, (rows, least) in found.longer.items()},
    }


def _mention_to_json(one: Said) -> dict[str, Any]:
    return {
        "concept": one.concept,
        "phrase": one.phrase,
        "score": round(one.score, 3),
        "weight": round(one.weight, 2),
        "rows": {encoder: list(rows) for encoder, rows in one.rows.items()},
    }


def lines(found: PromptReport) -> list[str]:
    """Return the report as lines of text."""
    told = aligned([_cells(one) for one in found.said])
    return [*(told or ["none of the dictionary's concepts"]), *left(found)]


def aligned(table: Sequence[Sequence[str]]) -> list[str]:
    """Return the rows of a table as lines of text, its columns aligned and the empty ones left out."""
    widths, lines = [max(map(len, column)) for column in zip(*table, strict=True)], []
    for cells in table:
        padded = [text.ljust(width) for text, width in zip(cells, widths, strict=True) if width]
        lines.append("  ".join(padded).rstrip())
    return lines


def _cells(one: Said) -> tuple[str, ...]:
    """Return what a line says of a mention, column by column."""
    weight = "" if one.weight == 1 else f"weight {one.weight:.2f}"
    rows = ", ".join(f"{encoder} {_spelled(rows)}" for encoder, rows in one.rows.items())
    return one.concept, one.phrase, f"{one.score:.1f}", weight, rows


def left(found: PromptReport) -> list[str]:
    """Return as lines of text what was not found: categories, and shares of the rows."""
    shares = ", ".join(f"{name} {share:.0%}" for name, share in shares_of(found))
    unmentioned = [f"not mentioned: {', '.join(found.unmentioned)}"] if found.unmentioned else []
    longer = [
        f"longer than most: {name} has {rows} rows, prompts are padded to {least}; what is read may be less sure"
        for name, (rows, least) in found.longer.items()
    ]
    return [*unmentioned, *longer, f"not explained: {shares}"]


def shares_of(found: PromptReport) -> list[tuple[str, float]]:
    """Return what is not explained as (what of which encoder, share)."""
    named: list[tuple[str, float]] = []
    for encoder, some in found.unexplained.items():
        if some.phrases is not None:
            named.append((f"{encoder} phrases", some.phrases))
        named.append((f"{encoder} all rows", some.rows))
    return named


def _spelled(rows: Sequence[int]) -> str:
    """Return rows as ranges, e.g. ``46, 49-50``."""
    runs: list[list[int]] = []
    for row in rows:
        if runs and row == runs[-1][-1] + 1:
            runs[-1].append(row)
        else:
            runs.append([row])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def _mentions(dictionary: Dictionary, reading: Reading) -> list[Said]:
    """Bring together what the encoders have of one mention: all write the mentions of a phrase in the same order."""
    found = []
    numbers = numbered(one.phrase for one in reading.found)
    for one, (slot, number) in zip(reading.found, numbers, strict=True):
        phrase = dictionary.table.phrases[slot]
        spans: dict[str, Span] = {}
        for encoder, layout in reading.layouts.items():
            alike = [span for span in layout.spans if span.phrase == slot]
            if number < len(alike):
                spans[encoder] = alike[number]
        rows = {name: span.rows for name, span in spans.items()}
        weight = list(spans.values())[-1].weight  # the leading encoder's; all have the same
        text = as_said(phrase.text) if dictionary.members else phrase.text
        found.append(Said(str(dictionary.table.concepts[phrase.concept]), text, one.score, rows, weight))
    return found


def _unexplained(dictionary: Dictionary, encoder: Encoder, cond: Tensor, rows: Rows, layout: Layout) -> Unexplained:
    part, codes = dictionary.parts[encoder.name], _codes(dictionary, encoder, rows, layout)
    constant = encoder.layout.constant
    phrases = list(chain.from_iterable(span.rows for span in layout.spans))
    others = chain.from_iterable(some for role, some in layout.roles.filled().items() if role != constant)

    def share(own: list[int]) -> float:
        """Return ‖x − x̂‖² / ‖x − mean‖²."""
        x = cond[own, encoder.first : encoder.last].float().cpu()
        return float((x - part.decode(codes[own])).square().sum() / (x - part.bias).square().sum())

    return Unexplained(share(phrases) if phrases else None, share([*phrases, *others]))


def _codes(dictionary: Dictionary, encoder: Encoder, rows: Rows, layout: Layout) -> Tensor:
    """Return the codes (L, r) of what stands in an encoder's rows, each token in its context and with its weight."""
    part = dictionary.parts[encoder.name]
    here = CodedRows(dictionary, encoder, rows, part)
    around = here.context(layout.spans)
    made = torch.zeros(rows.total, part.decoder.shape[0])
    for role, some in layout.roles.filled().items():
        slot = dictionary.role(role)
        for token, row in enumerate(some):
            made[row] = part.code(slot, token if role in TEMPLATE else 0, around[row])
    for span in layout.spans:
        plain = here.codes(span.phrase, span.rows, around)
        made[list(span.rows)] = here.weighted(span.weight, span.rows, plain)
    return made
