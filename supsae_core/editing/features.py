"""What changes add to the rows of a conditioning, to its pooled vector, and to features inside the model.

Of a combined dictionary each member makes the changes of its own concepts (docs/method.md, 21).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..dictionary.model import POOLED, Codes, Dictionary
from ..encoders.base import Encoder, Pooled
from ..encoders.layout import Layout
from ..encoders.placing import heard_by_pooled
from ..reading.coded import CodedRows
from ..reading.members import narrowed
from ..reading.readout import Reading
from . import protect
from .change import Change
from .members import Share, kept_of, rows_for_new, shares
from .operate import Levels, OperatorStep, add_steps, off_kept
from .room import Inserted, room_for
from .step import RowStep, gained, off_of


class CondStep(NamedTuple):
    """What changes add to the rows of a conditioning."""

    rows: Tensor
    """(L, width) float32 on the CPU"""
    made: Mapping[str, OperatorStep]
    """encoder → what made all of its rows' step, where that is one operator"""

    def codes(self, dictionary: Dictionary, known: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the codes (rows, r) of encoders' rows after the step, of those whose codes before it are known."""
        found = dict[str, Tensor]()
        for name in self.made.keys() & known.keys():
            encoder = dictionary.family.encoder(name)
            found[name] = known[name] + self.made[name].codes(self.rows[:, encoder.first : encoder.last])
        return found


def cond_step(
    dictionary: Dictionary, cond: Tensor, reading: Reading, found: Sequence[Change], inserted: Inserted | None = None
) -> CondStep:
    """Return what changes add to the rows (L, width) of the conditioning that was read."""
    step, by = torch.zeros(reading.rows.total, dictionary.family.width), dict[str, OperatorStep]()
    some = shares(dictionary, reading, found)
    for encoder in reading.encoders(dictionary.family):
        columns = slice(encoder.first, encoder.last)
        rows, made = cond[:, columns], rows_for_new(dictionary, encoder, reading, found, inserted)
        one = add_steps([_own_step(one, encoder, one.inserted(made)) for one in some], rows, step[:, columns])
        by |= {} if one is None else {encoder.name: one}
        _off_others(dictionary, encoder, reading, found, step[:, columns], some, made)
    return CondStep(step, by)


def _own_step(one: Share, encoder: Encoder, inserted: Inserted) -> tuple[OperatorStep | None, Levels]:
    """Return what a member's operator makes of an encoder's rows, if it has one, and what gives its levels' steps."""
    dictionary, reading = one.dictionary, one.reading
    here = reading.coded(dictionary, encoder)
    room = room_for(here, reading.layouts[encoder.name], one.changes, inserted)

    def levels() -> Tensor:
        return RowStep(here, room, one.changes).steps() @ here.part.decoder

    operator = dictionary.operators.get(encoder.name)
    return OperatorStep(here, operator, room, one.changes) if operator is not None else None, levels


def _off_others(
    dictionary: Dictionary, encoder: Encoder, reading: Reading, found: Sequence[Change], step: Tensor,
    some: Sequence[Share], inserted: Inserted | None,
) -> None:  # fmt: skip
    """Project a step (L, d) off what is kept of members that did not make all of it, in place."""
    for member in dictionary.members if off_of(found) else ():
        off = kept_of(member, found[0])
        if off and [one.member for one in some] != [member]:
            own = narrowed(dictionary, member, reading)
            here, layout = own.coded(member.dictionary, encoder), own.layouts[encoder.name]
            taken = [row for one in (inserted or {}).get(encoder.segment, ()) for row in one.rows]
            roles = layout.roles._replace(pad=tuple(row for row in layout.roles.pad if row not in taken))
            blank = room_for(here, Layout(layout.spans, roles), ())
            off_kept(step, here, blank, off)


def rows_step(here: CodedRows, layout: Layout, found: Sequence[Change], inserted: Inserted | None = None) -> Tensor:
    """Return what changes add to the rows (total, d) of an encoder's columns, or of a text stream in the model.

    Other rows get zeros. What the encoder let its rows hear still decides inside the model.
    """
    return RowStep(here, room_for(here, layout, found, inserted), found).steps() @ here.part.decoder


def pooled_step(dictionary: Dictionary, reading: Reading, found: Sequence[Change]) -> Tensor:
    """Return what changes add to the pooled vector (P,), the columns of every encoder that made it on their own.

    The columns of an encoder that wrote nothing stay as they are.
    """
    if dictionary.members:
        some = shares(dictionary, reading, found)
        steps = [pooled_step(one.dictionary, one.reading, one.changes) for one in some]
        step = sum(steps, torch.zeros(dictionary.family.pooled_width))
        return _pooled_off_others(dictionary, found, step, some)
    step = torch.zeros(dictionary.family.pooled_width)
    for one in dictionary.family.pooled:
        heard = [change for change in found if _is_heard(dictionary, reading, one, change)]
        if heard:
            own = additive_step(dictionary, dictionary.parts[POOLED], reading, heard)[0]
            step[one.first : one.last] = own[one.first : one.last]
    return step


def _pooled_off_others(dictionary: Dictionary, found: Sequence[Change], step: Tensor, some: Sequence[Share]) -> Tensor:
    """Return a step (P,) projected as ``_off_others`` does."""
    for member in dictionary.members if off_of(found) else ():
        off = kept_of(member, found[0])
        if off and [one.member for one in some] != [member]:
            step = protect.off_rows(step, member.dictionary.parts[POOLED], 0, off)
    return step


def additive_step(dictionary: Dictionary, part: Codes, reading: Reading, found: Sequence[Change]) -> Tensor:
    """Return what changes add to the features (S, d) of S slots that hear every concept of the prompt alike."""
    move = torch.zeros(len(dictionary.table))
    for change in found:
        alpha = gained(part, change)
        if change.old is not None and (change.scale or not _said_elsewhere(dictionary, reading, change)):
            move[change.old] = alpha if change.scale else -alpha
        if change.new is not None:
            move[change.new] = alpha
    off = off_of(found)
    steps = [move @ part.effect(slot) for slot in range(len(part.slot_tokens))]
    if off:
        steps = [protect.projected(step, protect.basis(part, slot, off)) for slot, step in enumerate(steps)]
    return torch.stack(steps) @ part.decoder


def _said_elsewhere(dictionary: Dictionary, reading: Reading, change: Change) -> bool:
    """Tell whether a concept goes on being said because only one of its mentions changes."""
    return bool(change.occurrence) and reading.concepts(dictionary).count(change.old or 0) > 1


def _is_heard(dictionary: Dictionary, reading: Reading, pooled: Pooled, change: Change) -> bool:
    """Tell whether a change touches the text that columns of a pooled vector are made of."""
    if pooled.encoder is None:
        return True  # no rows show what it heard: all that the prompt says
    encoder = dictionary.family.encoder(pooled.encoder)
    if encoder.name not in reading.layouts:
        return False
    if change.old is None:
        room = encoder.layout.pooled_room
        return room is None or len(reading.rows.of(encoder)) <= room
    spans = heard_by_pooled(encoder, reading.layouts[encoder.name], reading.rows)
    said = [dictionary.table.phrases[span.phrase].concept for span in spans]
    return said.count(change.old) >= max(change.occurrence, 1)
