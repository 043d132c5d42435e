"""Where tokens go that have no row yet: on pads far from the text, or in rows that were inserted for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from ..dictionary.model import Dictionary
from ..encoders.layout import Layout, Span
from ..reading.coded import CodedRows
from .change import Change


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
    pads = pads_behind(layout)
    own = {id(one.change): one.rows for one in (inserted or {}).get(here.encoder.segment, ())}
    written: list[WrittenRows] = []
    for change in found:
        need = lacking(here, layout, change)
        if not need:
            continue
        if id(change) in own:
            written.append(WrittenRows(change, own[id(change)][:need]))
            continue
        if need > len(pads):
            raise ValueError(_too_few(here, change, need, len(pads)))
        written.append(WrittenRows(change, tuple(pads[-need:])))
        del pads[-need:]
    taken = set(chain.from_iterable(one.rows for one in written))
    pad = tuple(row for row in layout.roles.pad if row not in taken)
    return Room(Layout(layout.spans, layout.roles._replace(pad=pad)), tuple(written))


def pads_behind(layout: Layout) -> list[int]:
    """Return the pads behind the end of the text; not those that a part before the last may end with."""
    last = max((*layout.roles.end, *layout.roles.after), default=-1)
    return [row for row in layout.roles.pad if row > last]


def _too_few(here: CodedRows, change: Change, need: int, free: int) -> str:
    assert change.new is not None
    name, phrase = here.encoder.name, here.dictionary.table.phrases[here.dictionary.phrase(change.new)].text
    needs = f"writing {phrase!r} needs {need} more row{'s' * (need > 1)}"
    if not here.encoder.layout.has_pads:
        return (
            f"{name!r} has no pads, so {needs}, which cannot be inserted while the model draws. Edit the conditioning "
            "instead."
        )
    beyond = need - free
    return (
        f"Too few pads in {name!r}: {needs} and the prompt has {free} to spare. Shorten the prompt by at least "
        f"{beyond} word{'s' * (beyond > 1)}."
    )
