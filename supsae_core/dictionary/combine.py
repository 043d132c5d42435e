"""Combine two dictionaries of the same text encoders into one, and say what clashed (docs/method.md, 21).

A concept that both have and that does the same is one concept; of one that does something else in each a person chooses
whose is kept. A quick concept gives way to a learnt one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import NamedTuple

from ..encoders.fingerprints import PRECISION, distance
from ..table.concepts import normal
from ..words import folded
from .clash import BOTH, CHOICES, FIRST, Clash, clashes, is_filler, is_quick
from .inherited import provenance_of, report_of, sliders_of
from .joint import prompts
from .model import Dictionary
from .unite import Spelled, needed, shared_streams, spelled, unite

Names = dict[str, str | None]
"""Concept, as a dictionary spells it → what the whole calls it, None to leave it out; others keep their name."""


class Combined(NamedTuple):
    """One dictionary of two, and what is to be told."""

    dictionary: Dictionary
    lines: list[str]


def combine(one: Dictionary, other: Dictionary, keep: str = FIRST) -> Combined:
    """Return a dictionary that knows the concepts of both; which is the first matters where they clash alone.

    Args:
        keep: one of ``CHOICES``, for concepts of one name that do something else in each.

    Raises:
        ValueError: if they are of different text encoders, or ``keep`` is none of the choices.
    """
    if keep not in CHOICES:
        raise ValueError(f"There is no choice {keep!r} for concepts that clash. Choose one of: {', '.join(CHOICES)}.")
    _require_same_encoders(one, other)
    found, left = list(clashes(one, other)), [_without_fillers(some) for some in (spelled(one), spelled(other))]
    mine, theirs, lines = _resolved(one, other, found, keep)
    if any(is_quick(own.dictionary) for own in chain(*left)):
        lines.append("The 'other things' of a quick concept help it to read; they are no concepts of the whole.")
    lines += [*_united(*left), *_words(*left), *_streams(one, other)]
    some = [*_renamed(left[0], mine), *_renamed(left[1], theirs)]
    # who learnt from more leads; of equals the order is that of their names, so that it does not matter who is first
    order = sorted(some, key=lambda own: (-prompts(own.dictionary), *map(str, own.dictionary.table.concepts)))
    members = needed(order)
    made = unite(members)
    own = {"provenance": provenance_of(members), "report": report_of(made), "sliders": sliders_of(made, one, other)}
    return Combined(replace(made, **own), [_told(made, one, other), *lines])


def _require_same_encoders(one: Dictionary, other: Dictionary) -> None:
    if one.family != other.family:
        raise ValueError(
            f"These dictionaries are of different text encoders: {_named(one)} and {_named(other)}. Combine "
            "dictionaries that were learnt from the same ones."
        )
    marks = [some.provenance.get("fingerprint") for some in (one, other)]
    off = distance(*marks) if all(isinstance(mark, Mapping) and mark for mark in marks) else 0.0  # type: ignore[arg-type]
    if off >= PRECISION:
        raise ValueError(
            f"These dictionaries are of different text encoders: {_named(one)} and {_named(other)}, whose outputs are "
            f"{off:.0%} apart. Combine dictionaries that were learnt from the same ones."
        )


def _named(one: Dictionary) -> str:
    """Name encoders, and the dictionary by its first categories."""
    encoders = ", ".join(encoder.name for encoder in one.family.encoders)
    return f"{one.family.name!r} ({encoders}; the dictionary of {', '.join([*one.table.categories][:3])})"


def _without_fillers(some: Sequence[Spelled]) -> list[Spelled]:
    """Leave out what fills a quick concept's prompts."""
    return [
        own._replace(names=tuple(None if is_filler(name) else name for name in own.names))
        if is_quick(own.dictionary)
        else own
        for own in some
    ]


def _resolved(one: Dictionary, other: Dictionary, found: Sequence[Clash], keep: str) -> tuple[Names, Names, list[str]]:
    """Return what becomes of the concepts that both have, in the first and in the second, and lines on them."""
    mine, theirs, same, lines = Names(), Names(), list[Clash](), list[str]()
    for clash in found:
        name = clash.one
        if clash.quick[0] != clash.quick[1]:
            (mine if clash.quick[0] else theirs)[clash.one if clash.quick[0] else clash.other] = None
            lines.append(f"{name} is in both: the learnt one is kept, the quick one left out.")
        elif clash.same:
            theirs[clash.other] = name
            same.append(clash)
        elif keep == FIRST:
            theirs[clash.other] = None
            lines.append(f"{name} does something else in each (alike by {clash.alike:.2f}): the first's is kept.")
        elif keep == BOTH:
            theirs[clash.other] = again = _free(name, one, other)
            lines.append(
                f"{name} does something else in each (alike by {clash.alike:.2f}): the second's is called {again}."
            )
        else:
            mine[clash.one] = None
            lines.append(f"{name} does something else in each (alike by {clash.alike:.2f}): the second's is kept.")
    if same:
        names, least = ", ".join(clash.one for clash in same), min(clash.alike for clash in same)
        lines.insert(0, f"The same in both (alike by {least:.2f} and more), so one concept each: {names}.")
    return mine, theirs, lines


def _free(name: str, *some: Dictionary) -> str:
    """Return a name with the first number behind it that no concept has."""
    taken = {normal(str(concept)) for dictionary in some for concept in dictionary.table.concepts}
    return next(made for number in range(2, 1000) if normal(made := f"{name} ({number})") not in taken)


def _renamed(some: Sequence[Spelled], names: Mapping[str, str | None]) -> list[Spelled]:
    return [
        own._replace(names=tuple(None if name is None else names.get(name, name) for name in own.names)) for own in some
    ]


def _names(some: Sequence[Spelled]) -> list[str]:
    return list(dict.fromkeys(name for own in some for name in own.names if name is not None))


def _united(one: Sequence[Spelled], other: Sequence[Spelled]) -> Iterator[str]:
    """Yield a line on every category that both have with other values."""
    mine, theirs = ({normal(name): name for name in _names(some)} for some in (one, other))
    categories = {name.partition(":")[0]: mine[name].partition(": ")[0] for name in mine}
    for key, category in categories.items():
        added = [theirs[name].partition(": ")[2] for name in theirs if name.startswith(f"{key}:") and name not in mine]
        own = [name for name in mine if name.startswith(f"{key}:") and name not in theirs]
        if added and own:
            values = ", ".join(added)
            yield f"{category} is one category now: {values} of the second and the first's values exclude one another."


def _words(one: Sequence[Spelled], other: Sequence[Spelled]) -> Iterator[str]:
    """Yield a line on all words that mean another concept in each."""
    mine, theirs = (dict(_meanings(some)) for some in (one, other))
    for text, name in mine.items():
        if text in theirs and normal(theirs[text]) != normal(name):
            yield f"{text!r} means {name} in the first and {theirs[text]} in the second."


def _meanings(some: Sequence[Spelled]) -> Iterator[tuple[str, str]]:
    for own in some:
        for phrase in own.dictionary.table.phrases:
            name = own.names[phrase.concept]
            if name is not None:
                yield folded(phrase.text).casefold(), name


def _streams(one: Dictionary, other: Dictionary) -> Iterator[str]:
    lost = {*one.streams, *other.streams} - {*shared_streams([one, other])}
    if lost:
        sites = ", ".join(sorted({name.split("/")[0] for name in lost}))
        yield f"What was learnt inside the model is left out, since not both know it at the same noise levels: {sites}."


def _told(made: Dictionary, one: Dictionary, other: Dictionary) -> str:
    known = [len(some.table) - sum(is_filler(str(concept)) for concept in some.table.concepts) for some in (one, other)]
    concepts, categories = len(made.table), len(made.table.categories)
    return (
        f"One dictionary of {concepts:d} concepts in {categories:d} categories, made of {known[0]:d} and {known[1]:d}."
    )
