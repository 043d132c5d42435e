"""The dictionary: sparse concept codes and the decoders that turn a prompt's codes into features.

Letters (docs/method.md, 1): K concepts, S slots (phrases, then roles), T tokens, r code width, d columns, a (K,)
context. A row of slot s, token j in context a decodes as
x̂ = bias + (slot_codes[s, j] + (a − mean_context[s]) effect[s]) decoder (docs/method.md, 2), with
effect[s] = group_effects[group of s] + slot_effects[s] (5), the last times slot_directions[s] if there are any.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..encoders.base import Family
from ..table.concepts import ConceptTable
from .operator import Operator
from .slider_map import SliderMap, piecewise

POOLED = "pooled"
"""Name of the part that holds the pooled vector: one slot, whose context is everything written."""


@dataclass(frozen=True)
class Codes:
    """Codes and decoder of one set of slots: all that decoding and steering need."""

    bias: Tensor
    """(d,) mean of all slots' tokens"""
    decoder: Tensor
    """(r, d) rows are orthonormal up to rounding"""
    slot_codes: Tensor
    """(S, T, r) codes of the slots' mean tokens"""
    group_effects: Tensor
    """(groups, K, r) effect of context, shared by the concepts of a category; one group per role"""
    slot_effects: Tensor
    """(S, K, r) what a slot's effects deviate by; (S, K, q) where ``slot_directions`` are"""
    mean_context: Tensor
    """(S, K) mean context that the slots' codes refer to"""
    slot_tokens: Tensor
    """(S,) tokens of a slot, 0 if it never occurred"""
    slot_groups: Tensor
    """(S,) group of a slot"""
    gains: Tensor
    """(K,) calibration: strength 1 times this is the effect of writing the word"""
    slot_directions: Tensor = field(default_factory=lambda: torch.zeros(0, 0, 0), kw_only=True)
    """(S, q, r) orthonormal up to rounding: what slots deviate in, of many concepts; (0, 0, 0) where that is in full"""

    def effect(self, slot: int) -> Tensor:
        """Return (K, r): what each concept of the context adds to the slot's code."""
        own = self.slot_effects[slot]
        own = own @ self.slot_directions[slot] if len(self.slot_directions) else own
        return self.group_effects[self.slot_groups[slot]] + own

    def effects(self, slots: Tensor, concepts: Tensor) -> Tensor:
        """Return (s, k, r): what some concepts of the context add to the codes of some slots."""
        own = self.slot_effects[slots[:, None], concepts]
        own = own @ self.slot_directions[slots] if len(self.slot_directions) else own
        return self.group_effects.index_select(1, concepts).index_select(0, self.slot_groups[slots]) + own

    def code(self, slot: int, token: int, context: Tensor) -> Tensor:
        """Return the code (r,) of one token of a slot in a context (K,)."""
        return self.slot_codes[slot, token] + (context - self.mean_context[slot]) @ self.effect(slot)

    def decode(self, code: Tensor) -> Tensor:
        """Return features (…, d) of codes (…, r)."""
        return self.bias + code @ self.decoder

    def encode(self, rows: Tensor) -> Tensor:
        """Return the codes (…, r) nearest to features (…, d)."""
        return rows @ self.decoder.T - self.bias @ self.decoder.T  # the rows are the larger


class Cuts(NamedTuple):
    """How phrases are found in one encoder's rows (docs/method.md, 10)."""

    first: float
    """least score at the first look, which knows of no context"""
    last: float
    """least score when both looks are weighed together"""
    named: float
    """the same for a category that is expected: one that an edit names"""
    again: float
    """the same for a category of which something was found with a higher score: it is rarely said twice"""
    trust: float
    """weight of the second look, which decodes in the context that the first found; 1 forgets the first"""
    weakest: float
    """times what the token that fits worst scores at the first look is added: each word of a phrase must be there"""
    told: float
    """least score of a phrase that another encoder found, in the context of all that it found"""
    errors: float = 0.0
    """made with these on the calibration prompts: who errs least leads"""
    other: float = -1.0
    """what is added per code where a row is explained as a word of no concept; below 0, as in older files, none is"""


class Whitened(NamedTuple):
    """Tokens of all slots as a look sees them, whitened, float64."""

    codes: Tensor
    """(S, T, r) the slots' mean tokens"""
    in_context: Tensor
    """(S, T, r) the same where nothing is said, which effects of context add to"""
    squares: Tensor
    """(S, T) ‖·‖² of ``codes``"""
    squares_in_context: Tensor
    """(S, T) and of ``in_context``"""


@dataclass(frozen=True)
class Part(Codes):
    """One text encoder's codes (or the pooled vector's), and what reading them back out of rows needs."""

    whiten_slot: Tensor
    """(r, r) whitens the tokens of one slot, whatever their context"""
    whiten_residual: Tensor
    """(r, r) whitens what context leaves unexplained"""
    whiten_tokens: Tensor
    """(r, r) whitens all tokens"""
    mean_code: Tensor
    """(r,) mean code of the tokens of concepts"""
    thresholds: Tensor
    """(9,) as ``Cuts``; (2,), (7,) or (8,) of older files, whose missing numbers then change nothing"""

    def whitened(self, whitener: Tensor) -> Whitened:
        """Return the tokens of all slots as a whitener (r, r) lays them."""
        effects = torch.stack([context @ self.effect(slot) for slot, context in enumerate(self.mean_context)])
        codes, moved = ((one @ whitener).double() for one in (self.slot_codes, effects))
        still = codes - moved[:, None]
        return Whitened(codes, still, codes.square().sum(-1), still.square().sum(-1))

    def with_whitened_effects(self) -> Codes:
        """Return codes whose effects of context are whitened by what context leaves unexplained, and nothing else."""
        kind = "slot_directions" if len(self.slot_directions) else "slot_effects"
        own = {name: getattr(self, name) @ self.whiten_residual for name in (kind, "group_effects")}
        return replace(self, **own)

    @property
    def cuts(self) -> Cuts:
        """Least scores at which a phrase counts as found."""
        first, last, *rest = self.thresholds.tolist()
        return Cuts(first, last, *rest) if rest else Cuts(first, last, last, last, 1.0, 0.0, last)


@dataclass(frozen=True)
class Dictionary:
    """What artists share: the table, one part per encoder and the pooled vector's, and where it all comes from."""

    table: ConceptTable
    family: Family
    parts: Mapping[str, Part]
    identified: tuple[bool, ...]
    """Per category: whether capture saw prompts without it, so that writing and removing it can be told apart."""
    slider: tuple[tuple[float, float], ...]
    """Knots (slider position, strength) of the monotone map from slider units to applied strength."""
    provenance: Mapping[str, Any]
    """JSON: fingerprint, prompts, held-out pairs, dtype, version, licence."""
    report: Mapping[str, Any]
    """JSON: what fitting measured; of a file, what is readable of it."""
    operators: Mapping[str, Operator] = field(default_factory=dict)
    """Text encoder → what edits do to its rows, where that was learnt from pairs; else its part's levels decide."""
    streams: Mapping[str, tuple[Codes, ...]] = field(default_factory=dict)
    """Part of a stream inside the model (``streams.py``), e.g. ``txt@3/other`` → its codes at every noise level."""
    tolerance: float = 0.06
    """A prompt weight that is read nearer to 1 than this is 1: so far do unweighted phrases scatter. Portraits' 0.06 is
    that of files which do not say."""
    centres: tuple[float, ...] = ()
    """Noise levels of the streams' codes, falling; between two of them they are interpolated linearly."""
    sliders: Mapping[str, SliderMap] = field(default_factory=dict)
    """Concept, as the table spells it → what its own slider was calibrated to; of most nothing."""
    members: tuple[Member, ...] = ()
    """The dictionaries that this one was combined from (``unite.py``), the leading one first. They read and edit; the
    parts and streams here only describe them all together."""

    @cached_property
    def codes(self) -> Tensor:
        """(K, Σ r): the code of every concept, its first phrase's mean token about its category's, all encoders."""
        parts = [part for name, part in self.parts.items() if name != POOLED]
        slots = [
            first if slot is None else slot for slot, first in zip(self.writes, self.table.first_phrase, strict=True)
        ]
        return torch.cat([_centred_codes(self.table, part, slots) for part in parts], 1)

    @cached_property
    def looks(self) -> Mapping[str, tuple[Whitened, Whitened]]:
        """Part → its tokens among what a slot's tokens spread, and among what context leaves unexplained."""
        return {
            name: (part.whitened(part.whiten_slot), part.whitened(part.whiten_residual))
            for name, part in self.parts.items()
            if name != POOLED
        }

    @cached_property
    def categories(self) -> tuple[Tensor, Tensor]:
        """(K,) and (phrases,): the category of every concept, and of every phrase."""
        of_concepts = torch.tensor(self.table.category_of, dtype=torch.int64)
        return of_concepts, of_concepts[torch.tensor([phrase.concept for phrase in self.table.phrases])]

    @cached_property
    def silent(self) -> Mapping[str, Mapping[str, Tensor]]:
        """Encoder → the codes (r,) of every role's first token where nothing is said."""
        nothing = torch.zeros(len(self.table))
        return {
            name: {role: part.code(self.role(role), 0, nothing) for role in self.family.roles}
            for name, part in self.parts.items()
            if name != POOLED
        }

    @cached_property
    def looking(self) -> Mapping[str, Codes]:
        """Encoder → its part with effects whitened by what context leaves unexplained, as looks in context see them."""
        return {name: part.with_whitened_effects() for name, part in self.parts.items() if name != POOLED}

    @cached_property
    def written(self) -> Mapping[str, Tensor]:
        """Encoder → the codes (p, r) of the directions that its operator writes in."""
        return {name: one.outputs @ self.parts[name].decoder.T for name, one in self.operators.items()}

    def role(self, name: str) -> int:
        """Return the slot number of a role."""
        return len(self.table.phrases) + self.family.roles.index(name)

    def strength(self, slider: float, concept: int | None = None) -> float:
        """Map a slider position to the strength to apply: piecewise linear, continued beyond the last knot.

        Behind the dictionary's own map stands that of the concept, if it was calibrated.
        """
        knots = self.slider if concept is None or not self.members else self.owner(concept).dictionary.slider
        given = piecewise([(0.0, 0.0), *knots], slider)
        own = None if concept is None else self.slider_map(concept)
        return given if own is None else own.strength(given)

    def slider_map(self, concept: int) -> SliderMap | None:
        """Return what a concept's slider was calibrated to, None if it was not."""
        return self.sliders.get(str(self.table.concepts[concept])) if self.sliders else None

    def owner(self, concept: int) -> Member:
        """Return who makes the changes to a concept of a combined dictionary: the first that knows it."""
        return next(one for one in self.members if concept in one.concepts)

    @cached_property
    def writes(self) -> tuple[int | None, ...]:
        """Per concept, the slot an edit writes: its first phrase that was captured in every encoder, or None."""
        lengths = [part.slot_tokens[: len(self.table.phrases)] for name, part in self.parts.items() if name != POOLED]
        captured = (torch.stack(lengths) > 0).all(0).tolist()
        first: dict[int, int] = {}
        for slot, phrase in enumerate(self.table.phrases):
            if captured[slot]:
                first.setdefault(phrase.concept, slot)
        return tuple(first.get(concept) for concept in range(len(self.table)))

    def phrase(self, concept: int) -> int:
        """Return the slot that an edit writes for a concept.

        Raises:
            ValueError: if the concept was never captured.
        """
        slot = self.writes[concept]
        if slot is None:
            raise ValueError(
                f"{str(self.table.concepts[concept])!r} was never written in the captured prompts. "
                "Capture more prompts and fit again."
            )
        return slot


@dataclass(frozen=True, eq=False)
class Member:
    """A dictionary within a combined one, and how its numbers are the whole's."""

    dictionary: Dictionary
    """itself none that was combined"""
    concepts: tuple[int, ...]
    """own concept → the whole's, −1 where it was left out"""
    phrases: tuple[int, ...]
    """own phrase → the whole's, −1 where it was left out"""

    @cached_property
    def own_concept(self) -> Mapping[int, int]:
        """Concept of the whole → own."""
        return {whole: own for own, whole in enumerate(self.concepts) if whole >= 0}

    @cached_property
    def own_phrase(self) -> Mapping[int, int]:
        """Phrase of the whole → own; of words that mean another concept here too."""
        return {whole: own for own, whole in reversed([*enumerate(self.phrases)]) if whole >= 0}


def _centred_codes(table: ConceptTable, part: Part, slots: Sequence[int]) -> Tensor:
    means = torch.stack([part.slot_codes[slot, : max(int(part.slot_tokens[slot]), 1)].mean(0) for slot in slots])
    for members in table.categories.values():
        means[list(members)] -= means[list(members)].mean(0)
    return means
