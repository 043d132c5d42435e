"""Apply a change of support to a conditioning: add decode(new support) − decode(old support) to the rows that hold it.

All functions are pure: tensors that came in are never written to, and no edit returns the very same tensor.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from . import edits as edits_module
from .dictionary import POOLED, Dictionary, Part
from .edits import Change, Edit
from .readout import Reading, read
from .slots import Encoder, Layout, company

REST = True
"""Whether fillers, ends and pads move with the company; benchmarks switch it off to measure what it is worth."""


class Edited(NamedTuple):
    """A conditioning after the edits."""

    cond: Tensor
    pooled: Tensor | None
    reading: Reading
    changes: list[Change]


def apply(
    dictionary: Dictionary, cond: Tensor, pooled: Tensor | None, edits: Sequence[Edit], reading: Reading | None = None
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
    made = cond.clone()
    for encoder in dictionary.format.encoders:
        layout = reading.layouts.get(encoder.name)
        if layout is None:
            continue
        rows, step = _difference(dictionary, encoder, layout, len(cond), found, cond.device)
        columns = slice(encoder.first, encoder.last)
        made[rows, columns] = (cond[rows, columns].float() + step).to(cond.dtype)
    return made


def edit_pooled(dictionary: Dictionary, pooled: Tensor, reading: Reading, found: Sequence[Change]) -> Tensor:
    """Return the pooled vector (P,) moved by the additive effect of the concepts, the calibration of each applied."""
    part = dictionary.parts[POOLED]
    move = torch.zeros(len(dictionary.table))
    for change in found:
        for concept, sign in _moves(change):
            move[concept] += sign * _gained(part, change)
    step = (move @ part.effect(0)) @ part.decoder
    return (pooled.float() + step.to(pooled.device)).to(pooled.dtype)


def _moves(change: Change) -> list[tuple[int, float]]:
    sign = 1.0 if change.scale else -1.0
    return [(change.old, sign)] * (change.old is not None) + [(change.new, 1.0)] * (change.new is not None)


def _gained(part: Part, change: Change) -> float:
    concept = change.new if change.new is not None else change.old
    assert concept is not None
    return change.strength * float(part.gain[concept])


def _difference(
    dictionary: Dictionary, encoder: Encoder, layout: Layout, total: int, found: Sequence[Change], device: torch.device
) -> tuple[list[int], Tensor]:
    """Return the rows of one encoder that change, and by how much (rows, columns)."""
    work = _Work(dictionary, encoder, layout, total, found)
    step = work.steps()
    rows = [row for row in range(total) if bool(step[row].any())]
    part = dictionary.parts[encoder.name]
    return rows, (step[rows] @ part.decoder).to(device)


class _Work:
    """The change of one encoder's rows, in codes. Built per call and dropped."""

    def __init__(
        self, dictionary: Dictionary, encoder: Encoder, layout: Layout, total: int, found: Sequence[Change]
    ) -> None:
        self.dictionary, self.encoder, self.found = dictionary, encoder, found
        self.part = dictionary.parts[encoder.name]
        self.chunk = dictionary.format.chunk if encoder.causal else None
        self.size, self.total = len(dictionary.table), total
        self.layout, self.written = _with_room(dictionary, encoder, self.part, layout, found)
        self.old = self._company([self._concept(span.phrase) for span in self.layout.spans], written=False)
        self.new = self.old.clone()
        for change in found:
            self.new += self._alpha(change) * (self._after(change) - self.old)

    def steps(self) -> Tensor:
        """Return (total rows, r)."""
        step = torch.zeros(self.total, self.part.decoder.shape[0])
        moved = self.new - self.old
        if REST:
            for role, rows in enumerate(self.layout.roles):
                slot = len(self.dictionary.table.phrases) + role
                step[list(rows)] = moved[list(rows)] @ self.part.effect(slot)
        for span in self.layout.spans:
            step[list(span.rows)] = self._span_step(span.phrase, span.rows)
        for change, rows in self.written:
            step[list(rows)] = self._written_step(change, rows)
        return step

    def _span_step(self, phrase: int, rows: Sequence[int]) -> Tensor:
        change = next((c for c in self.found if c.old == self._concept(phrase)), None)
        stay = self._phrase(phrase, rows, self.new) - self._phrase(phrase, rows, self.old)
        if change is None:
            return stay
        alpha = self._alpha(change)
        if change.scale:
            mean = self._category_mean(phrase, rows)
            return stay + alpha * (self._phrase(phrase, rows, self.old) - mean)
        become = self._phrase(self.dictionary.table.first_phrase[change.new], rows, self.new) if (
            change.new is not None
        ) else self._pads(rows, self.new)
        return stay + alpha * (become - self._phrase(phrase, rows, self.new))

    def _written_step(self, change: Change, rows: Sequence[int]) -> Tensor:
        """Pads that take the tokens for which the old phrase had no room."""
        assert change.new is not None
        phrase = self.dictionary.table.first_phrase[change.new]
        first = int(self.part.lengths[phrase]) - len(rows)
        own = self.new.clone()
        own[:, [c for c in (change.old, change.new) if c is not None]] = 0
        become = torch.stack([self.part.code(phrase, first + i, own[row]) for i, row in enumerate(rows)])
        stay = self._pads(rows, self.new)
        return stay - self._pads(rows, self.old) + self._alpha(change) * (become - stay)

    def _phrase(self, phrase: int, rows: Sequence[int], labels: Tensor) -> Tensor:
        """Codes (rows, r) of a phrase over rows in a company; where it has no token left, a pad stands in."""
        length = int(self.part.lengths[phrase])
        own = [self.part.code(phrase, i, labels[row]) for i, row in enumerate(rows[:length])]
        return torch.cat([torch.stack(own), self._pads(rows[length:], labels)]) if own else self._pads(rows, labels)

    def _pads(self, rows: Sequence[int], labels: Tensor) -> Tensor:
        slot = self.dictionary.role("pad")
        width = self.part.decoder.shape[0]
        return torch.stack([self.part.code(slot, 0, labels[row]) for row in rows]) if rows else torch.zeros(0, width)

    def _category_mean(self, phrase: int, rows: Sequence[int]) -> Tensor:
        table = self.dictionary.table
        members = table.categories[table.concepts[self._concept(phrase)].category]
        return torch.stack([self._phrase(table.first_phrase[one], rows, self.old) for one in members]).mean(0)

    def _alpha(self, change: Change) -> float:
        return _gained(self.part, change)

    def _concept(self, phrase: int) -> int:
        return self.dictionary.table.phrases[phrase].concept

    def _company(self, concepts: Sequence[int], written: bool, layout: Layout | None = None) -> Tensor:
        return company(layout or self.layout, concepts, self.size, self.total, self.chunk)

    def _after(self, change: Change) -> Tensor:
        """The company of every row once this change alone is fully made."""
        if change.scale:
            assert change.old is not None
            only = torch.zeros(self.size)
            only[change.old] = 1
            return self.old + self.old * only
        spans, concepts = [], []
        for span in self.layout.spans:
            concept = self._concept(span.phrase)
            if concept == change.old:
                if change.new is None:
                    continue
                concept = change.new
            spans.append(span)
            concepts.append(concept)
        made = self._company(concepts, True, Layout(tuple(spans), self.layout.roles))
        for one, rows in self.written:
            if one is change and change.new is not None and change.old is None:
                end = self.layout.roles[1]
                made[slice(None) if self.chunk is None or not end else slice(end[0], None), change.new] = 1
        return made


def _with_room(
    dictionary: Dictionary, encoder: Encoder, part: Part, layout: Layout, found: Sequence[Change]
) -> tuple[Layout, list[tuple[Change, tuple[int, ...]]]]:
    """Take the pads farthest from the text for tokens that have no row yet; return the layout without them."""
    pads = list(layout.roles[2])
    written: list[tuple[Change, tuple[int, ...]]] = []
    for change in found:
        if change.new is None:
            continue
        phrase = dictionary.table.first_phrase[change.new]
        have = [len(s.rows) for s in layout.spans if dictionary.table.phrases[s.phrase].concept == change.old]
        need = int(part.lengths[phrase]) - (min(have) if have else 0)
        if change.old is not None and not have:
            continue  # said in the leading encoder only: here nothing can be replaced
        if need > len(pads):
            raise ValueError(
                f"Too few pads in {encoder.name!r}: writing {dictionary.table.phrases[phrase].text!r} needs {need} more rows and "
                f"the prompt leaves {len(pads)}. Shorten the prompt by {need - len(pads)} words."
            )
        if need > 0:
            written.append((change, tuple(pads[-need:])))
            del pads[-need:]
    roles = list(layout.roles)
    roles[2] = tuple(pads)
    return Layout(layout.spans, tuple(roles)), written
