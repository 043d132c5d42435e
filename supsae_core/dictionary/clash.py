"""Concepts that two dictionaries have, held against each other by what they do (docs/method.md, 21).

Compared is what a concept does to rows that both know (ends, pads, fillers and the pooled vector), and what its own
words' rows are about those of all concepts. In an encoder whose other rows hardly move by a concept the latter decide.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from ..table.concepts import normal
from .model import POOLED, Dictionary, Part

FIRST, SECOND, BOTH = CHOICES = "first", "second", "both"
"""Whose is kept of a concept that does something else in each."""
FILLER = "other things"
"""Category of a quick concept that only tells its poles from the rest of a prompt."""
ALIKE, TIMES = 0.6, 2.0
"""Cosine from which on both do the same, and how many times as large one may be. Concepts learnt twice, from other
prompts, have .78 and more and sizes within 1.3, different ones of a category .40 and less (Portraits, MiniLM)."""


class Clash(NamedTuple):
    """A concept that both have."""

    one: str
    other: str
    """as either spells it"""
    alike: float
    """cosine of both effects"""
    times: float
    """how many times as large the larger one is"""
    quick: tuple[bool, bool]
    """whether either is a quick concept's"""

    @property
    def same(self) -> bool:
        return self.alike >= ALIKE and self.times <= TIMES


def clashes(one: Dictionary, other: Dictionary) -> Iterator[Clash]:
    """Yield the concepts that both have."""
    known = {normal(str(concept)): index for index, concept in enumerate(other.table.concepts)}
    names = [(index, str(concept)) for index, concept in enumerate(one.table.concepts)]
    shared = [(index, known[normal(name)]) for index, name in names if normal(name) in known and not is_filler(name)]
    for first, second in shared:
        a, b = does(one, first), does(other, second)
        ratio = float(a.norm() / b.norm().clamp(min=1e-12))
        names = str(one.table.concepts[first]), str(other.table.concepts[second])
        quick = is_quick(_owner(one, first)), is_quick(_owner(other, second))
        yield Clash(*names, float(torch.cosine_similarity(a, b, dim=0)), max(ratio, 1 / max(ratio, 1e-12)), quick)


def does(dictionary: Dictionary, concept: int) -> Tensor:
    """Return what a concept does to rows of no concept and is in its own, part by part, each by its width."""
    if dictionary.members:
        owner = dictionary.owner(concept)
        return does(owner.dictionary, owner.own_concept[concept])
    found, words = [], dictionary.writes[concept]
    for name, part in dictionary.parts.items():
        roles = [role for role in ("end", "after", "pad", "other") if role in dictionary.family.roles]
        slots = [0] if name == POOLED else [dictionary.role(role) for role in roles]
        # what was never seen does nothing
        own = [part.effect(slot)[concept] @ part.decoder if part.slot_tokens[slot] else part.bias * 0 for slot in slots]
        if name != POOLED:
            own += [part.bias * 0 if words is None else _words(part, words)]
        found += [one / part.decoder.shape[1] ** 0.5 for one in own]
    return torch.cat(found)


def _words(part: Part, slot: int) -> Tensor:
    """Return (d,) the mean row of a phrase, about that of all concepts."""
    return (part.slot_codes[slot, : max(int(part.slot_tokens[slot]), 1)].mean(0) - part.mean_code) @ part.decoder


def is_quick(dictionary: Dictionary) -> bool:
    """Tell whether a dictionary is a quick concept."""
    return any(normal(name) == FILLER for name in dictionary.table.categories)


def is_filler(name: str | None) -> bool:
    """Tell whether a concept only fills a quick concept's prompts, or was left out."""
    return name is None or normal(name).startswith(f"{FILLER}:")


def _owner(dictionary: Dictionary, concept: int) -> Dictionary:
    return dictionary.owner(concept).dictionary if dictionary.members else dictionary
