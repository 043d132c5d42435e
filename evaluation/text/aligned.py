"""Which rows of a prompt and of a rewrite of it stand for one another, by kind of row.

A new phrase that is longer than the old one ends on the last pads, as an edit writes it; what a shorter one leaves over
stands for pads of the rewrite. Rows that stand for none, such as the comma before an added phrase, are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from torch import Tensor

from ...supsae_core.editing.apply import Edited
from ...supsae_core.encoders.base import Family
from ...supsae_core.encoders.layout import Layout

CHANGED, PHRASES = "swapped phrase", "other phrases"
KINDS = {"start": "start", "other": "fillers", "end": "end", "pad": "pads", "before": "template", "after": "template"}
"""Role → kind of row."""
EVERY = (CHANGED, PHRASES, *dict.fromkeys(KINDS.values()))
Mentions = Sequence[tuple[int | None, int | None]]
"""Mention of a prompt, mention of its rewrite: which stand for one another; None where one is added or removed"""


class Block(NamedTuple):
    """Rows of one kind in one encoder."""

    kind: str
    columns: slice
    here: list[int]
    there: list[int]

    def in_place(self) -> Block:
        """Return the same rows of the prompt beside the rewrite's rows of the same numbers."""
        return self._replace(there=self.here)

    def off(self, made: Tensor, rewrite: Tensor) -> float:
        """Return the squared distance between rows (L, width) of the prompt's order and the rewrite's."""
        apart = made[self.here, self.columns] - rewrite[self.there, self.columns]
        return float(apart.double().square().sum())


def blocks(family: Family, one: Mapping[str, Layout], other: Mapping[str, Layout], mentions: Mentions) -> list[Block]:
    """Align the layouts of a prompt and of its rewrite, encoder by encoder."""
    found = []
    for encoder in family.encoders:
        if encoder.name in one and encoder.name in other:
            columns = slice(encoder.first, encoder.last)
            for kind, here, there in _kinds(one[encoder.name], other[encoder.name], mentions):
                found += [Block(kind, columns, here, there)] if here else []
    return found


class AlignedPlaces(NamedTuple):
    """Where mentions stand, rows of a prompt beside rows of its rewrite, and the pads that none takes."""

    rows: list[tuple[list[int], list[int]]]
    """per mention"""
    pads: list[int]
    blanks: list[int]
    """of the rewrite"""


def places(one: Layout, other: Layout, mentions: Mentions) -> AlignedPlaces:
    """Place every mention, token by token; a longer phrase takes the last pads."""
    found, pads, blanks = [], list(one.roles.pad), list(other.roles.pad)
    for old, new in mentions:
        span = [] if old is None else list(one.spans[old].rows)
        came = [] if new is None else list(other.spans[new].rows)
        extra, left = min(len(came) - len(span), len(pads)), min(len(span) - len(came), len(blanks))
        if extra > 0:
            span += pads[-extra:]
            del pads[-extra:]
        if left > 0:
            came += blanks[-left:]
            del blanks[-left:]
        both = min(len(span), len(came))
        found.append((span[:both], came[:both]))
    return AlignedPlaces(found, pads, blanks)


def as_paired(made: Edited) -> Tensor:
    """Return edited rows (L, width) where ``places`` looks for them: inserted words on the pads that went for them.

    Where words must stand in order they are inserted behind the old phrase, and the last pads of their segment go, for
    one change after the other. With fewer pads than words there are more rows now, which nothing is held against.
    """
    kept = {old: row for row, old in enumerate(made.before) if old >= 0}
    gone = [row for row in range(len(made.cond)) if made.before and row not in kept]
    written = sorted(made.inserted.values(), key=lambda some: min(some[0].rows))
    if len(gone) != sum(len(one.rows) for some in written for one in some):
        return made.cond
    for some in written:
        own = [gone.pop(0) for one in some for _ in one.rows]
        for one in some:
            kept |= zip(own[-len(one.rows) :], one.rows, strict=True)
            del own[-len(one.rows) :]
    return made.cond[[kept[row] for row in range(len(made.cond))]] if written else made.cond


def _kinds(one: Layout, other: Layout, mentions: Mentions) -> Iterator[tuple[str, list[int], list[int]]]:
    placed = places(one, other, mentions)
    rows: dict[str, tuple[list[int], list[int]]] = {CHANGED: ([], []), PHRASES: ([], [])}
    for mention, some in zip(mentions, placed.rows, strict=True):
        kind = CHANGED if is_changed(one, other, *mention) else PHRASES
        for both, own in zip(rows[kind], some, strict=True):
            both += own
    for kind, both in rows.items():
        yield kind, *both
    for role, kind in KINDS.items():
        own = (placed.pads, placed.blanks) if role == "pad" else (getattr(one.roles, role), getattr(other.roles, role))
        pairs = list(zip(*own, strict=False))
        yield kind, [row for row, _ in pairs], [row for _, row in pairs]


def is_changed(one: Layout, other: Layout, old: int | None, new: int | None) -> bool:
    """Tell whether a mention of a prompt is another phrase in its rewrite, or in one of both alone."""
    return old is None or new is None or one.spans[old].phrase != other.spans[new].phrase
