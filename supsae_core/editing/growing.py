"""Rows that edits need beyond those a conditioning has, made as a longer text would have them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor

from ..dictionary.model import Dictionary
from ..encoders.base import Encoder, Rows
from ..encoders.layout import Layout, Roles
from ..reading.members import narrowed
from ..reading.readout import Reading
from .change import Change
from .members import shares
from .room import Inserted, WrittenRows, changed_spans, lacking, pads_behind

Maker = Callable[[Reading], tuple[Dictionary, Reading]]
"""Given what was read, returns whose codes new rows are made in, and what that one reads."""
RESERVE = 16
"""Pads, of few half of them, that an edit leaves alone where it can: models keep in them what belongs to no word."""
NEW = -1


class Grown(NamedTuple):
    """A conditioning with the rows that edits need beyond those it had."""

    cond: Tensor
    """(L, width)"""
    reading: Reading
    before: tuple[int, ...]
    """(L,) the row that each was before, −1 of those that were inserted"""
    inserted: Inserted = MappingProxyType({})


def grown(dictionary: Dictionary, cond: Tensor, reading: Reading, found: Sequence[Change]) -> Grown:
    """Make the rows that edits lack; where none is lacking, the very same tensor.

    Where there are no pads, or so few that the reserve would be needed, or where words must stand in order, rows are
    inserted into the text, and pads behind it go for them as far as there are any. A text in chunks gets one more, as
    the empty prompt's.
    """
    now, maker = Grown(cond, reading, tuple(range(len(cond)))), _maker(dictionary, reading, found)
    for segment, encoders in dictionary.family.segments.items():
        here = [one for one in encoders if one.name in reading.layouts]
        lacks = {one.name: [_lacking(dictionary, reading, one, change) for change in found] for one in here}
        short = next((one for one in here if sum(lacks[one.name]) > _free(one, reading)), None)
        if short is None:
            continue
        if short.layout.more > 1:
            now = _with_part(dictionary, maker, now, segment, short)
        elif _may_insert(short, here):  # for all or none, so that the text ends where a longer one would
            for number, change in enumerate(found):
                most = max(here, key=lambda one: lacks[one.name][number])
                if lacks[most.name][number]:
                    now = _with_words(dictionary, maker, now, segment, most, change)
    return now


def _maker(dictionary: Dictionary, reading: Reading, found: Sequence[Change]) -> Maker:
    """Return who makes new rows: of a combined dictionary the first member that changes something."""
    some = shares(dictionary, reading, found) if dictionary.members else []
    if not some or some[0].member is None:
        return lambda whole: (dictionary, whole)
    member = some[0].member
    return lambda whole: (member.dictionary, narrowed(dictionary, member, whole))


def _lacking(dictionary: Dictionary, reading: Reading, encoder: Encoder, change: Change) -> int:
    return lacking(reading.coded(dictionary, encoder), reading.layouts[encoder.name], change)


def _free(encoder: Encoder, reading: Reading) -> int:
    return 0 if encoder.layout.in_order else spare(reading.layouts[encoder.name])


def spare(layout: Layout) -> int:
    """Return on how many pads edits write before they ask for more rows."""
    pads = len(pads_behind(layout))
    return pads - min(RESERVE, pads // 2)


def _may_insert(encoder: Encoder, here: Sequence[Encoder]) -> bool:
    """Tell whether rows can be inserted: beside pads not where a mask hides them, nor where several texts end."""
    layout = encoder.layout
    beside_pads = layout.in_order or (len(here) == 1 and not layout.masked)
    return layout.more == 1 and (not layout.has_pads or beside_pads)


def _with_words(
    dictionary: Dictionary, maker: Maker, now: Grown, segment: str, encoder: Encoder, change: Change
) -> Grown:
    """Insert rows for a change behind the phrase that it replaces, or at the end of the text; pads go for them."""
    layout, need = now.reading.layouts[encoder.name], _lacking(dictionary, now.reading, encoder, change)
    gone = {*pads_behind(layout)[-need:]}
    order = [row for row in range(len(now.cond)) if row not in gone]
    first = _place(dictionary, layout, change)
    place = sum(row < first for row in order)
    order[place:place] = [NEW] * need
    new = tuple(range(place, place + need))
    made = _laid_out(dictionary, maker, now, segment, order, lambda _: Roles(pad=new))
    written = (*made.inserted.get(segment, ()), WrittenRows(change, new))
    return made._replace(inserted={**made.inserted, segment: written})


def _place(dictionary: Dictionary, layout: Layout, change: Change) -> int:
    """Return the row before which a change's new rows come: behind the old phrase, or at the text's end."""
    if change.old is not None:
        return changed_spans(dictionary, layout, change)[0].rows[-1] + 1
    rows = chain(*layout.roles, *(span.rows for span in layout.spans))
    return layout.roles.closing[0] if layout.roles.closing else max(rows) + 1


def _with_part(dictionary: Dictionary, maker: Maker, now: Grown, segment: str, encoder: Encoder) -> Grown:
    """Append a part to the rows of a segment, as the empty prompt has it."""
    stop = now.reading.rows.of(encoder).stop
    new = range(stop, stop + encoder.layout.more)
    order = [*range(stop), *[NEW] * len(new), *range(stop, len(now.cond))]
    return _laid_out(
        dictionary, maker, now, segment, order, lambda one: one.layout.roles(new, one.layout.ends(new, 0), set())
    )


def _laid_out(
    dictionary: Dictionary, maker: Maker, now: Grown, segment: str, order: Sequence[int],
    roles: Callable[[Encoder], Roles],
) -> Grown:  # fmt: skip
    """Return the rows in another order, with new ones in a segment, whose roles there are given by encoder."""
    where = {row: place for place, row in enumerate(order) if row != NEW}
    new = [place for place, row in enumerate(order) if row == NEW]
    here = [one for one in dictionary.family.segments[segment] if one.name in now.reading.layouts]
    reading = _moved(now.reading, where, {one.name: roles(one) for one in here}, len(order))
    cond = now.cond.new_zeros(len(order), now.cond.shape[1])
    cond[list(where.values())] = now.cond[list(where)]
    for encoder in here:
        cond[new, encoder.first : encoder.last] = _new_rows(maker, cond, reading, encoder, new).to(cond)
    before = tuple(NEW if row == NEW else now.before[row] for row in order)
    inserted = {
        name: tuple(one._replace(rows=tuple(where[row] for row in one.rows)) for one in some)
        for name, some in now.inserted.items()
    }
    return Grown(cond, reading, before, inserted)


def _new_rows(maker: Maker, cond: Tensor, whole: Reading, encoder: Encoder, new: Sequence[int]) -> Tensor:
    """Return what an encoder writes in new rows (new, d): pads of a new part, else words of no concept."""
    dictionary, reading = maker(whole)
    here, layout = reading.coded(dictionary, encoder), reading.layouts[encoder.name]
    if encoder.layout.more > 1:
        rows = here.part.decode(here.empty(new))
        rows[0] = cond[here.own.start, encoder.first : encoder.last]  # every part starts alike
        return rows
    around, role = here.context(layout.spans), dictionary.role("pad" if encoder.layout.has_pads else "other")
    return here.part.decode(torch.stack([here.part.code(role, 0, around[row]) for row in new]))


def _moved(reading: Reading, where: dict[int, int], new: dict[str, Roles], total: int) -> Reading:
    """Return a reading in other rows; those that went are left out, those that came have the given roles."""

    def moved(rows: Sequence[int]) -> tuple[int, ...]:
        return tuple(where[row] for row in rows if row in where)

    layouts, own = {}, dict[str, range]()
    for name, layout in reading.layouts.items():
        spans = tuple(span._replace(rows=moved(span.rows)) for span in layout.spans)
        added = new.get(name, Roles())
        merged = Roles(*(tuple(sorted((*moved(a), *b))) for a, b in zip(layout.roles, added, strict=True)))
        layouts[name] = Layout(spans, merged)
    for name, rows in reading.rows.own.items():
        some = [*moved(rows), *chain(*new.get(name, ()))]
        own[name] = range(min(some), max(some) + 1) if some else range(0)
    found = tuple(one._replace(rows=moved(one.rows)) for one in reading.found)
    return Reading(layouts, found, Rows(own, total), reading.lead)
