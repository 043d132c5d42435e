"""What ``ablations.py`` measures without pictures: swaps and their rewrites as the frozen encoders see them.

Letters (docs/method.md, 1): K concepts, S slots, T tokens, d columns, r code width. A cell is one part's rows of one
kind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from supsae.supsae_core.capture.captures import Encoded
from supsae.supsae_core.dictionary.model import POOLED, Codes, Dictionary
from supsae.supsae_core.editing import edits
from supsae.supsae_core.editing.apply import pooled_step, text_step
from supsae.supsae_core.editing.edits import Edit, Swap
from supsae.supsae_core.encoders.layout import ROLES, Layout, Roles, Span
from supsae.supsae_core.encoders.placing import pooled_spans, rows_of
from supsae.supsae_core.reading import readout
from supsae.supsae_core.reading.places import pick_phrases, score_places
from supsae.supsae_core.reading.readout import Reading
from supsae.training.calibration import known_reading, paired_rows, shrunk_gain

KINDS = ("phrase", "others", *ROLES)
"""Kinds of rows: of the phrases that change, of the other phrases, of the roles."""
SPANS = ("phrase", "others")
DRAWS = 1000
"""Resamplings of the cases behind an interval."""
NOBODY = Roles((), (), (), ())
Paired = tuple[list[int], list[int]]


class Task(NamedTuple):
    """A prompt, its edits, and the rewrite that they are held against; where every phrase stands is known."""

    before: Encoded
    after: Encoded
    edits: Sequence[Edit]
    reading: Reading
    target: Reading
    paired: Mapping[str, Mapping[str, Paired]]
    """encoder → kind → rows that stand for one another"""


@dataclass(frozen=True)
class Pairwise:
    """Effects of pairs of concepts in the company, on top of a part's own: the same for a whole group of slots."""

    members: Tensor
    """(P, 2) concepts of every pair"""
    effect: Tensor
    """(groups, P, d)"""
    mean_label: Tensor
    """(S, P)"""

    def labels(self, company: Tensor) -> Tensor:
        """Return (n, P) which pairs a company (n, K) holds."""
        return paired_labels(company, self.members)


def paired_labels(company: Tensor, members: Tensor) -> Tensor:
    """Return (n, P) which pairs (P, 2) a company (n, K) holds."""
    return company[:, members[:, 0]] * company[:, members[:, 1]]


@dataclass(frozen=True)
class Variant:
    """One way to fit, to read or to edit."""

    dictionary: Dictionary
    reach: Mapping[str, int | None]
    """encoder → rows of a chunk in which company is what stands before, or None for all that is said"""
    dropped: Sequence[str] = ()
    """kinds of rows that lose what the dictionary does not explain"""
    pairwise: Mapping[str, Pairwise] = field(default_factory=dict)
    looks: int = 2
    """of reading"""


def task(dictionary: Dictionary, before: Encoded, after: Encoded, asked: Sequence[Edit] = ()) -> Task:
    """Lay out a prompt and its rewrite; without edits, those that the rewrite's words ask for."""
    reading, target = known_reading(dictionary, before), known_reading(dictionary, after)
    both = zip(*(row.entry.prompt.support(dictionary.table) for row in (before, after)), strict=True)
    asked = asked or [Swap(str(dictionary.table.concepts[new])) for old, new in both if old != new]
    rows = {name: _kinds(dictionary, one, target.layouts[name]) for name, one in reading.layouts.items()}
    return Task(before, after, asked, reading, target, rows)


def _kinds(dictionary: Dictionary, one: Layout, other: Layout) -> dict[str, Paired]:
    concept = lambda span: dictionary.table.phrases[span.phrase].concept  # noqa: E731
    spans = list(zip(one.spans, other.spans, strict=True))
    found = {}
    for kind, changed in zip(SPANS, (True, False), strict=True):
        some = [pair for pair in spans if (concept(pair[0]) != concept(pair[1])) == changed]
        found[kind] = paired_rows(*(Layout(tuple(pair[side] for pair in some), NOBODY) for side in (0, 1)))
    for role, rows in one.roles._asdict().items():
        own, new = (NOBODY._replace(**{role: some}) for some in (rows, getattr(other.roles, role)))
        found[role] = paired_rows(Layout((), own), Layout((), new))
    return found


def cells(dictionary: Dictionary) -> list[tuple[str, str]]:
    """Return (part, kind) of every cell, the pooled vector last."""
    return [(encoder.name, kind) for encoder in dictionary.family.encoders for kind in KINDS] + [(POOLED, POOLED)]


# --- edits -----------------------------------------------------------------------------------------------------------


def step(variant: Variant, one: Task) -> tuple[Tensor, Tensor]:
    """Return what a variant adds to the rows (L, width) and to the pooled vector (P,); zeros where it refuses."""
    dictionary, reading, total = variant.dictionary, one.reading, len(one.before.cond)
    rows, pooled = torch.zeros(total, dictionary.family.width), torch.zeros(dictionary.family.pooled)
    try:
        found = edits.changes(dictionary, one.edits, reading.concepts(dictionary))
        for encoder in dictionary.family.encoders:
            part, layout, chunk = dictionary.parts[encoder.name], reading.layouts[encoder.name], variant.reach
            own = text_step(dictionary, part, layout, total, found, chunk=chunk[encoder.name])
            rows[:, encoder.first : encoder.last] += own
    except ValueError:  # never captured, or no room for a longer phrase
        return torch.zeros_like(rows), pooled
    pooled += pooled_step(dictionary, reading, found)
    for name in variant.pairwise:
        _columns(dictionary, name, rows, pooled)[:] += _pairwise_step(variant, name, one)
    for encoder in dictionary.family.encoders if variant.dropped else ():
        at = [row for kind in variant.dropped for row in one.paired[encoder.name][kind][0]]
        laid = laid_out(variant, one.before, one.reading, encoder.name)
        off = torch.zeros(total, encoder.last - encoder.first)
        off[laid.rows] = decoded(variant, encoder.name, laid) - laid.x
        rows[at, encoder.first : encoder.last] += off[at]
    return rows, pooled


def _columns(dictionary: Dictionary, name: str, rows: Tensor, pooled: Tensor) -> Tensor:
    encoder = next((one for one in dictionary.family.encoders if one.name == name), None)
    return pooled[None] if encoder is None else rows[:, encoder.first : encoder.last]


def _pairwise_step(variant: Variant, name: str, one: Task) -> Tensor:
    """Return what the change of company moves through pairs: the new phrases stand in the old ones' rows."""
    table, pairwise = variant.dictionary.table, variant.pairwise[name]
    old = laid_out(variant, one.before, one.reading, name)
    new = {
        table.phrases[a.phrase].concept: table.phrases[b.phrase].concept
        for a, b in zip(one.reading.found, one.target.found, strict=True)
    }
    becomes = torch.zeros(len(table), len(table))
    for concept, other in new.items():
        becomes[concept, other] = 1
    moved = pairwise.labels(old.labels @ becomes) - pairwise.labels(old.labels)
    group = variant.dictionary.parts[name].slot_groups[old.slots]
    made = torch.zeros(len(one.before.cond) if name != POOLED else 1, pairwise.effect.shape[2])
    made[old.rows] = torch.einsum("np,npd->nd", moved, pairwise.effect[group])
    return made


def moved(variant: Variant, tasks: Sequence[Task]) -> Tensor:
    """Return, per task and cell, (n, cells, 3): ‖Δ_word − Δ‖², ‖Δ_word‖² and ‖Δ‖²."""
    return torch.stack([_moved(variant, one) for one in tasks])


def _moved(variant: Variant, one: Task) -> Tensor:
    rows, pooled = step(variant, one)
    found = []
    for encoder in variant.dictionary.family.encoders:
        columns = slice(encoder.first, encoder.last)
        for kind in KINDS:
            here, there = one.paired[encoder.name][kind]
            word = one.after.cond[there, columns] - one.before.cond[here, columns]
            found.append(_squares(word, rows[here, columns]))
    return torch.stack([*found, _squares(one.after.pooled - one.before.pooled, pooled)])


def _squares(word: Tensor, made: Tensor) -> Tensor:
    return torch.stack([one.square().sum() for one in (word - made, word, made)])


def gained(variant: Variant, tasks: Sequence[Task]) -> Variant:
    """Calibrate the edits of a variant on tasks of one swap each, as fitting does."""
    dictionary = variant.dictionary
    parts = {name: replace(part, gain=torch.ones_like(part.gains)) for name, part in dictionary.parts.items()}
    plain = replace(variant, dictionary=replace(dictionary, parts=parts))
    new = torch.tensor([dictionary.table.index(one.edits[0].concept) for one in tasks])
    left, word, made = moved(plain, tasks).unbind(2)
    dot = (word + made - left) / 2
    for name, part in parts.items():
        own = [i for i, (cell, _) in enumerate(cells(dictionary)) if cell == name]
        sums = [torch.zeros(len(part.gains)).index_add_(0, new, one[:, own].sum(1)) for one in (dot, made)]
        parts[name] = replace(part, gain=shrunk_gain(*sums))
    return replace(variant, dictionary=replace(dictionary, parts=parts))


# --- decoding --------------------------------------------------------------------------------------------------------


class Laid(NamedTuple):
    """All rows of one part of a prompt."""

    rows: list[int]
    x: Tensor
    """(n, d)"""
    slots: Tensor
    """(n,)"""
    tokens: Tensor
    """(n,)"""
    labels: Tensor
    """(n, K)"""


def laid_out(variant: Variant, row: Encoded, reading: Reading, name: str) -> Laid:
    """Return the rows of one part, each with its slot, token and company."""
    dictionary = variant.dictionary
    table, size = dictionary.table, len(dictionary.table)
    concepts = lambda spans: [table.phrases[span.phrase].concept for span in spans]  # noqa: E731
    if name == POOLED:
        said = torch.zeros(1, size)
        said[0, concepts(pooled_spans(dictionary.family, reading.layouts))] = 1
        return Laid([0], row.pooled[None], torch.zeros(1).long(), torch.zeros(1).long(), said)
    encoder = next(one for one in dictionary.family.encoders if one.name == name)
    layout = reading.layouts[name]
    labels = company(layout.spans, concepts(layout.spans), size, len(row.cond), variant.reach[name])
    rows, slots, tokens = zip(*_places(layout, len(table.phrases)), strict=True)
    at = list(rows)
    return Laid(at, row.cond[at, encoder.first : encoder.last], torch.tensor(slots), torch.tensor(tokens), labels[at])


def _places(layout: Layout, phrases: int) -> list[tuple[int, int, int]]:
    spans = [(row, span.phrase, token) for span in layout.spans for token, row in enumerate(span.rows)]
    return spans + [(row, phrases + role, 0) for role, rows in enumerate(layout.roles) for row in rows]


def decoded(variant: Variant, name: str, laid: Laid) -> Tensor:
    """Return x̂ (n, d) of rows."""
    part: Codes = variant.dictionary.parts[name]
    off = laid.labels - part.mean_context[laid.slots]
    effect = part.group_effects[part.slot_groups[laid.slots]] + part.slot_effects[laid.slots]
    made = part.decode(part.slot_codes[laid.slots, laid.tokens] + torch.einsum("nk,nkr->nr", off, effect))
    if name in variant.pairwise:
        pairwise = variant.pairwise[name]
        pairs = pairwise.labels(laid.labels) - pairwise.mean_label[laid.slots]
        made = made + torch.einsum("np,npd->nd", pairs, pairwise.effect[part.slot_groups[laid.slots]])
    return made


class Means(NamedTuple):
    """What errors of one part are held against, the same for all variants."""

    slots: Tensor
    """(S, T, d) mean of every slot's tokens"""
    all: Tensor
    """(d,)"""


def errors(variant: Variant, rows: Sequence[tuple[Encoded, Reading]], means: Mapping[str, Means]) -> Tensor:
    """Return, per prompt and part, (n, parts, 3) of phrases: ‖x − x̂‖², ‖x − mean of the slot‖², ‖x − mean of all‖²."""
    return torch.stack([_errors(variant, row, reading, means) for row, reading in rows])


def _errors(variant: Variant, row: Encoded, reading: Reading, means: Mapping[str, Means]) -> Tensor:
    found = []
    for name in variant.dictionary.parts:
        laid = laid_out(variant, row, reading, name)
        some = slice(None) if name == POOLED else laid.slots < len(variant.dictionary.table.phrases)
        off = (decoded(variant, name, laid), means[name].slots[laid.slots, laid.tokens], means[name].all)
        found.append(torch.stack([(laid.x - one)[some].square().sum() for one in off]))
    return torch.stack(found)


# --- reading ---------------------------------------------------------------------------------------------------------


def located(variant: Variant, tasks: Sequence[Task]) -> Tensor:
    """Return (n, 2) how many categories of a rewrite are read right, concept and rows or silence, and of how many."""
    return torch.tensor([_located(variant, one) for one in tasks], dtype=torch.float32)


def _located(variant: Variant, one: Task) -> tuple[int, int]:
    dictionary = variant.dictionary
    lead = dictionary.family.encoders[-1].name
    try:
        seen = spans_read(variant, one.after.cond)
    except ValueError:  # too little was learnt to find even the end of the text
        seen = []
    truth, groups = one.target.layouts[lead].spans, list(dictionary.table.categories.values())
    both = [
        {(dictionary.table.phrases[span.phrase].concept, span.rows) for span in spans} for spans in (seen, list(truth))
    ]
    right = [len({x for x in both[0] if x[0] in some} ^ {x for x in both[1] if x[0] in some}) == 0 for some in groups]
    return sum(right), len(groups)


def spans_read(variant: Variant, cond: Tensor) -> list[Span]:
    """Return what is read in the leading encoder, with both looks or with the first alone."""
    dictionary = variant.dictionary
    if variant.looks == 2:
        return [Span(one.phrase, one.rows) for one in readout.read_conditioning(dictionary, cond).found]
    encoder, rows = dictionary.family.encoders[-1], rows_of(cond, dictionary.family)
    cut = float(dictionary.parts[encoder.name].thresholds[0])
    found = pick_phrases(dictionary, encoder, score_places(dictionary, encoder, cond, rows), None, cut)
    return [Span(one.phrase, one.rows) for one in found]


# --- intervals -------------------------------------------------------------------------------------------------------


def ratio(sums: Tensor, other: Tensor | None = None) -> dict[str, float]:
    """Return Σ first / Σ second of sums (n, 2), or how much more than of ``other`` sums, with an interval."""
    weights = np.random.default_rng(0).multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=DRAWS)
    drawn = torch.cat([torch.ones(1, len(sums)), torch.from_numpy(weights).float()]).double()
    found = _ratios(drawn, sums) - (0 if other is None else _ratios(drawn, other))
    low, high = torch.quantile(found[1:], torch.tensor([0.025, 0.975], dtype=found.dtype)).tolist()
    return {"estimate": float(found[0]), "low": low, "high": high}


def _ratios(drawn: Tensor, sums: Tensor) -> Tensor:
    left, whole = (drawn @ sums.double()).unbind(1)
    return left / whole.clamp(min=1e-12)
