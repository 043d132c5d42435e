"""Apply a change of support to a conditioning: add decode(new support) − decode(old support) to the rows that hold it.

The model is docs/method.md, 12. All functions are pure: tensors that came in are never written to, and no edit returns
the very same tensor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor

from ..dictionary.model import Dictionary
from ..encoders.placing import written_rows
from ..reading.readout import Reading, read_conditioning
from .change import Change
from .edits import AnyEdit, expected, resolve_edits
from .features import cond_step, pooled_step
from .growing import grown
from .room import Inserted, changed_spans, room_for


class Edited(NamedTuple):
    """A conditioning after the edits."""

    cond: Tensor
    """(L, width), longer where an encoder has no pads to write on, or too few"""
    pooled: Tensor | None
    reading: Reading
    """what was read before, in the rows of ``cond``"""
    changes: list[Change]
    inserted: Inserted = MappingProxyType({})
    """rows that were inserted for words of changes"""
    before: tuple[int, ...] = ()
    """(L,) the row that each row of ``cond`` was before, −1 of those that were inserted; empty without changes"""
    shown: tuple[int, ...] = ()
    """rows that a mask hid as pads and that hold words now"""
    codes: Mapping[str, Tensor] = MappingProxyType({})
    """encoder → the codes (own rows, r) of the rows, where they are known without reading them"""


def apply(
    dictionary: Dictionary, cond: Tensor, pooled: Tensor | None, edits: Sequence[AnyEdit],
    reading: Reading | None = None,
) -> Edited:  # fmt: skip
    """Edit one conditioning.

    Args:
        cond: (L, width); dtype and device are kept, and L where the encoders have pads.
        pooled: (P,) or None.
        edits: at most one a category; together they are one change of support.
        reading: where the concepts stand, if known; else read from the rows.

    Raises:
        ValueError: if a concept is unknown or not found, or a prompt leaves too few pads.
    """
    reading = reading or read_conditioning(dictionary, cond, expected(dictionary.table, edits))
    found = resolve_edits(dictionary, edits, reading.concepts(dictionary))
    return apply_changes(dictionary, cond, pooled, reading, found)


def apply_changes(
    dictionary: Dictionary, cond: Tensor, pooled: Tensor | None, reading: Reading, found: list[Change],
    codes: Mapping[str, Tensor] = MappingProxyType({}),
) -> Edited:  # fmt: skip
    """Edit one conditioning, as ``apply`` does, by what ``resolve_edits`` found against what it says.

    Args:
        codes: encoder → the codes (own rows, r) of the rows, as far as they are known from reading them.

    Raises:
        ValueError: if a prompt leaves too few pads.
    """
    if not found:
        return Edited(cond, pooled, reading, [])
    longer = grown(dictionary, cond, reading, found)
    step = cond_step(dictionary, longer.cond, longer.reading, found, longer.inserted)
    exact = longer.cond is cond and cond.dtype == torch.float32  # what is rounded may be read otherwise
    then = step.codes(dictionary, codes) if exact else {}
    return Edited(
        _stepped(longer.cond, step.rows),
        None if pooled is None else edit_pooled(dictionary, pooled, reading, found),
        longer.reading,
        found,
        longer.inserted,
        longer.before,
        _shown(dictionary, longer.reading, found, longer.inserted),
        then,
    )


def edit_cond(
    dictionary: Dictionary, cond: Tensor, reading: Reading, found: Sequence[Change], inserted: Inserted | None = None
) -> Tensor:
    """Return the rows (L, width) with the changes made in every encoder."""
    return _stepped(cond, cond_step(dictionary, cond, reading, found, inserted).rows)


def _stepped(cond: Tensor, step: Tensor) -> Tensor:
    """Return rows with a step made, which is used up: the sum takes its memory where it can."""
    still = ~written_rows(step).to(cond.device)
    alike = (step.dtype, step.device) == (cond.dtype, cond.device)
    made = step.add_(cond) if alike else added(cond, step)
    made[still] = cond[still]  # a zero of theirs may have a sign
    return made


def edit_pooled(dictionary: Dictionary, pooled: Tensor, reading: Reading, found: Sequence[Change]) -> Tensor:
    """Return the pooled vector (P,) moved by the additive effect of the concepts, the calibration of each applied.

    What is said or written in rows that it does not hear leaves it as it is.

    Raises:
        ValueError: if the vector has another width than the dictionary's.
    """
    if pooled.shape != (dictionary.family.pooled_width,):
        raise ValueError(
            f"A pooled vector of shape {tuple(pooled.shape)} is not of the family {dictionary.family.name!r}, which "
            f"has ({dictionary.family.pooled_width},). Use the dictionary with the model it was made for."
        )
    step = pooled_step(dictionary, reading, found)
    return added(pooled, step) if bool(step.any()) else pooled


def in_order(dictionary: Dictionary, made: Edited) -> Tensor:
    """Return the rows (L, width) of an edited conditioning as they would be written, to read them again."""
    return ordered(made.cond, written_order(dictionary, made))


def ordered_codes(made: Edited, order: Sequence[int]) -> Mapping[str, Tensor]:
    """Return the known codes of an edited conditioning as its rows stand in an order of ``written_order``."""
    if order == sorted(order):
        return made.codes
    found = dict[str, Tensor]()
    for name, codes in made.codes.items():
        own = made.reading.rows.own[name]
        found[name] = codes[torch.tensor(order[own.start : own.stop]) - own.start]
    return found


def ordered(cond: Tensor, order: Sequence[int]) -> Tensor:
    """Return rows (L, width) in an order; the very same tensor if they stand in it."""
    return cond if order == sorted(order) else cond[order]


def written_order(dictionary: Dictionary, made: Edited) -> list[int]:
    """Return the rows of an edited conditioning in the order in which they would be written.

    A phrase that is longer than the one it replaces ends in pads far behind the text. The transformer does not mind the
    order of rows, but a reader does. Of the leading encoder alone, which decides what is said.
    """
    reading, inserted = (
        made.reading,
        {*chain.from_iterable(one.rows for some in made.inserted.values() for one in some)},
    )
    encoder, order = reading.encoders(dictionary.family)[-1], list(range(reading.rows.total))
    if not encoder.layout.has_pads:
        return order
    layout, own, part = reading.layouts[encoder.name], reading.rows.of(encoder), encoder.layout.part
    for change, rows in room_for(reading.coded(dictionary, encoder), layout, made.changes, made.inserted).written:
        far = change.old is not None and inserted.isdisjoint(rows)  # what was inserted stands where it belongs
        spans = changed_spans(dictionary, layout, change) if far else []
        ends = part(own, torch.tensor([spans[0].rows[-1], rows[0]])) if spans else None
        if ends is not None and bool(ends[0] == ends[1]):  # a part's own rows go round, the others stay
            order = [row for row in order if row not in rows]
            place = order.index(spans[0].rows[-1]) + 1
            order[place:place] = rows
    return order


def _shown(dictionary: Dictionary, reading: Reading, found: Sequence[Change], inserted: Inserted) -> tuple[int, ...]:
    """Return the masked pads that changes write words on."""
    shown: list[int] = []
    for encoder in reading.encoders(dictionary.family):
        if encoder.layout.masked and encoder.layout.has_pads:
            room = room_for(reading.coded(dictionary, encoder), reading.layouts[encoder.name], found, inserted)
            shown += chain.from_iterable(one.rows for one in room.written)
    return tuple(dict.fromkeys(shown))


def added(tensor: Tensor, step: Tensor) -> Tensor:
    """Return the sum of two tensors of one shape in the more precise of both types, in the first's type and device."""
    return (tensor + step.to(tensor.device)).to(tensor.dtype)
