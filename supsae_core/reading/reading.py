"""What was read: which phrases a conditioning has, where, and what its other rows are."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import NamedTuple

from ..dictionary.model import Codes, Dictionary
from ..encoders.base import Encoder, Family, Rows
from ..encoders.layout import Layout, Span
from .coded import CodedRows
from .places import Found


class Reading(NamedTuple):
    """What a conditioning says."""

    layouts: Mapping[str, Layout]
    """encoder name → spans and roles"""
    found: tuple[Found, ...]
    """in order of writing, as the leading encoder has them"""
    rows: Rows
    lead: str
    """name of the encoder that decides what is said"""

    def concepts(self, dictionary: Dictionary) -> tuple[int, ...]:
        """Return the concepts, in order of writing."""
        return tuple(dictionary.table.phrases[one.phrase].concept for one in self.found)

    def encoders(self, family: Family) -> list[Encoder]:
        """Return the encoders that say something; the last one leads."""
        here = [one for one in family.encoders if one.name in self.layouts]
        return sorted(here, key=lambda one: one.name == self.lead)

    def without(self, rows: Mapping[str, tuple[int, ...]]) -> Reading:
        """Return the reading without the mentions that stand in some rows of an encoder."""
        layouts = dict(self.layouts)
        for name, some in rows.items():
            layout = layouts[name]
            gone = [span for span in layout.spans if not {*some}.isdisjoint(span.rows)]
            other = tuple(sorted((*layout.roles.other, *chain.from_iterable(span.rows for span in gone))))
            spans = tuple(span for span in layout.spans if span not in gone)
            layouts[name] = Layout(spans, layout.roles._replace(other=other))
        found = tuple(one for one in self.found if {*rows[self.lead]}.isdisjoint(one.rows))
        return self._replace(layouts=layouts, found=found)

    def mentioning(self, phrase: int, rows: Mapping[str, tuple[int, ...]], score: float) -> Reading:
        """Return the reading with one more mention; ``rows`` are an encoder's, the leading one's among them."""
        layouts = dict(self.layouts)
        for name, own in rows.items():
            spans = sorted((*layouts[name].spans, Span(phrase, own)), key=lambda one: one.rows)
            other = tuple(row for row in layouts[name].roles.other if row not in own)
            layouts[name] = Layout(tuple(spans), layouts[name].roles._replace(other=other))
        found = sorted((*self.found, Found(phrase, rows[self.lead], score)), key=lambda one: one.rows)
        return self._replace(layouts=layouts, found=tuple(found))

    def coded(self, dictionary: Dictionary, encoder: Encoder, part: Codes | None = None) -> CodedRows:
        """Return an encoder's rows in its own codes, or in those of a block inside the model that they went into."""
        return CodedRows(dictionary, encoder, self.rows, part or dictionary.parts[encoder.name])
