"""Merge two captures of the same set-up into a third: more prompts, drawn with other seeds or on other machines.

What is merged is linked, not copied, where it lies on the same disk: files of a capture are never changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, chain
from pathlib import Path

from ..files import alone_in
from ..stopping import heed
from .activations import (
    BATCHES,
    SUMS,
    Activations,
    activation_bytes,
    batch_key,
    empty_sums,
    load_activations,
    read_sums,
    shift_of,
    write_sums,
)
from .captures import Capture, Encoded, key_of, load_capture, start_capture
from .plan import ActivationPlan, TextPlan, difference, other_setup
from .statistics import Statistics

SHARED = 0.5
"""Share of a capture's prompts that another may hold as well before the two count as the same ones."""


def merge_captures(one: Capture, other: Capture, folder: str | Path) -> Capture:
    """Make a capture that holds the prompts of two finished ones of the same set-up, by links if they share its disk.

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
    for capture in (one, other):
        capture.require_finished()
    with alone_in(Path(folder)):
        return _merged((one, other), Path(folder))


def _merged(sources: Sequence[Capture], folder: Path) -> Capture:
    one, other = (source.plan for source in sources)
    parts = [load_activations(capture) for capture in sources] if isinstance(one, ActivationPlan) else []
    _require_finished(parts)
    plan = _as_begun(merged_plan(one, other), folder)
    linked = all(source.folder.stat().st_dev == folder.stat().st_dev for source in sources)
    beside = activation_bytes(plan) if isinstance(plan, ActivationPlan) else 0
    made = start_capture(folder, plan, beside=beside, linked=linked)
    made.discard_damaged()
    for shard in made.missing():
        heed()
        _take(made, shard, sources)
    if parts:
        _take_activations(parts, made)
    return made


def merged_plan(one: TextPlan, other: TextPlan) -> TextPlan:
    """Return the plan of two captures together, one's shards behind the other's."""
    runs = tuple(chain.from_iterable(plan.runs or (len(plan.entries),) for plan in (one, other)))
    held_out = tuple(sorted({*one.held_out} & {*other.held_out}))  # if neither wrote it
    whole = one.whole and other.whole
    return replace(one, entries=one.entries + other.entries, held_out=held_out, runs=runs, whole=whole)


def _as_begun(plan: TextPlan, folder: Path) -> TextPlan:
    """Return the plan, divided as a merge that was begun there with the first format, which had one run of shards."""
    if not (folder / "capture.json").exists():
        return plan
    undivided = replace(plan, runs=())
    return plan if difference(load_capture(folder).plan, undivided) else undivided


def _take(made: Capture, shard: int, sources: Sequence[Capture]) -> None:
    """Take a shard from the capture that has it, or put it together where shards are divided otherwise."""
    firsts = list(accumulate((len(source.plan.entries) for source in sources), initial=0))
    span, rows = made.span(shard), list[Encoded]()
    for first, source in zip(firsts, sources, strict=False):
        own = range(max(span.start - first, 0), min(span.stop - first, len(source.plan.entries)))
        if own and own == source.span(source.shard_of(own.start)) and len(own) == len(span):
            made.store.take(key_of(shard), source.store.file(key_of(source.shard_of(own.start))))
            return
        rows += source.pick(own)
    made.write(shard, [row.cond for row in rows], [row.pooled for row in rows])


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


def _take_activations(parts: Sequence[Activations], made: Capture) -> None:
    """Take the batches, and add up the sums that there are already; what a merge before has taken is taken anew."""
    for key in (SUMS, *made.store.keys(BATCHES)):
        if made.store.has(key):
            made.store.remove(key)
    assert isinstance(made.plan, ActivationPlan)
    shifts = (0, len(parts[0].plan.entries))
    summed = [shift + index for part, shift in zip(parts, shifts, strict=True) for index in part.summed]
    if summed:
        names = made.plan.sampling.parts(made.plan.family)
        write_sums(made, {name: _added(parts, made.plan, name) for name in names}, summed)
    batches = [(part, shift, key) for part, shift in zip(parts, shifts, strict=True) for key in part.batches()]
    for number, (part, shift, key) in enumerate(batches):
        made.store.take(batch_key(number, shift + shift_of(key)), part.capture.store.file(key))
    load_activations(made).fold_if_large()


def _added(parts: Sequence[Activations], plan: ActivationPlan, name: str) -> tuple[Statistics, ...]:
    one, other = (read_sums(part.capture, name) for part in parts)
    tokens = empty_sums(plan, name)[0].token.shape[2]
    return tuple(a.lengthened(tokens) + b.lengthened(tokens) for a, b in zip(one, other, strict=True))
