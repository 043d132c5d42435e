"""How ranks share a fit: each its shards of the capture and its parts of the dictionary; everything small, all know.

With one rank all of this returns what it is given.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from ..supsae_core.capture.captures import Capture
from ..supsae_core.capture.kept import Batch, Samples, Summed
from ..supsae_core.capture.plan import TextPlan
from ..supsae_core.capture.statistics import Statistics
from ..supsae_core.capture.typed import Typed
from ..supsae_core.dictionary.model import POOLED, Codes
from ..supsae_core.dictionary.operator import Operator, operator_from, tensors_of
from ..supsae_core.encoders.base import Family
from . import distributed
from .gather import gather, require_even

PRODUCTS = ("gram", "cross")
"""What is large in sums: only the rank that solves a part needs it."""

Said = tuple[Mapping[str, Tensor], Any]
"""tensors by name, and what JSON can say"""
Kind = TypeVar("Kind", bound=Codes)


def parts_of(family: Family) -> dict[str, int]:
    """Return the rank of every part: the widest first, each to a rank that has the least to do, rank 0 last."""
    widths = {encoder.name: encoder.width for encoder in family.encoders}
    widths |= {POOLED: family.pooled_width} if family.pooled else {}
    load, owned = [0] * distributed.world(), dict[str, int]()
    for name in sorted(widths, key=lambda name: -widths[name]):
        owned[name] = min(reversed(range(len(load))), key=load.__getitem__)
        load[owned[name]] += widths[name] ** 2
    return {name: owned[name] for name in widths}


def own(owned: Mapping[str, int]) -> list[str]:
    """Return what is this rank's to do."""
    return [name for name, rank in owned.items() if rank == distributed.rank()]


def own_shards(capture: Capture, *sets: str) -> list[int]:
    """Return a rank's share of the shards of some sets: neighbours, so that all shares in order are the capture's."""
    shards, rank, world = capture.shards_of(*sets), distributed.rank(), distributed.world()
    return shards[len(shards) * rank // world : len(shards) * (rank + 1) // world]


def gather_all(capture: Capture, typed: Typed, owned: Mapping[str, int]) -> dict[str, Summed]:
    """Sum up the prompts to fit on, each rank its share; products of labels are whole on the rank of a part alone.

    Args:
        typed: knows these prompts in the end.

    Raises:
        ValueError: as ``gather``, and if another rank failed.
    """
    shards = own_shards(capture, "fit")
    found = distributed.together(lambda: gather(capture, capture.read("fit", shards=shards), "fit", typed))
    if distributed.world() == 1:
        return found
    entries = [entry for entry in capture.plan.entries if entry.set == "fit"]
    numbers = typed.numbers(entries)
    distributed.all_reduce(numbers, op="max")
    typed.learn(entries, numbers)
    return {name: _added(capture.plan, name, some, owned[name]) for name, some in found.items()}


def _added(plan: TextPlan, part: str, some: Summed, owner: int) -> Summed:
    """Add all ranks' sums of a part, or put their samples together."""
    lengths = some.lengths.clone()
    distributed.all_reduce(lengths, op="max")
    slots = (some.lengths > 0).nonzero()[:, 0]
    distributed.together(lambda: require_even(plan, part, lengths, slots, some.lengths[slots]))
    sums = replace(some.sums, lengths=lengths)
    small = [getattr(sums, one.name) for one in fields(sums) if one.name not in (*PRODUCTS, "lengths")]
    distributed.all_reduce(*small)
    if isinstance(some, Samples):
        batch = Batch(*(distributed.collect(one, owner) for one in _batch(some)))
        return replace(some, sums=sums, batches=(batch,) if distributed.rank() == owner else ())
    for name in PRODUCTS:
        distributed.reduce_to(getattr(sums, name), owner)
    return sums if distributed.rank() == owner else _without_products(sums)


def _batch(some: Samples) -> Batch:
    """Return all samples of a part as one batch, that of a rank without shards too."""
    if some.batches:
        return some.joined().batches[0]
    numbers, concepts, width = torch.zeros(0, dtype=torch.int64), some.sums.label.shape[-1], some.sums.token.shape[-1]
    labels = torch.zeros(0, concepts, dtype=torch.uint8)
    return Batch(numbers, numbers, labels, torch.zeros(0, width), torch.zeros(0))


def _without_products(sums: Statistics) -> Statistics:
    return replace(sums, gram=sums.gram[:, :, :0, :0].clone(), cross=sums.cross[:, :, :0].clone())


def told(owned: Mapping[str, int], made: Mapping[str, Said]) -> dict[str, Said]:
    """Return on all ranks what each made of its own."""
    return {name: distributed.share(rank, *made.get(name, ({}, None))) for name, rank in owned.items()}


def told_codes(owned: Mapping[str, int], make: Callable[[str], Kind], kind: type[Kind]) -> dict[str, Kind]:
    """Make the codes of every part, each on its rank, and return all of them on all ranks."""
    made = distributed.together(lambda: {name: make(name) for name in own(owned)})
    if distributed.world() == 1:
        return made
    tensors = told(owned, {name: (vars(one), None) for name, one in made.items()})
    return {name: kind(**some) for name, (some, _) in tensors.items()}


def told_operators(
    owned: Mapping[str, int], operators: Mapping[str, Operator], judged: Mapping[str, Any]
) -> tuple[dict[str, Operator], dict[str, Any]]:
    """Return all operators, and what was found out about them; a rank has those of its own encoders."""
    made = {name: (tensors_of(operators[name]) if name in operators else {}, judged.get(name)) for name in own(owned)}
    found = told(owned, made)
    return (
        {name: operator_from(tensors) for name, (tensors, _) in found.items() if tensors},
        {name: said for name, (_, said) in found.items() if said is not None},
    )


def told_levels(
    names: Iterable[str], make: Callable[[str], tuple[list[Codes], list[Any]]]
) -> dict[str, tuple[list[Codes], list[Any]]]:
    """Make the codes of many things that take equally long, at every level and with what JSON can say of each."""
    owned = {name: number % distributed.world() for number, name in enumerate(names)}
    made = distributed.together(lambda: {name: make(name) for name in own(owned)})
    if distributed.world() == 1:
        return made
    some = {name: (_numbered(levels), said) for name, (levels, said) in made.items()}
    return {
        name: ([_level(tensors, level) for level in range(len(said))], said)
        for name, (tensors, said) in told(owned, some).items()
    }


def _numbered(levels: Sequence[Codes]) -> dict[str, Tensor]:
    return {f"{level}.{name}": one for level, codes in enumerate(levels) for name, one in vars(codes).items()}


def _level(tensors: Mapping[str, Tensor], level: int) -> Codes:
    return Codes(**{one.name: tensors[f"{level}.{one.name}"] for one in fields(Codes)})
