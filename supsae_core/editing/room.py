"""Where tokens go that have no row yet: on pads far from the text, or in inserted rows where there are no pads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import chain
from typing import NamedTuple

import torch
from torch import Tensor

from ..dictionary.model import Dictionary
from ..encoders.base import Rows
from ..encoders.layout import Layout, Roles, Span
from ..reading.coded import CodedRows
from ..reading.readout import Reading
from .change import Change

RESERVE = 16
"""Pads that an edit leaves alone, of few pads half: models keep in them what belongs to no word. Not yet measured."""


class WrittenRows(NamedTuple):
    """Rows that take tokens of a change."""

    change: Change
    rows: tuple[int, ...]


class Room(NamedTuple):
    """An encoder's layout without the rows that take new tokens, and these."""

    layout: Layout
    written: tuple[WrittenRows, ...]


Inserted = Mapping[str, Sequence[WrittenRows]]
"""Segment → the rows that were inserted into it, per change."""


class Grown(NamedTuple):
    """A conditioning with the rows that edits need beyond those it had."""

    cond: Tensor
    """(L + inserted, width)"""
    reading: Reading
    inserted: Inserted

    @property
    def rows(self) -> tuple[int, ...]:
        """The inserted rows, in the new count."""
        written = chain.from_iterable(self.inserted.values())
        return tuple(chain.from_iterable(one.rows for one in written))


def changed_spans(dictionary: Dictionary, layout: Layout, change: Change) -> list[Span]:
    """Return the places of the concept that a change replaces: all, or the one it names."""
    spans = [span for span in layout.spans if dictionary.table.phrases[span.phrase].concept == change.old]
    return spans[change.occurrence - 1 : change.occurrence] if change.occurrence else spans


def lacking(here: CodedRows, layout: Layout, change: Change) -> int:
    """Return for how many tokens of its new phrase a change has no row, in one encoder."""
    have = [len(span.rows) for span in changed_spans(here.dictionary, layout, change)]
    if change.new is None or (change.old is not None and not have):
        return 0  # nothing to write, or said in the leading encoder only: here nothing can be replaced
    return max(0, int(here.part.slot_tokens[here.dictionary.phrase(change.new)]) - min(have, default=0))


def room_for(here: CodedRows, layout: Layout, found: Sequence[Change], inserted: Inserted | None = None) -> Room:
    """Find the rows for tokens that have none yet: pads, or rows that were inserted for them.

    Raises:
        ValueError: if there are too few pads, or none and no row was inserted.
    """
    last = max((*layout.roles.end, *layout.roles.after), default=-1)
    pads = [row for row in layout.roles.pad if row > last]  # not those that a part before the last may end with
    free = len(pads) - min(RESERVE, len(pads) // 2)
    own = {id(one.change): one.rows for one in (inserted or {}).get(here.encoder.segment, ())}
    written: list[WrittenRows] = []
    for change in found:
        need = lacking(here, layout, change)
        if not need:
            continue
        if id(change) in own:
            written.append(WrittenRows(change, own[id(change)][:need]))
            continue
        if need > free:
            raise ValueError(_too_few(here, change, need, free))
        written.append(WrittenRows(change, tuple(pads[-need:])))
        del pads[-need:]
        free -= need
    taken = set(chain.from_iterable(one.rows for one in written))
    pad = tuple(row for row in layout.roles.pad if row not in taken)
    return Room(Layout(layout.spans, layout.roles._replace(pad=pad)), tuple(written))


def _too_few(here: CodedRows, change: Change, need: int, free: int) -> str:
    assert change.new is not None
    name, phrase = here.encoder.name, here.dictionary.table.phrases[here.dictionary.phrase(change.new)].text
    if not here.encoder.layout.has_pads:
        return (
            f"{name!r} has no pads, so writing {phrase!r} needs {need} more rows, which cannot be inserted "
            "while the model draws. Edit the conditioning instead."
        )
    return (
        f"Too few pads in {name!r}: writing {phrase!r} needs {need} more rows and the prompt has {free} to "
        "spare. Shorten the prompt by a few words."
    )


def grown(dictionary: Dictionary, cond: Tensor, reading: Reading, found: Sequence[Change]) -> Grown:
    """Insert the rows that edits need in encoders without pads; where none is needed, the very same tensor.

    An inserted row is a word of no concept, as the dictionary decodes it there.
    """
    inserted: dict[str, list[WrittenRows]] = {}
    for segment, encoders in dictionary.family.segments.items():
        if encoders[0].layout.has_pads:
            continue
        for change in found:
            here = [one for one in encoders if one.name in reading.layouts]
            needs = [lacking(reading.coded(dictionary, one), reading.layouts[one.name], change) for one in here]
            count = max(needs, default=0)
            if count:
                first = _behind(dictionary, reading.layouts[here[needs.index(count)].name], change)
                cond, reading, rows = _with_rows(dictionary, cond, reading, segment, first, count)
                for name, some in inserted.items():
                    inserted[name] = [one._replace(rows=_shifted(one.rows, first, count)) for one in some]
                inserted.setdefault(segment, []).append(WrittenRows(change, rows))
    return Grown(cond, reading, inserted)


def _behind(dictionary: Dictionary, layout: Layout, change: Change) -> int:
    """Return the row before which a change's new rows are inserted: behind the old phrase, or at the text's end."""
    if change.old is not None:
        return changed_spans(dictionary, layout, change)[0].rows[-1] + 1
    rows = chain(*layout.roles, *(span.rows for span in layout.spans))
    return layout.roles.closing[0] if layout.roles.closing else max(rows) + 1


def _with_rows(
    dictionary: Dictionary, cond: Tensor, reading: Reading, segment: str, first: int, count: int
) -> tuple[Tensor, Reading, tuple[int, ...]]:
    """Insert rows before a row; return the longer conditioning, its reading, and the new rows, which it calls pads."""
    new = tuple(range(first, first + count))
    moved = _shifted_reading(dictionary, reading, segment, first, new)
    rows = cond.new_zeros(count, cond.shape[1])
    for encoder in dictionary.family.segments[segment]:
        layout = moved.layouts.get(encoder.name)
        if layout is not None:
            here = moved.coded(dictionary, encoder)
            around = here.context(layout.spans)
            codes = [here.part.code(dictionary.role("other"), 0, around[row]) for row in new]
            rows[:, encoder.first : encoder.last] = here.part.decode(torch.stack(codes)).to(rows)
    return torch.cat([cond[:first], rows, cond[first:]]), moved, new


def _shifted_reading(
    dictionary: Dictionary, reading: Reading, segment: str, first: int, new: tuple[int, ...]
) -> Reading:
    names, count = {encoder.name for encoder in dictionary.family.segments[segment]}, len(new)
    shift = partial(_shifted, first=first, count=count)
    layouts = {}
    for name, layout in reading.layouts.items():
        roles = Roles(*map(shift, layout.roles))
        if name in names:
            roles = roles._replace(pad=tuple(sorted((*roles.pad, *new))))
        layouts[name] = Layout(tuple(span._replace(rows=shift(span.rows)) for span in layout.spans), roles)
    own = {}
    for name, rows in reading.rows.own.items():
        inside = name in names and bool(rows)
        before = count if rows and not inside and rows.start >= first else 0
        own[name] = range(rows.start + before, rows.stop + (count if inside else before))
    found = tuple(one._replace(rows=shift(one.rows)) for one in reading.found)
    return Reading(layouts, found, Rows(own, reading.rows.total + count), reading.lead)


def _shifted(rows: Sequence[int], first: int, count: int) -> tuple[int, ...]:
    """Return rows counted anew once so many were inserted before the first."""
    return tuple(row + count if row >= first else row for row in rows)
