"""The variants that ``ablations.py`` compares: one way each to fit, to read or to edit, one thing from the default.

Letters (docs/method.md, 1): K concepts, S slots, d columns.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import NamedTuple

import shared
import text_measures as text
import torch
from text_measures import Pairwise, Variant
from torch import Tensor

from supsae.supsae_core.capture.captures import Capture, Encoded
from supsae.supsae_core.capture.statistics import Statistics, fold_of
from supsae.supsae_core.dictionary.model import POOLED, Dictionary, Part
from supsae.supsae_core.encoders.layout import ROLES
from supsae.training import calibration, capture, fit, gather
from supsae.training.solvers.effects import NEVER, Effects, Ridges, effects
from supsae.training.solvers.exact import EXACT, ExactConfig, choose, exact
from supsae.training.solvers.held_out import folds_of
from supsae.training.solvers.solution import Groups, Solution, to_codes

ALL = shared.PROMPTS
SIZES = (50, 300, ALL)
"""Numbers of prompts at which variants are held against the default."""
THRESHOLDS = 64
"""Calibration prompts that set the thresholds of reading."""
FINE = ExactConfig(common_ridges=(0.1, 1.0, 10.0, NEVER))
ONLY_PAIRS = ExactConfig(common_ridges=(NEVER,), own_ridges=(NEVER,))


class Fit:
    """What is fitted to the first prompts of a capture, and what variants of it are made from."""

    def __init__(self, made: Capture, rows: Sequence[Encoded], size: int) -> None:
        self.capture, self.plan, self.groups = made, made.plan, gather.groups(made)
        self.rows = [row for row in rows if row.entry.set == "fit"][:size]
        pairs = [[row for row in rows if row.entry.set == name] for name in ("calibration", "rewrite")]
        self.known = [row for pair in list(zip(*pairs, strict=True))[:THRESHOLDS] for row in pair]
        self.reach = {one.name: self.plan.family.chunk if one.causal else None for one in self.plan.family.encoders}
        bare = self.variant(self.solved)
        self.calibration = [text.task(bare.dictionary, *pair) for pair in zip(*pairs, strict=True)]
        self.default = self.gained(bare)

    @cached_property
    def statistics(self) -> dict[str, Statistics]:
        return gather.gather(self.capture, self.rows, "fit")

    @cached_property
    def solved(self) -> dict[str, Solution]:
        return {name: exact(sums, self.slots(name)) for name, sums in self.statistics.items()}

    def slots(self, name: str) -> Groups:
        """Return the groups of a part's slots."""
        return fit.ALONE if name == POOLED else self.groups

    def part(self, name: str, solution: Solution, groups: Groups | None = None) -> Part:
        return fit.make_part(solution, self.statistics[name], groups or self.slots(name))

    def variant(self, solutions: Mapping[str, Solution]) -> Variant:
        """Return a dictionary that is not yet calibrated."""
        parts = {name: self.part(name, one) for name, one in solutions.items()}
        supports = [row.entry.prompt.support(self.plan.table) for row in self.rows]
        said = capture.unmentioned(self.plan.table, supports)
        return Variant(Dictionary(self.plan.table, self.plan.family, parts, said, ((1, 1),), {}, {}), self.reach)

    def gained(self, variant: Variant) -> Variant:
        return text.gained(variant, self.calibration)

    def changed(self, change: Callable[[str, Part], Part]) -> Variant:
        """Return the default with the parts of the encoders changed, the pooled vector's as it is."""
        found = self.default.dictionary
        parts = {name: part if name == POOLED else change(name, part) for name, part in found.parts.items()}
        return replace(self.default, dictionary=replace(found, parts=parts))


# --- variants --------------------------------------------------------------------------------------------------------


def refitted(
    made: Fit, config: ExactConfig = EXACT, group: Callable[[Fit], Tensor] = lambda made: made.groups.of
) -> Variant:
    """Fit the encoders with other options, or with effects shared by other groups of slots."""

    def change(name: str, _: Part) -> Part:
        groups = replace(made.groups, of=group(made))
        return made.part(name, exact(made.statistics[name], groups, config), groups)

    return made.gained(made.changed(change))


def slot_by_slot(made: Fit) -> Tensor:
    """A group for every slot."""
    return torch.arange(len(made.groups.of))


def all_alike(made: Fit) -> Tensor:
    """One group for all phrases, roles apart as before."""
    categories = len(made.plan.table.categories)
    return (made.groups.of - categories + 1).clamp(min=0)


def constant(made: Fit) -> Variant:
    """Decode every phrase alike in all company."""

    def change(name: str, part: Part) -> Part:
        own, shared = part.slot_effects.clone(), part.group_effects.clone()
        own[: len(made.plan.table.phrases)] = 0
        shared[: len(made.plan.table.categories)] = 0
        return replace(part, own=own, shared=shared)

    return made.gained(made.changed(change))


def still(made: Fit, *roles: str) -> Variant:
    """Leave the rows of roles as they are."""

    def change(name: str, part: Part) -> Part:
        shared = part.group_effects.clone()
        for role in roles:
            shared[len(made.plan.table.categories) + ROLES.index(role)] = 0
        return replace(part, shared=shared)

    return made.changed(change)


def ridged(made: Fit, factor: float) -> Variant:
    """Solve with every chosen ridge times a factor, codes in the default's decoder."""
    solutions = {}
    for name, solution in made.solved.items():
        fitted = _fitted(made.statistics[name], made.slots(name), EXACT, factor)
        shared, own = ((one @ solution.decoder.double().T).float() for one in (fitted.shared, fitted.own))
        solutions[name] = solution._replace(shared=shared, own=own)
    return made.gained(made.variant(solutions))


def phrases_apart(made: Fit) -> Variant:
    """Fit the common level to phrases alone, codes in the default's decoder; roles as they were."""
    phrases, categories = len(made.plan.table.phrases), len(made.plan.table.categories)

    def change(name: str, part: Part) -> Part:
        sums, solution = made.statistics[name], made.solved[name]
        groups = Groups(made.groups.of[:phrases], phrases)
        some = {one: getattr(sums, one)[:, :phrases] for one in ("count", "label", "gram", "token", "cross", "square")}
        fitted = _fitted(replace(sums, **some, lengths=sums.lengths[:phrases]), groups, FINE)
        shared, own = ((one @ solution.decoder.double().T).float() for one in (fitted.shared, fitted.own))
        solution = solution._replace(
            shared=torch.cat([shared, solution.group_effects[categories:]]),
            own=torch.cat([own, solution.slot_effects[phrases:]]),
        )
        return made.part(name, solution)

    return made.gained(made.changed(change))


def _fitted(sums: Statistics, groups: Groups, config: ExactConfig, factor: float = 1.0) -> Effects:
    """Fit effects with ridges chosen by their held-out error, times a factor."""
    chosen = choose(folds_of(sums), groups, config)
    return effects(sums.total(), groups.of, Ridges(*(torch.where(x < NEVER, x * factor, x) for x in chosen)))


def accompanied(made: Fit, encoder: str, rows: int | None) -> Variant:
    """Fit and edit an encoder with other company: what stands before in so many rows, or all that is said."""
    variant = replace(made.default, reach={**made.reach, encoder: rows})
    old, phrases = made.statistics[encoder], len(made.plan.table.phrases)
    sums = Statistics.zeros(*old.label.shape[1:], *old.token.shape[2:], moment=False)
    for row in made.rows:
        reading, fold = calibration.known_reading(variant.dictionary, row), fold_of(row.entry.prompt.text)
        laid = text.laid_out(variant, row, reading, encoder)
        first = 0
        for span in reading.layouts[encoder].spans:
            some = slice(first, first := first + len(span.rows))
            sums.add(fold, span.phrase, laid.labels[some][:1], laid.x[some][None])
        for slot in range(phrases, len(made.groups.of)):
            some = laid.slots == slot
            if bool(some.any()):
                sums.add(fold, slot, laid.labels[some], laid.x[some][:, None])
    codes = to_codes(exact(sums, made.groups), sums.lengths, made.groups)
    parts = {**variant.dictionary.parts, encoder: replace(variant.dictionary.parts[encoder], **vars(codes))}
    return made.gained(replace(variant, dictionary=replace(variant.dictionary, parts=parts)))


def pairwise(made: Fit) -> Variant:
    """Explain what is left by pairs of the company that occur, the same for all slots of a group."""
    supports = [row.entry.prompt.support(made.plan.table) for row in made.rows]
    members = torch.tensor(sorted({pair for one in supports for pair in itertools.combinations(sorted(one), 2)}))
    found = {name: _pairs_of(made, name, members) for name in made.statistics}
    return made.gained(replace(made.default, pairwise=found))


def _pairs_of(made: Fit, name: str, members: Tensor) -> Pairwise:
    groups = made.slots(name)
    left: dict[tuple[int, int], list[tuple[Tensor, Tensor]]] = defaultdict(list)
    for row in made.rows:
        laid = text.laid_out(made.default, row, calibration.known_reading(made.default.dictionary, row), name)
        off = laid.x - text.decoded(made.default, name, laid)
        for slot in laid.slots.unique().tolist():
            some = laid.slots == slot
            left[fold_of(row.entry.prompt.text), slot].append((laid.labels[some], off[some]))
    sums = Statistics.zeros(len(groups.of), len(members), 1, off.shape[1], moment=False)
    for (fold, slot), some in left.items():
        labels, off = (torch.cat(one) for one in zip(*some, strict=True))
        sums.add(fold, slot, text.paired_labels(labels, members), off[:, None])
    return Pairwise(members, _fitted(sums, groups, ONLY_PAIRS).shared.float(), sums.total().mean_label.float())


def dropped(made: Fit, *kinds: str) -> Variant:
    """Write what the dictionary decodes instead of adding to what was there."""
    return replace(made.default, dropped=kinds)


def ungained(made: Fit, *, alike: bool) -> Variant:
    """Edit without calibration, or with one factor for all concepts of a part."""
    found = made.default.dictionary
    parts = {
        name: replace(one, gain=(one.gain.mean() if alike else torch.tensor(1.0)).expand_as(one.gain))
        for name, one in found.parts.items()
    }
    return replace(made.default, dictionary=replace(found, parts=parts))


def unwhitened(made: Fit) -> Variant:
    """Read by plain distances: of every covariance only the mean variance."""

    def change(_: str, part: Part) -> Part:
        scale = lambda w: torch.linalg.inv(w).square().sum().div(len(w)).rsqrt() * torch.eye(len(w))  # noqa: E731
        return replace(part, **{name: scale(getattr(part, name)) for name in ("within", "rest", "around")})

    return made.changed(change)


class Family(NamedTuple):
    """Variants of one question."""

    sizes: Sequence[int]
    variants: Mapping[str, Callable[[Fit], Variant]]
    sets: Sequence[str] = ("unseen",)
    """of tasks"""
    reads: Sequence[int] = ()
    """numbers of prompts at which reading is measured too"""
    against: int | None = None
    """prompts of the default that variants are held against, if not as many"""


FAMILIES: dict[str, Family] = {
    "effects": Family(
        SIZES,
        {
            "no common level": partial(refitted, config=ExactConfig(common_ridges=(NEVER,))),
            "no category level": partial(refitted, group=slot_by_slot),
            "neither": partial(refitted, config=ExactConfig(common_ridges=(NEVER,)), group=slot_by_slot),
            "no deviation of a slot": partial(refitted, config=ExactConfig(own_ridges=(NEVER,))),
            "all phrases alike": partial(refitted, config=ExactConfig(own_ridges=(NEVER,)), group=all_alike),
            "phrases without effects": constant,
            "common level of phrases apart": phrases_apart,
            "weaker common ridges to choose from": partial(refitted, config=FINE),
        },
        reads=(50,),
    ),
    "roles": Family(
        (ALL,),
        {
            **{f"{role} left as it is": lambda made, role=role: still(made, role) for role in ROLES},
            "all left as they are": lambda made: still(made, *ROLES),
        },
    ),
    "company": Family(
        (300, ALL),
        {
            "causal: all instead of before": lambda made: accompanied(made, "clip", None),
            "bidirectional: before instead of all": lambda made: accompanied(made, "t5", 2 * made.plan.family.chunk),
        },
    ),
    "width": Family(
        (ALL,),
        {f"width {d}": partial(refitted, config=ExactConfig(rank=d)) for d in (8, 16, 32, 64, 192)},
        reads=(ALL,),
    ),
    "pairwise terms": Family((ALL,), {"with": pairwise}, sets=("unseen", "several")),
    "residual": Family(
        (50, ALL),
        {
            "dropped in the phrase": lambda made: dropped(made, "phrase"),
            "dropped in all phrases": lambda made: dropped(made, *text.SPANS),
            "dropped in all rows": lambda made: dropped(made, *text.KINDS),
        },
        sets=("unseen", "paraphrase"),
    ),
    "ridge": Family(SIZES, {f"ridge × {f:g}": partial(ridged, factor=f) for f in (0.01, 0.1, 10, 100)}, reads=(50,)),
    "prompts": Family(
        (20, 50, 100, 200, 400, 800),
        {"default": lambda made: made.default},
        sets=("unseen", "several"),
        reads=(20, 50, 100, 200, 400, 800, ALL),
        against=ALL,
    ),
    "gain": Family(
        SIZES, {"none": partial(ungained, alike=False), "one for all concepts": partial(ungained, alike=True)}
    ),
    "reading": Family(
        (20, *SIZES),
        {"one look": lambda made: replace(made.default, looks=1), "not whitened": unwhitened},
        reads=(20, *SIZES),
    ),
}
"""Question → variants. Sites are in ``sites.py``: they need pictures."""
