"""Readings of a combined dictionary: made of its members' own, and narrowed to one of them again (docs/method.md, 21).

Every member reads by itself, with its own thresholds. Where two claim a row, the one that is surer of it has it. To a
member, words that another one found are words of no concept, as they are where it reads alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import torch

from ..dictionary.clash import is_quick
from ..dictionary.model import Dictionary, Member
from ..encoders.layout import Layout, Span
from ..table.concepts import normal
from ..words import folded
from .places import Found
from .reading import Reading
from .weights import numbered


class _Claim(NamedTuple):
    """A mention as one member has it, in the numbers of the whole."""

    found: Found
    spans: Mapping[str, Span]
    """encoder → where it has it"""
    owner: bool
    """whether that member makes the concept's changes"""
    said: tuple[str, tuple[int, ...]]
    """its words, folded, and their rows"""
    category: str
    quick: bool
    """whether the member is a quick concept, which knows of two phrases and is too sure of them"""

    def stands_beside(self, other: _Claim) -> bool:
        """Tell whether both are read in one place: the same words in two senses, or what one member learnt quickly."""
        if self.said == other.said:
            return True
        one, two = set(self.found.rows), set(other.found.rows)
        nested = one <= two or two <= one
        return self.category != other.category and self.quick != other.quick and nested


def merged(dictionary: Dictionary, readings: Sequence[Reading]) -> Reading:
    """Return what the members' readings of one conditioning say together, in the numbers of the whole."""
    first, claims = readings[0], list[_Claim]()
    for number, reading in enumerate(readings):
        claims += _claims(dictionary, number, reading, first.lead)
    # the same words said of one category are the leading member's
    first_of = {(one.said, one.category): one for one in reversed(claims)}
    claims = sorted(first_of.values(), key=lambda one: (not one.owner, -one.found.score))
    taken: dict[str, set[int]] = {name: set() for name in first.layouts}
    spans: dict[str, list[Span]] = {name: [] for name in first.layouts}
    read = list[_Claim]()
    for one in claims:
        near = [other for other in read if not {*one.found.rows}.isdisjoint(other.found.rows)]
        if all(one.stands_beside(other) for other in near):
            read.append(one)
            for name, span in one.spans.items():
                if name in taken and (near or taken[name].isdisjoint(span.rows)):
                    taken[name].update(span.rows)
                    spans[name].append(span)
    layouts = {name: _layout(layout, spans[name]) for name, layout in first.layouts.items()}
    found = sorted((one.found for one in read), key=lambda one: one.rows)
    return first._replace(layouts=layouts, found=tuple(found))


def _claims(dictionary: Dictionary, number: int, reading: Reading, lead: str) -> list[_Claim]:
    """Return the mentions of a member's reading as the whole numbers them, with scores about the leader's least."""
    member, claims, table = dictionary.members[number], list[_Claim](), dictionary.table
    higher, quick = _higher(dictionary, member, lead), is_quick(member.dictionary)
    for one, (phrase, at) in zip(reading.found, numbered(one.phrase for one in reading.found), strict=True):
        whole = member.phrases[phrase]
        if whole < 0:
            continue
        spans = dict[str, Span]()
        for name, layout in reading.layouts.items():
            alike = [span for span in layout.spans if span.phrase == phrase]
            if at < len(alike):
                spans[name] = alike[at]._replace(phrase=whole)
        if lead in spans:
            concept, rows = table.phrases[whole].concept, spans[lead].rows
            said = folded(member.dictionary.table.phrases[phrase].text).casefold(), rows
            owner, category = dictionary.owner(concept) is member, table.concepts[concept].category
            claims.append(_Claim(Found(whole, rows, one.score + higher), spans, owner, said, category, quick))
    return claims


def _higher(dictionary: Dictionary, member: Member, lead: str) -> float:
    """Return by how much the leading member's scores of an encoder are above a member's: by their least ones."""
    first, own = (one.dictionary.parts[lead].cuts.last for one in (dictionary.members[0], member))
    return first - own


def _layout(layout: Layout, spans: Sequence[Span]) -> Layout:
    """Return a member's layout with other spans: rows that lose theirs are words of no concept."""
    taken = set(chain.from_iterable(span.rows for span in spans))
    free = chain(layout.roles.other, *(span.rows for span in layout.spans))
    roles = [tuple(row for row in rows if row not in taken) for rows in layout.roles]
    other = tuple(sorted({*free} - taken))
    return Layout(tuple(sorted(spans, key=lambda one: one.rows)), type(layout.roles)(*roles)._replace(other=other))


def narrowed(
    dictionary: Dictionary, member: Member, reading: Reading, more: Mapping[int, int] | None = None
) -> Reading:
    """Return a reading of the whole as a member has it.

    Args:
        dictionary: the whole.
        member: one of its.
        reading: in the numbers of the whole.
        more: phrase of the whole that the member lacks → own phrase that is to stand for it.
    """
    known = {**(more or {}), **member.own_phrase}
    layouts = {}
    for name, layout in reading.layouts.items():
        spans = [span._replace(phrase=known[span.phrase]) for span in layout.spans if span.phrase in known]
        layouts[name] = _layout(layout, spans)
    higher = _higher(dictionary, member, reading.lead)
    known_of = (one for one in reading.found if one.phrase in known)
    found = tuple(one._replace(phrase=known[one.phrase], score=one.score - higher) for one in known_of)
    return reading._replace(layouts=layouts, found=found)


def stand_in(dictionary: Dictionary, member: Member, phrase: int, but: Sequence[int]) -> int:
    """Return the member's phrase that stands for one of the whole that it lacks: of its category, nearest in rows.

    Args:
        dictionary: the whole.
        member: which makes a change in the phrase's category.
        phrase: of the whole.
        but: own concepts that it must not be taken for, as far as others are left.
    """
    table, own = dictionary.table, member.dictionary.table
    owner = dictionary.owner(table.phrases[phrase].concept)
    category = normal(table.concepts[table.phrases[phrase].concept].category)
    alike = [slot for slot, one in enumerate(own.phrases) if normal(own.concepts[one.concept].category) == category]
    left = [slot for slot in alike if own.phrases[slot].concept not in but] or alike

    def apart(slot: int) -> float:
        names = [encoder.name for encoder in dictionary.family.encoders]
        return sum(float((_mean(owner, own_slot, name) - _mean(member, slot, name)).norm()) for name in names)

    own_slot = owner.own_phrase[phrase]
    return min(left, key=apart)


def _mean(member: Member, slot: int, name: str) -> torch.Tensor:
    part = member.dictionary.parts[name]
    return part.decode(part.slot_codes[slot, : max(int(part.slot_tokens[slot]), 1)].mean(0))
