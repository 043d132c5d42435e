"""Merge two captures of the same set-up into a third: more prompts, drawn with other seeds or on other machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path

from ..files import alone_in
from .activations import (
    BATCHES,
    SUMS,
    Activations,
    activation_bytes,
    empty_sums,
    load_activations,
    read_sums,
    write_sums,
)
from .captures import SHARD, Capture, start_capture
from .plan import ActivationPlan, other_setup
from .statistics import Statistics

SHARED = 0.5
"""Share of a capture's prompts that another may hold as well before the two count as the same ones."""


def merge_captures(one: Capture, other: Capture, folder: str | Path) -> Capture:
    """Write a capture that holds the prompts of two finished ones of the same set-up.

    A merge that was cut off is gone on with.

    Raises:
        BusyError: if another process writes that folder.
        ValueError: if they do not belong together, one is not finished, the folder holds another capture, or the disk
            is too full; says which.
    """
    differs = other_setup(one.plan, other.plan)
    if differs:
        raise ValueError(
            f"{one.folder} and {other.folder} are captures of another {differs}; they cannot be merged. Capture both "
            "with the same settings, apart from the seed."
        )
    _require_other_prompts(one, other)
    with alone_in(Path(folder)):
        return _merged(one, other, folder)


def _merged(one: Capture, other: Capture, folder: str | Path) -> Capture:
    recorded = isinstance(one.plan, ActivationPlan)
    parts = [load_activations(capture) for capture in (one, other)] if recorded else []
    _require_finished(parts)
    held_out = tuple(sorted({*one.plan.held_out} & {*other.plan.held_out}))  # if neither wrote it
    plan = replace(one.plan, entries=one.plan.entries + other.plan.entries, held_out=held_out)
    made = start_capture(folder, plan, beside=activation_bytes(plan) if isinstance(plan, ActivationPlan) else 0)
    made.discard_damaged()
    rows, missing = chain(one.read(), other.read()), set(made.missing())
    for shard in range(made.shards if missing else 0):
        some = list(islice(rows, SHARD))
        if shard in missing:
            made.write(shard, [row.cond for row in some], [row.pooled for row in some])
    if parts:
        _copy_activations(parts, made)
    return made


def _require_other_prompts(one: Capture, other: Capture) -> None:
    texts, others = ({entry.prompt.text for entry in capture.plan.entries} for capture in (one, other))
    if len(texts & others) > SHARED * min(len(texts), len(others)):
        raise ValueError(
            f"{one.folder} and {other.folder} hold the same prompts, so merging them adds nothing. Capture one of them "
            f"with another seed than {one.plan.seed}."
        )


def _require_finished(parts: Sequence[Activations]) -> None:
    for part in parts:
        if part.missing:
            raise ValueError(
                f"The capture in {part.capture.folder} is not finished ({len(part.missing)} prompts are not sampled). "
                "Run Capture again: it goes on where it stopped."
            )


def _copy_activations(parts: Sequence[Activations], made: Capture) -> None:
    """Copy the batches, and add up the sums that there are already; what a merge before has copied is copied anew."""
    for key in (SUMS, *made.store.keys(BATCHES)):
        if made.store.has(key):
            made.store.remove(key)
    assert isinstance(made.plan, ActivationPlan)
    shifts = (0, len(parts[0].plan.entries))
    summed = [shift + index for part, shift in zip(parts, shifts, strict=True) for index in part.summed]
    if summed:
        names = made.plan.sampling.parts(made.plan.family)
        write_sums(made, {name: _added(parts, made.plan, name) for name in names}, summed)
    found = Activations(made, summed)
    for part, shift in zip(parts, shifts, strict=True):
        for key, indices in part.batches().items():
            found.add([shift + index for index in indices], part.capture.store.read(key))


def _added(parts: Sequence[Activations], plan: ActivationPlan, name: str) -> tuple[Statistics, ...]:
    one, other = (read_sums(part.capture, name) for part in parts)
    tokens = empty_sums(plan, name)[0].token.shape[2]
    return tuple(a.lengthened(tokens) + b.lengthened(tokens) for a, b in zip(one, other, strict=True))
