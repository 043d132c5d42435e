"""What changes add to the rows of one encoder, in codes: decode(new support) − decode(old support), row by row.

docs/method.md, 12, in three steps that add up: a row keeps its slot and moves with its context (*stay* − *old*); from
there the rows of an old phrase go by the gained α towards the new one (*become* − *stay*); what lies in kept
directions is taken out. The decoder is linear, so all of it is done in codes and decoded once.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from einops import reduce
from torch import Tensor

from ..dictionary.model import Codes
from ..encoders.layout import Span
from ..reading.coded import CodedRows
from . import protect
from .change import Change
from .room import Room, changed_spans

REST = True
"""Whether fillers, ends and pads move with their context; benchmarks switch it off to measure what it is worth."""


def off_of(found: Sequence[Change]) -> tuple[tuple[int, ...], ...]:
    """Return what is kept: the same in every change of a stack."""
    return found[0].off if found else ()


def gained(part: Codes, change: Change) -> float:
    """Return the step to apply of a change, calibrated: 1 is the effect of writing the word."""
    concept = change.new if change.new is not None else change.old
    assert concept is not None
    return change.alpha * float(part.gains[concept])


class RowStep:
    """The change of one encoder's rows. Built per call and dropped."""

    def __init__(self, here: CodedRows, room: Room, found: Sequence[Change]) -> None:
        """Work out the context of every row before and after."""
        self.here, self.dictionary, self.part, self.found = here, here.dictionary, here.part, found
        self.layout, self.written = room.layout, room.written
        self.blank = here.dictionary.role("pad" if here.encoder.layout.has_pads else "other")
        self.off, self._bases = off_of(found), dict[int, Tensor]()
        # Every change moves a row's context by its own gained α towards what it would be with that change alone.
        self.old = self._context(self.layout.spans)
        moves = torch.stack([gained(here.part, change) * (self._after(change) - self.old) for change in found])
        # Of several the largest moves either way count, not their sum (15): two values of one category may both be
        # swapped for a third, which is then said once, not twice.
        self.new = self.old + moves.clamp(min=0).amax(0) + moves.clamp(max=0).amin(0)

    def steps(self) -> Tensor:
        """Return (total rows, r)."""
        step = torch.zeros(self.here.rows.total, self.part.decoder.shape[0])
        moved = self.new - self.old
        if REST:  # rows of no concept move by what their context's change does to them
            for role, rows in self.layout.roles.filled().items():
                slot = self.dictionary.role(role)
                step[list(rows)] = self._off(slot, moved[list(rows)] @ self.part.effect(slot))
        # Rows of phrases move too, and change their slot where a change names it;
        for span in self.layout.spans:
            step[list(span.rows)] = self._off(span.phrase, self._span_step(span))
        # blanks take the tokens that have no row yet.
        for change, rows in self.written:
            step[list(rows)] = self._off(self.blank, self._written_step(change, rows))
        return step

    def _off(self, slot: int, step: Tensor) -> Tensor:
        """Project the step of a slot's rows off what is kept."""
        if not self.off:
            return step
        if slot not in self._bases:
            self._bases[slot] = protect.basis(self.part, slot, self.off)
        return protect.projected(step, self._bases[slot])

    def _span_step(self, span: Span) -> Tensor:
        """Return (rows, r) of a phrase's rows: its own in a new context, and by α from there to what replaces it."""
        change = next((c for c in self.found if span in self._spans(c)), None)
        old, stay = (
            self.here.weighted(span.weight, span.rows, self._phrase(span.phrase, span.rows, labels))
            for labels in (self.old, self.new)
        )
        if change is None:
            return stay - old
        if change.scale:  # along what tells the concept from its category, in the old context
            mean = self.here.weighted(span.weight, span.rows, self._category_mean(span))
            return stay - old + gained(self.part, change) * (old - mean)
        # Held against blanks: all rows of what is removed, and those that a shorter phrase leaves over.
        become = self._blanks(span.rows, self.new)
        if change.new is not None:
            phrase = self.dictionary.phrase(change.new)
            held = span.rows[: int(self.part.slot_tokens[phrase])]
            become[: len(held)] = self.here.weighted(span.weight, held, self._phrase(phrase, held, self.new))
        return stay - old + gained(self.part, change) * (become - stay)

    def _written_step(self, change: Change, rows: Sequence[int]) -> Tensor:
        """Return (rows, r) of blanks that take the tokens for which the old phrase had no room, weighted as it was."""
        assert change.new is not None
        phrase = self.dictionary.phrase(change.new)
        # The new phrase's last tokens stand here; its first ones are on the old phrase's rows.
        first, around = int(self.part.slot_tokens[phrase]) - len(rows), self._written_context(change, rows[0])
        become = torch.stack([self.part.code(phrase, first + i, around) for i in range(len(rows))])
        if change.old is not None:
            become = self.here.weighted(self._spans(change)[0].weight, rows, become)
        old, stay = (self._blanks(rows, labels) for labels in (self.old, self.new))
        return stay - old + gained(self.part, change) * (become - stay)

    def _written_context(self, change: Change, row: int) -> Tensor:
        """Return the context (K,) of tokens on blanks: of the span they continue, or of what stands behind all."""
        if change.old is not None:
            return self.new[self._spans(change)[0].rows[0]]
        around = self.new[row].clone()
        around[change.new] = 0  # a phrase is no context of itself
        return around

    def _phrase(self, phrase: int, rows: Sequence[int], labels: Tensor) -> Tensor:
        """Return (rows, r) of a phrase over rows in their contexts; where it has no token left, a blank stands in."""
        length = int(self.part.slot_tokens[phrase])
        own = [self.part.code(phrase, token, labels[row]) for token, row in enumerate(rows[:length])]
        return torch.stack([*own, *self._blanks(rows[length:], labels)])

    def _blanks(self, rows: Sequence[int], labels: Tensor) -> Tensor:
        """Return (rows, r) of rows that say nothing; wherever they stand, their context is that of their part's end."""
        if not rows:
            return torch.zeros(0)
        # Pads hear all that their part says, and so does its end; a row amid the words would hear less.
        ends = dict(zip(self._parts(self.layout.roles.end), self.layout.roles.end, strict=True))
        heard = [ends.get(part, row) for part, row in zip(self._parts(rows), rows, strict=True)]
        return torch.stack([self.part.code(self.blank, 0, labels[row]) for row in heard])

    def _parts(self, rows: Sequence[int]) -> list[int]:
        return self.here.encoder.layout.part(self.here.own, torch.tensor(rows, dtype=torch.int64)).tolist()

    def _category_mean(self, span: Span) -> Tensor:
        """Return (rows, r): the mean of what the concepts of a span's category would be in its rows, as it is now."""
        table = self.dictionary.table
        members = table.categories[table.concepts[table.phrases[span.phrase].concept].category]
        slots = [self.dictionary.writes[one] for one in members]
        codes = [self._phrase(slot, span.rows, self.old) for slot in slots if slot is not None]
        return reduce(torch.stack(codes), "concept row code -> row code", "mean")

    def _spans(self, change: Change) -> list[Span]:
        return changed_spans(self.dictionary, self.layout, change)

    def _context(self, spans: Sequence[Span]) -> Tensor:
        """Return the context (total rows, K) of every row when these spans are said."""
        here, total, ends = self.here, self.here.rows.total, self.layout.roles.closing
        made, reach = here.context(spans), here.encoder.layout.reach(here.own, ends[0], total) if ends else total
        for span in spans:
            # On pads behind the text: heard from its end on, as if the prompt had gone on with it.
            made[reach : span.rows[0], self.dictionary.table.phrases[span.phrase].concept] = 1
        return made

    def _after(self, change: Change) -> Tensor:
        """Return the context (total rows, K) of every row once this change alone is fully made."""
        if change.scale:  # to all other rows the concept is said once more, so that 1 + α is how often it is said
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
        return self._context(spans)
