"""Edits by the operator of an encoder: what its rows become, change after change in reading order.

docs/method.md, 20. Every change starts from the rows as the one before left them, so that what was swapped is context
of what is swapped next. What the operator was not learnt for is left to the levels (``step.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..dictionary.moving_rows import MovingRows
from ..dictionary.operator import Operator
from ..dictionary.operator_rows import Spot, spot_of, swap_code
from ..encoders.layout import Span
from ..reading.coded import CodedRows
from . import protect
from .change import Change
from .room import Room, changed_spans
from .step import gained, off_of

Levels = Callable[[], Tensor]
"""Gives what the levels add to an encoder's rows (L, d)."""


class ChangePlace(NamedTuple):
    """One mention that a change is made at, or the end of the text, where a phrase is added."""

    change: Change
    span: Span | None
    written: tuple[int, ...]
    """rows that take the tokens for which the old phrase has none"""


class OperatorStep:
    """The change of one encoder's rows. Built per call and dropped."""

    def __init__(self, here: CodedRows, operator: Operator, room: Room, found: Sequence[Change]) -> None:
        """Put the changes into reading order."""
        self.here, self.operator, self.layout, self.off = here, operator, room.layout, off_of(found)
        self.room = room
        self.dictionary, self.part, self.own = here.dictionary, here.part, here.own
        self.written = {row: one.change for one in room.written for row in one.rows}
        self.z: MovingRows | None = None
        self.places = list[ChangePlace]()
        for change in found:
            rows = next((one.rows for one in room.written if one.change is change), ())
            if change.old is None:
                self.places.append(ChangePlace(change, None, rows))
            for number, span in enumerate(self._spans(change)):
                self.places.append(ChangePlace(change, span, () if number else rows))
        self.places.sort(key=self.place_of)

    def place_of(self, one: ChangePlace) -> tuple[int, ...]:
        """Return what orders changes as they are read."""
        return one.span.rows if one.span else (self.own.stop,)

    def step(self, rows: Tensor, levels: Levels, into: Tensor) -> None:
        """Write what the changes add to the rows into a step (L, d) of zeros, float32.

        Args:
            rows: (L, d) as they are.
            levels: what the levels would add to them; asked only if some rows are left to them.
        """
        plain = self.without_weights(rows)
        self.z = z = self.operator.moving(plain, self.own)
        for place in self.places:
            self.make(z, place)
        z.step(into)
        self.finish(into, plain, levels)

    def codes(self, step: Tensor) -> Tensor:
        """Return what the step (L, d) that was made adds to the codes (own rows, r)."""
        assert self.z is not None
        made, others = self.z.codes(self.dictionary.written[self.here.encoder.name]), {*self.z.replaced}
        for span in self.layout.spans:
            others |= {*span.rows} if span.weight != 1 else set()
        others = [*self.own] if self.off else sorted(others | {*self._by_levels().tolist()})
        made[torch.tensor(others, dtype=torch.int64) - self.own.start] = step[others] @ self.part.decoder.T
        return made

    def finish(self, step: Tensor, plain: Tensor, levels: Levels, z: Tensor | None = None) -> None:
        """Give a step (L, d) weights, what is left to the levels and what is kept, in place.

        Args:
            step: what the changes made of the rows.
            plain: (L, d) the rows without weights.
            levels: as of ``step``.
            z: (L, d) the rows with all changes made; None if there are no others.
        """
        for span in self.layout.spans:
            step[list(span.rows)] *= span.weight
        for place in self.places:  # what stands on blanks gets the weight of what it continues
            if self.told and place.written and place.span is not None and place.span.weight != 1:
                here, nothing = list(place.written), self._empty(place.written)
                made = plain[here] + step[here] if z is None else z[here]
                step[here] = nothing + place.span.weight * (made - nothing) - plain[here]
        by_levels = self._by_levels()
        if len(by_levels):
            step[by_levels] = levels()[by_levels]
        if self.off:
            off_kept(step, self.here, self.room, self.off)

    def make(self, z: MovingRows, place: ChangePlace) -> None:
        """Make one change at one place in rows, in place."""
        change, alpha, spot = place.change, gained(self.part, place.change), self._spot(place)
        old = place.span.phrase if place.span else None
        new = None if change.new is None else self.dictionary.phrase(change.new)
        rows = [*spot.span, *place.written] if self.operator.phrase is not None and not change.scale else []
        residual = z.residual(spot, old)
        target = self.operator.phrase_rows(z, spot, residual, new) if rows and new is not None else None
        outside, moved = spot.rows[:0], self.operator.outputs.new_zeros(0, len(self.operator.outputs))
        if self.operator.rest is not None:
            code = self._category_code(change) if change.scale else swap_code(self.operator.frame, old, new)
            outside, moved = spot.rows, self.operator.rest_step(z, spot, residual, *code)
        count = 0 if target is None else min(len(target.x), len(rows))
        pads = [row for row in self.layout.roles.pad if row in self.own] if len(rows) > count else []
        if pads:  # what nothing is written on says nothing, as this prompt's pads will
            z.write(rows[count:], z.mean_moved(pads, outside, moved), alpha)
        if target is not None:
            z.write(rows[:count], target.first(count), alpha)
        z.move(outside, moved, alpha)

    def _spot(self, place: ChangePlace) -> Spot:
        if place.span is not None:
            span, first = place.span.rows, place.span.rows[0]
        else:
            roles = self.layout.roles
            ends = (*roles.end[-1:], *roles.after[:1])
            words = (*roles.other, *(row for one in self.layout.spans for row in one.rows))
            span, first = (), ends[0] if ends else max(words, default=self.own.start - 1) + 1
        return spot_of(self.dictionary.family, self.here.encoder, self.own, self.layout, span, first)

    def _category_code(self, change: Change) -> tuple[Tensor, float]:
        """Return what tells a concept from its category (P,), as a change."""
        table = self.dictionary.table
        members = table.categories[table.concepts[change.old or 0].category]
        slots = [slot for slot in (self.dictionary.writes[one] for one in members) if slot is not None]
        code, _ = swap_code(self.operator.frame, None, self.dictionary.phrase(change.old or 0))
        code[slots] -= 1 / len(slots)
        return code, 0.0

    def _by_levels(self) -> Tensor:
        """Return the rows that are left to the levels."""
        inside = {row for place in self.places if place.span for row in place.span.rows} | set(self.written)
        scaled = {row for one in self.places if one.change.scale and one.span for row in one.span.rows}
        rows = set(scaled)
        if self.operator.phrase is None:
            rows |= inside
        elif self._blank_rows_missing():
            rows |= self._left_over()
        if self.operator.rest is None:
            rows |= set(self.own) - inside
        return torch.tensor(sorted(rows), dtype=torch.int64)

    def _blank_rows_missing(self) -> bool:
        return not any(row in self.own for row in self.layout.roles.pad)

    def _left_over(self) -> set[int]:
        """Return rows of old phrases that no token of a new one takes."""
        found = set[int]()
        for place in self.places:
            if place.span is not None and not place.change.scale:
                new = place.change.new
                tokens = 0 if new is None else int(self.part.slot_tokens[self.dictionary.phrase(new)])
                found |= set(place.span.rows[tokens:])
        return found

    def without_weights(self, rows: Tensor) -> Tensor:
        """Return the rows as they would be without prompt weights (11), or themselves if there are none.

        Or if it is not known what ComfyUI weighs about: then a weight only makes the step longer.
        """
        if not self.told or all(span.weight == 1 for span in self.layout.spans):
            return rows
        plain = rows.clone()
        for span in self.layout.spans:
            if span.weight != 1:
                here, nothing = list(span.rows), self._empty(span.rows)
                plain[here] = nothing + (rows[here] - nothing) / span.weight
        return plain

    @property
    def told(self) -> bool:
        """Whether conditionings of this family hold what prompt weights move rows away from."""
        return self.dictionary.family.weighted

    def _empty(self, rows: Sequence[int]) -> Tensor:
        return self.part.decode(self.here.empty(rows))

    def _spans(self, change: Change) -> list[Span]:
        return [] if change.old is None else changed_spans(self.dictionary, self.layout, change)


def add_steps(some: Sequence[tuple[OperatorStep | None, Levels]], rows: Tensor, into: Tensor) -> OperatorStep | None:
    """Add what members of a combined dictionary add to an encoder's rows to a step (L, d), float32 on the CPU.

    Their changes are made in reading order, whoever's they are, each from the rows as the one before left them; what
    each member's own made of the rows is then finished by it alone.

    Args:
        some: of every member that changes something its operator's step, if it has one, and what its levels add.
        rows: (L, d) as they are.
        into: zeros in the encoder's own rows.

    Returns:
        what made all of it, if that is one operator.
    """
    steps, plain = [(one, levels) for one, levels in some if one is not None], rows.float().cpu()
    if len(steps) == 1:
        steps[0][0].step(plain, steps[0][1], into)
    elif steps:
        into += _together(steps, plain)
    for one, levels in some:
        if one is None:
            into += levels()
    return some[0][0] if len(some) == 1 else None


def _together(steps: Sequence[tuple[OperatorStep, Levels]], plain: Tensor) -> Tensor:
    """Return what several operators' steps add to rows (L, d)."""
    for one, _ in steps:
        plain = one.without_weights(plain)
    z, moved = plain.clone(), {one: torch.zeros_like(plain) for one, _ in steps}
    places = [(one, place) for one, _ in steps for place in one.places]
    for one, place in sorted(places, key=lambda pair: pair[0].place_of(pair[1])):
        rows, added = one.operator.moving(z, one.own), torch.zeros_like(z)
        one.make(rows, place)
        rows.step(added)
        moved[one] += added
        z += added
    for one, levels in steps:
        one.finish(moved[one], plain, levels, z)
    return sum(moved.values(), torch.zeros_like(plain))


def off_kept(step: Tensor, here: CodedRows, room: Room, off: Sequence[Sequence[int]]) -> None:
    """Project what every row of a step (L, d) takes off what is kept (16), in place.

    Args:
        here: the rows in the codes of who knows what is kept.
        room: what they hold, and the rows that take new tokens.
        off: per kept category its concepts.
    """
    slots = {row: here.dictionary.role(name) for name, rows in room.layout.roles.filled().items() for row in rows}
    slots |= {row: span.phrase for span in room.layout.spans for row in span.rows}
    blank = here.dictionary.role("pad" if here.encoder.layout.has_pads else "other")
    slots |= {row: blank for one in room.written for row in one.rows}
    for slot in set(slots.values()):
        rows = [row for row, own in slots.items() if own == slot]
        step[rows] = protect.off_rows(step[rows], here.part, slot, off)
