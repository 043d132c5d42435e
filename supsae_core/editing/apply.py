"""Apply a change of support to a conditioning: add decode(new support) − decode(old support) to the rows that hold it.

All functions are pure: tensors that came in are never written to, and no edit returns the very same tensor.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..dictionary.model import POOLED, Codes, Dictionary
from ..encoders.slots import ROLES, Layout, Span, company, first_chunk
from ..reading import weights
from ..reading.readout import Reading, read
from . import edits as edits_module
from . import protect
from .edits import AnyEdit, Change

REST = True
"""Whether fillers, ends and pads move with the company; benchmarks switch it off to measure what it is worth."""
RESERVE = 16
"""Pads that an edit leaves alone, of few pads half: models keep in them what belongs to no word. Not yet measured."""


class Edited(NamedTuple):
    """A conditioning after the edits."""

    cond: Tensor
    pooled: Tensor | None
    reading: Reading
    changes: list[Change]


def apply(
    dictionary: Dictionary,
    cond: Tensor,
    pooled: Tensor | None,
    edits: Sequence[AnyEdit],
    reading: Reading | None = None,
) -> Edited:
    """Edit one conditioning.

    Args:
        dictionary: what was learnt.
        cond: (L, width); length, dtype and device are kept.
        pooled: (P,) or None.
        edits: at most one a category; together they are one change of support.
        reading: where the concepts stand, if known; else read from the rows.

    Raises:
        ValueError: if a concept is unknown or not found, or a prompt leaves too few pads.
    """
    reading = reading or read(dictionary, cond)
    found = edits_module.changes(dictionary, edits, reading.concepts(dictionary))
    if not found:
        return Edited(cond, pooled, reading, [])
    return Edited(
        edit_cond(dictionary, cond, reading, found),
        None if pooled is None else edit_pooled(dictionary, pooled, reading, found),
        reading,
        found,
    )


def edit_cond(dictionary: Dictionary, cond: Tensor, reading: Reading, found: Sequence[Change]) -> Tensor:
    """Return the rows (L, width) with the changes made in every encoder."""
    step = cond_step(dictionary, reading, found)
    rows = step.any(1).to(cond.device)
    made = cond.clone()
    made[rows] = added(cond[rows], step[rows.cpu()])
    return made


def cond_step(dictionary: Dictionary, reading: Reading, found: Sequence[Change]) -> Tensor:
    """Return what changes add to the rows (L, width) of the conditioning that was read, float32 on the CPU."""
    step = torch.zeros(reading.rows.total, dictionary.format.width)
    for encoder in dictionary.format.encoders:
        layout = reading.layouts.get(encoder.name)
        if layout is not None:
            part, chunk = dictionary.parts[encoder.name], dictionary.format.chunk if encoder.causal else None
            work = _Work(dictionary, part, layout, len(step), found, chunk=chunk, name=encoder.name)
            step[:, encoder.first : encoder.last] += work.steps() @ part.decoder
    return step


def text_step(
    dictionary: Dictionary, part: Codes, layout: Layout, total: int, found: Sequence[Change], *, chunk: int | None
) -> Tensor:
    """Return what changes add to the rows (total, d) of a text stream inside the model.

    Args:
        dictionary: what was learnt.
        part: of the stream, for the rows of one kind of encoder; other rows get zeros.
        layout: of one of the encoders that wrote these rows.
        total: rows of the stream.
        found: the changes.
        chunk: rows of a causal chunk if causal encoders wrote the rows, which went on hearing what stands before them.
    """
    return _Work(dictionary, part, layout, total, found, chunk=chunk, name="the text stream").steps() @ part.decoder


def edit_pooled(dictionary: Dictionary, pooled: Tensor, reading: Reading, found: Sequence[Change]) -> Tensor:
    """Return the pooled vector (P,) moved by the additive effect of the concepts, the calibration of each applied.

    It is the vector of the first causal chunk: what is said or written behind that chunk leaves it as it is.

    Raises:
        ValueError: if the vector has another width than the dictionary's.
    """
    if pooled.shape != (dictionary.format.pooled,):
        raise ValueError(
            f"A pooled vector of shape {tuple(pooled.shape)} is not of the format {dictionary.format.name!r}, which "
            f"has ({dictionary.format.pooled},). Use the dictionary with the model it was made for."
        )
    step = pooled_step(dictionary, reading, found)
    return added(pooled, step) if bool(step.any()) else pooled


def pooled_step(dictionary: Dictionary, reading: Reading, found: Sequence[Change]) -> Tensor:
    """Return what changes add to the pooled vector (P,); each causal encoder wrote the columns that it has in the rows.

    The half of an encoder that wrote nothing stays as it is.
    """
    step = torch.zeros(dictionary.format.pooled)
    for encoder in dictionary.format.encoders:
        if encoder.causal and encoder.name in reading.layouts:
            spans = first_chunk(dictionary.format, reading.layouts[encoder.name])
            heard = [change for change in found if _is_heard(dictionary, reading, spans, change)]
            own = additive_step(dictionary, dictionary.parts[POOLED], reading, heard)[0]
            step[encoder.first : encoder.last] = own[encoder.first : encoder.last]
    return step


def additive_step(dictionary: Dictionary, part: Codes, reading: Reading, found: Sequence[Change]) -> Tensor:
    """Return what changes add to features (S, d) that hear every concept of the prompt alike, slot by slot."""
    move = torch.zeros(len(dictionary.table))
    for change in found:
        alpha = _gained(part, change)
        if change.old is not None and (change.scale or not _said_elsewhere(dictionary, reading, change)):
            move[change.old] = alpha if change.scale else -alpha
        if change.new is not None:
            move[change.new] = alpha
    off = off_of(found)
    steps = [move @ part.effect(slot) for slot in range(len(part.lengths))]
    if off:
        steps = [protect.projected(step, protect.basis(part, slot, off)) for slot, step in enumerate(steps)]
    return torch.stack(steps) @ part.decoder


def off_of(found: Sequence[Change]) -> tuple[tuple[int, ...], ...]:
    """Return what is kept: the same in every change of a stack."""
    return found[0].off if found else ()


def in_order(dictionary: Dictionary, cond: Tensor, reading: Reading, found: Sequence[Change]) -> Tensor:
    """Return the rows (L, width) of an edited conditioning as they would be written, to read them again.

    A phrase that is longer than the one it replaces ends in pads far behind the text. The transformer does not mind the
    order of rows, but a reader does. Of the leading encoder alone, which decides what is said.
    """
    encoder = [one for one in dictionary.format.encoders if one.name in reading.layouts][-1]
    layout, size = reading.layouts[encoder.name], dictionary.format.chunk if encoder.causal else len(cond)
    _, written = _with_room(dictionary, dictionary.parts[encoder.name], layout, found, encoder.name)
    order = list(range(len(cond)))
    for change, rows in written:
        spans = _changed_spans(dictionary, layout, change) if change.old is not None else []
        if spans and spans[0].rows[-1] // size == rows[0] // size:  # a chunk's own rows go round, the others stay
            order = [row for row in order if row not in rows]
            place = order.index(spans[0].rows[-1]) + 1
            order[place:place] = rows
    return cond[order]


def _said_elsewhere(dictionary: Dictionary, reading: Reading, change: Change) -> bool:
    """Tell whether a concept goes on being said because only one of its mentions changes."""
    return bool(change.occurrence) and reading.concepts(dictionary).count(change.old or 0) > 1


def _is_heard(dictionary: Dictionary, reading: Reading, spans: Sequence[Span], change: Change) -> bool:
    """Tell whether a change touches the text that a pooled vector is made of, whose spans these are."""
    if change.old is None:
        return reading.rows.causal <= dictionary.format.chunk
    said = [dictionary.table.phrases[span.phrase].concept for span in spans]
    return said.count(change.old) >= max(change.occurrence, 1)


def added(tensor: Tensor, step: Tensor) -> Tensor:
    """Return the sum in the more precise of both types, rounded to the tensor's own type, on its device."""
    return (tensor + step.to(tensor.device)).to(tensor.dtype)


def _gained(part: Codes, change: Change) -> float:
    concept = change.new if change.new is not None else change.old
    assert concept is not None
    return change.strength * float(part.gain[concept])


class _Work:
    """The change of one encoder's rows, in codes. Built per call and dropped."""

    def __init__(
        self,
        dictionary: Dictionary,
        part: Codes,
        layout: Layout,
        total: int,
        found: Sequence[Change],
        *,
        chunk: int | None,
        name: str,
    ) -> None:
        self.dictionary, self.part, self.chunk, self.total, self.found = dictionary, part, chunk, total, found
        self.off, self._bases = off_of(found), dict[int, Tensor]()
        self.layout, self.written = _with_room(dictionary, part, layout, found, name)
        self.old = self._company(self.layout.spans)
        moves = torch.stack([self._alpha(change) * (self._after(change) - self.old) for change in found])
        # Two values of one category may both be swapped for a third, which is then said once, not twice.
        self.new = self.old + moves.clamp(min=0).amax(0) + moves.clamp(max=0).amin(0)

    def steps(self) -> Tensor:
        """Return (total rows, r)."""
        step = torch.zeros(self.total, self.part.decoder.shape[0])
        moved = self.new - self.old
        if REST:
            for role, rows in zip(ROLES, self.layout.roles, strict=True):
                slot = self.dictionary.role(role)
                step[list(rows)] = self._off(slot, moved[list(rows)] @ self.part.effect(slot))
        for span in self.layout.spans:
            step[list(span.rows)] = self._off(span.phrase, self._span_step(span))
        for change, rows in self.written:
            step[list(rows)] = self._off(self.dictionary.role("pad"), self._written_step(change, rows))
        return step

    def _off(self, slot: int, step: Tensor) -> Tensor:
        """Project the step of a slot's rows off what is kept."""
        if not self.off:
            return step
        if slot not in self._bases:
            self._bases[slot] = protect.basis(self.part, slot, self.off)
        return protect.projected(step, self._bases[slot])

    def _span_step(self, span: Span) -> Tensor:
        change = next((c for c in self.found if span in self._spans(c)), None)
        old, stay = (
            self._weighted(span, span.rows, self._phrase(span.phrase, span.rows, labels))
            for labels in (self.old, self.new)
        )
        if change is None:
            return stay - old
        if change.scale:
            mean = self._weighted(span, span.rows, self._category_mean(span))
            return stay - old + self._alpha(change) * (old - mean)
        become = self._pads(span.rows, self.new)
        if change.new is not None:
            phrase = self.dictionary.phrase(change.new)
            held = span.rows[: int(self.part.lengths[phrase])]
            become[: len(held)] = self._weighted(span, held, self._phrase(phrase, held, self.new))
        return stay - old + self._alpha(change) * (become - stay)

    def _written_step(self, change: Change, rows: Sequence[int]) -> Tensor:
        """Pads that take the tokens for which the old phrase had no room, weighted as it was."""
        assert change.new is not None
        phrase = self.dictionary.phrase(change.new)
        first, around = int(self.part.lengths[phrase]) - len(rows), self._written_company(change, rows[0])
        become = torch.stack([self.part.code(phrase, first + i, around) for i in range(len(rows))])
        if change.old is not None:
            become = self._weighted(self._spans(change)[0], rows, become)
        old, stay = (self._pads(rows, labels) for labels in (self.old, self.new))
        return stay - old + self._alpha(change) * (become - stay)

    def _weighted(self, span: Span, rows: Sequence[int], codes: Tensor) -> Tensor:
        """Give the codes (rows, r) of tokens the weight of a span."""
        if span.weight == 1:
            return codes
        first = min(row for own in (*self.layout.roles, *(one.rows for one in self.layout.spans)) for row in own)
        nothing = weights.empty(self.dictionary, self.part, rows, first=first, chunk=self.chunk)
        return nothing + span.weight * (codes - nothing)

    def _written_company(self, change: Change, row: int) -> Tensor:
        """The company (K,) of tokens on pads: that of the span they continue; an addition stands behind everything."""
        if change.old is not None:
            return self.new[self._spans(change)[0].rows[0]]
        around = self.new[row].clone()
        around[change.new] = 0
        return around

    def _phrase(self, phrase: int, rows: Sequence[int], labels: Tensor) -> Tensor:
        """Codes (rows, r) of a phrase over rows in a company; where it has no token left, a pad stands in."""
        length = int(self.part.lengths[phrase])
        own = [self.part.code(phrase, token, labels[row]) for token, row in enumerate(rows[:length])]
        return torch.stack([*own, *self._pads(rows[length:], labels)])

    def _pads(self, rows: Sequence[int], labels: Tensor) -> Tensor:
        """Codes (rows, r) of pads; wherever they stand, their company is that of their chunk's end."""
        slot, ends = self.dictionary.role("pad"), self.layout.roles.end
        own = [ends[row // self.chunk if self.chunk else 0] if ends else row for row in rows]
        return torch.stack([self.part.code(slot, 0, labels[row]) for row in own]) if own else torch.zeros(0)

    def _category_mean(self, span: Span) -> Tensor:
        table = self.dictionary.table
        members = table.categories[table.concepts[self._concept(span)].category]
        phrases = [phrase for phrase in (self.dictionary.writes[one] for one in members) if phrase is not None]
        return torch.stack([self._phrase(phrase, span.rows, self.old) for phrase in phrases]).mean(0)

    def _alpha(self, change: Change) -> float:
        return _gained(self.part, change)

    def _concept(self, span: Span) -> int:
        return self.dictionary.table.phrases[span.phrase].concept

    def _spans(self, change: Change) -> list[Span]:
        return _changed_spans(self.dictionary, self.layout, change)

    def _company(self, spans: Sequence[Span]) -> Tensor:
        concepts = [self._concept(span) for span in spans]
        made = company(spans, concepts, len(self.dictionary.table), self.total, self.chunk)
        for span, concept in zip(spans, concepts, strict=True):
            # Written behind the text: heard from its end on, as if the prompt had gone on with it.
            end = self.layout.roles.end[-1] if self.chunk and self.layout.roles.end else self.total
            made[end : span.rows[0], concept] = 1
        return made

    def _after(self, change: Change) -> Tensor:
        """The company of every row once this change alone is fully made."""
        if change.scale:
            doubled = self.old.clone()
            doubled[:, change.old] *= 2
            return doubled
        gone = self._spans(change)
        spans = [span for span in self.layout.spans if span not in gone]
        if change.new is not None:
            phrase = self.dictionary.phrase(change.new)
            where = [span.rows for span in gone]
            if change.old is None:
                where = [rows for one, rows in self.written if one is change]
            spans += [Span(phrase, rows) for rows in where]
        return self._company(spans)


def _changed_spans(dictionary: Dictionary, layout: Layout, change: Change) -> list[Span]:
    """Return the places of the concept that a change replaces: all, or the one it names."""
    spans = [span for span in layout.spans if dictionary.table.phrases[span.phrase].concept == change.old]
    return spans[change.occurrence - 1 : change.occurrence] if change.occurrence else spans


def _with_room(
    dictionary: Dictionary, part: Codes, layout: Layout, found: Sequence[Change], name: str
) -> tuple[Layout, list[tuple[Change, tuple[int, ...]]]]:
    """Take the pads farthest from the text for tokens that have no row yet; return the layout without them."""
    phrases, last = dictionary.table.phrases, max(layout.roles.end, default=-1)
    pads = [row for row in layout.roles.pad if row > last]  # not those that a chunk before the last may end with
    free = len(pads) - min(RESERVE, len(pads) // 2)
    written: list[tuple[Change, tuple[int, ...]]] = []
    for change in found:
        have = [len(span.rows) for span in _changed_spans(dictionary, layout, change)]
        if change.new is None or (change.old is not None and not have):
            continue  # nothing to write, or said in the leading encoder only: here nothing can be replaced
        phrase = dictionary.phrase(change.new)
        need = int(part.lengths[phrase]) - min(have, default=0)
        if need > free:
            raise ValueError(
                f"Too few pads in {name!r}: writing {phrases[phrase].text!r} needs {need} more rows and the prompt has "
                f"{free} to spare. Shorten the prompt by a few words."
            )
        if need > 0:
            written.append((change, tuple(pads[-need:])))
            del pads[-need:]
            free -= need
    taken = {row for _, rows in written for row in rows}
    pad = tuple(row for row in layout.roles.pad if row not in taken)
    return Layout(layout.spans, layout.roles._replace(pad=pad)), written
