"""Combine two dictionaries of the same text encoders into one, and say what clashed (docs/method.md, 21).

A concept that both have is held against the other's by what it does to rows of no concept, which both know: ends, pads,
fillers and the pooled vector. If it does the same it is one concept; if not, a person chooses. A quick concept gives way
to a learnt one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..encoders.fingerprints import PRECISION, distance
from ..table.concepts import normal
from ..words import folded
from .joint import prompts
from .model import POOLED, Dictionary
from .slider_map import SliderMap
from .unite import Spelled, shared_streams, spelled, unite

FIRST, SECOND, BOTH = CLASHES = "the first's", "the second's", "both"
"""What is kept of a concept that does something else in each."""
FILLER = "other things"
"""Category of a quick concept that only tells its poles from the rest of a prompt."""
ALIKE, TIMES = 0.5, 2.0
"""Cosine from which on effects are the same, and how many times as large one may be. Concepts of one table learnt twice
from other prompts have .72 and more of Portraits and sizes of .8 to 1.3, different ones .18 and less."""


class Combined(NamedTuple):
    """One dictionary of two, and what is to be told."""

    dictionary: Dictionary
    lines: list[str]


class _Clash(NamedTuple):
    """A concept that both have."""

    one: str
    other: str
    """as either spells it"""
    alike: float
    """cosine of both effects"""
    times: float
    """how many times as large the larger one is"""

    @property
    def same(self) -> bool:
        return self.alike >= ALIKE and self.times <= TIMES


def combine(one: Dictionary, other: Dictionary, clashes: str = FIRST) -> Combined:
    """Return a dictionary that knows the concepts of both; the order of the two matters where they clash alone.

    Args:
        clashes: one of ``CLASHES``, for concepts of one name that do something else in each.

    Raises:
        ValueError: if they are of different text encoders, or ``clashes`` is none of the choices.
    """
    if clashes not in CLASHES:
        raise ValueError(
            f"There is no choice {clashes!r} for concepts that clash. Choose one of: {', '.join(CLASHES)}."
        )
    _require_same_encoders(one, other)
    lines, left = list[str](), [_without_fillers(some) for some in (spelled(one), spelled(other))]
    if _has_fillers(one) or _has_fillers(other):
        lines.append(f"The {FILLER!r} of quick concepts only help to read; they are no concepts of the whole.")
    renamed: tuple[dict[str, str | None], dict[str, str | None]] = ({}, {})
    for clash in _clashes(one, other):
        line = _resolve(one, other, clash, clashes, renamed)
        lines += [line] if line else []
    some = [_renamed(own, names) for own, names in zip(left, renamed, strict=True)]
    lines += _united(*some)
    lines += _words(*some)
    lines += _streams(one, other)
    # who learnt from more leads; of equals the order is that of their names, so that it does not matter who is first
    members = sorted(chain(*some), key=lambda own: (-prompts(own.dictionary), *map(str, own.dictionary.table.concepts)))
    members = [own for own in members if any(own.names)]
    made = unite(members)
    made = replace(made, provenance=_provenance(members), report=_report(made), sliders=_sliders(made, one, other))
    return Combined(made, [_told(made, one, other), *lines])


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
            f"These dictionaries are of different text encoders: {_named(one)} and {_named(other)}, whose outputs differ "
            f"by {off:.0%}. Combine dictionaries that were learnt from the same ones."
        )


def _named(one: Dictionary) -> str:
    """Name encoders, and the dictionary by its first categories."""
    encoders = ", ".join(encoder.name for encoder in one.family.encoders)
    return f"{one.family.name!r} ({encoders}; the dictionary of {', '.join([*one.table.categories][:3])})"


# --- what both have -------------------------------------------------------------------------------------------------


def is_quick(dictionary: Dictionary) -> bool:
    """Tell whether a dictionary is a quick concept."""
    return any(normal(name) == FILLER for name in dictionary.table.categories)


def _has_fillers(dictionary: Dictionary) -> bool:
    return any(is_quick(own.dictionary) for own in spelled(dictionary))


def _without_fillers(some: Sequence[Spelled]) -> list[Spelled]:
    """Leave out what fills a quick concept's prompts."""
    return [
        own._replace(names=tuple(None if _is_filler(name) else name for name in own.names))
        if is_quick(own.dictionary)
        else own
        for own in some
    ]


def _is_filler(name: str | None) -> bool:
    return name is None or normal(name).startswith(f"{FILLER}:")


def _clashes(one: Dictionary, other: Dictionary) -> Iterator[_Clash]:
    """Yield the concepts that both have, with how alike they are."""
    known = {normal(str(concept)): index for index, concept in enumerate(other.table.concepts)}
    shared: dict[str, list[tuple[int, int]]] = {}
    for index, concept in enumerate(one.table.concepts):
        if normal(str(concept)) in known and not _is_filler(str(concept)):
            shared.setdefault(concept.category, []).append((index, known[normal(str(concept))]))
    for pairs in shared.values():
        a = torch.stack([effects_beside(one, first) for first, _ in pairs])
        b = torch.stack([effects_beside(other, second) for _, second in pairs])
        if len(pairs) > 1:  # about what both have, as the category's others may be others
            a, b = a - a.mean(0), b - b.mean(0)
        alike = torch.cosine_similarity(a, b)
        sizes = (a.norm(dim=1) / b.norm(dim=1).clamp(min=1e-12)).tolist()
        for (first, second), cosine, ratio in zip(pairs, alike.tolist(), sizes, strict=True):
            names = str(one.table.concepts[first]), str(other.table.concepts[second])
            yield _Clash(*names, cosine, max(ratio, 1 / max(ratio, 1e-12)))


def effects_beside(dictionary: Dictionary, concept: int) -> Tensor:
    """Return what a concept does to rows of no concept and to the pooled vector, part behind part, each by its width."""
    if dictionary.members:
        owner = dictionary.owner(concept)
        return effects_beside(owner.dictionary, owner.own_concept[concept])
    found = []
    for name, part in dictionary.parts.items():
        roles = [role for role in ("end", "after", "pad", "other") if role in dictionary.family.roles]
        slots = [0] if name == POOLED else [dictionary.role(role) for role in roles]
        for slot in slots:  # one that was never seen has no effect
            effect = part.effect(slot)[concept] @ part.decoder if int(part.slot_tokens[slot]) else part.bias * 0
            found.append(effect / part.decoder.shape[1] ** 0.5)
    return torch.cat(found)


def _resolve(
    one: Dictionary, other: Dictionary, clash: _Clash, clashes: str,
    renamed: tuple[dict[str, str | None], dict[str, str | None]],
) -> str:  # fmt: skip
    """Say in ``renamed`` what becomes of a concept that both have, and return a line on it; none of what is alike."""
    name, (mine, theirs) = clash.one, renamed
    quick = [is_quick(_owner(some, own)) for some, own in ((one, clash.one), (other, clash.other))]
    if quick[0] != quick[1]:
        learnt = renamed[0] if quick[0] else renamed[1]
        learnt[clash.one if quick[0] else clash.other] = None
        return f"{name} is in both: the learnt one is kept, the quick one left out."
    if clash.same:
        theirs[clash.other] = name
        return f"{name} is in both and does the same ({clash.alike:.2f} alike): it is one concept."
    apart = f"{name} is in both and does something else in each ({clash.alike:.2f} alike"
    apart = f"{apart}, {clash.times:.1f} times as strong)"
    if clashes == BOTH:
        theirs[clash.other] = again = _free(name, one, other)
        return f"{apart}: both are kept, the second's as {again}."
    dropped, own = (theirs, clash.other) if clashes == FIRST else (mine, clash.one)
    dropped[own] = None
    return f"{apart}: {clashes} is kept."


def _owner(dictionary: Dictionary, name: str) -> Dictionary:
    """Return the dictionary that a concept is of."""
    concept = dictionary.table.index(name)
    return dictionary.owner(concept).dictionary if dictionary.members else dictionary


def _free(name: str, *some: Dictionary) -> str:
    """Return a name with the first number behind it that no concept has."""
    taken = {normal(str(concept)) for dictionary in some for concept in dictionary.table.concepts}
    return next(made for number in range(2, 1000) if normal(made := f"{name} ({number})") not in taken)


def _renamed(some: Sequence[Spelled], names: Mapping[str, str | None]) -> list[Spelled]:
    return [
        own._replace(names=tuple(None if name is None else names.get(name, name) for name in own.names)) for own in some
    ]


# --- what is told ---------------------------------------------------------------------------------------------------


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
            yield f"{category} is in both with other values: {values} of the second exclude the first's now."


def _words(one: Sequence[Spelled], other: Sequence[Spelled]) -> Iterator[str]:
    """Yield a line on all words that mean another concept in each."""
    mine, theirs = (dict(_meanings(some)) for some in (one, other))
    for text, name in mine.items():
        if text in theirs and normal(theirs[text]) != normal(name):
            yield f"{text!r} means {name} in the first and {theirs[text]} in the second: where it stands, either may be read."


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
    known = [
        len(some.table) - sum(_is_filler(str(concept)) for concept in some.table.concepts) for some in (one, other)
    ]
    return (
        f"One dictionary of {len(made.table)} concepts in {len(made.table.categories)} categories, of {known[0]} and "
        f"{known[1]} concepts."
    )


# --- what travels ---------------------------------------------------------------------------------------------------


def _sliders(made: Dictionary, *some: Dictionary) -> dict[str, SliderMap]:
    """Return the slider maps of the whole: those of its members, and what was calibrated since they were combined."""
    found = dict(made.sliders)
    for whole in (one for one in some if one.members):
        own = [id(member.dictionary) for member in whole.members]
        for name, slider in whole.sliders.items():
            known = [index for index, concept in enumerate(made.table.concepts) if str(concept) == name]
            if known and id(made.owner(known[0]).dictionary) in own:
                found[name] = slider
    return found


def _provenance(members: Sequence[Spelled]) -> dict[str, Any]:
    """Return where the whole comes from: the leader's encoders and picture size, everybody's prompts and licences."""
    lead, own = members[0].dictionary.provenance, [one.dictionary.provenance for one in members]
    held_out = [_spelled_pair(pair, one) for one in members for pair in one.dictionary.provenance.get("held_out", ())]
    licences = dict.fromkeys(str(one["licence"]) for one in own if one.get("licence"))
    kept = {key: lead[key] for key in ("fingerprint", "sampling", "seed", "length_policy", "tool") if key in lead}
    return {
        **kept,
        "prompts": sum(prompts(one.dictionary) for one in members),
        "held_out": [pair for pair in held_out if pair],
        "licence": "; ".join(licences),
        "combined": [
            {**said, "categories": [*one.dictionary.table.categories]} for said, one in zip(own, members, strict=True)
        ],
    }


def _spelled_pair(pair: Sequence[str], one: Spelled) -> list[str]:
    names = dict(zip(map(str, one.dictionary.table.concepts), one.names, strict=True))
    found = [names.get(str(name)) for name in pair]
    return [name for name in found if name is not None] if all(found) else []


def _report(made: Dictionary) -> dict[str, Any]:
    """Return what was measured of the members' concepts, under the whole's names; shares weigh by what they are of."""
    reports, concepts = [one.dictionary.report for one in made.members], made.table.concepts
    found: dict[str, Any] = {}
    for key in ("poorly_learnt", "never_captured"):
        if any(key in report for report in reports):
            found[key] = [str(concepts[index]) for index in range(len(concepts)) if _is_listed(made, index, key)]
    if all("locate" in report for report in reports):
        found["locate"] = min(float(report["locate"]) for report in reports)
    if any("edits" in report for report in reports):
        edits = [report["edits"] for report in reports if "edits" in report]
        count = sum(one.get("count", 0) for one in edits)
        took = sum(one.get("took", 0) * one.get("count", 0) for one in edits)
        found["edits"] = {"count": count, "took": took / count if count else 0.0}
    return found


def _is_listed(made: Dictionary, concept: int, key: str) -> bool:
    owner = made.owner(concept)
    name = str(owner.dictionary.table.concepts[owner.own_concept[concept]])
    return name in owner.dictionary.report.get(key, ())
