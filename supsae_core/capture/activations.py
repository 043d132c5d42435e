"""Activations on disk: samples that are summed up before they outgrow the sums, and raw rows to calibrate on.

Every batch is written to a file of its own as soon as it is sampled. Once the files of the batches to fit on are
larger than their sums would be, the sums are written and the files go: disk does not grow with the prompts any more.
Whatever ends a run costs it the batch in flight, and going on adds up in the order in which one run does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from functools import cached_property, lru_cache
from pathlib import Path

import torch
from torch import Tensor

from ..encoders.sites import Site
from ..encoders.streams import IMAGE, parse_part, slots_of
from ..files import DamagedError, whole_number
from ..stopping import heed
from .captures import Capture, start_capture
from .plan import ActivationPlan, Entry, cond_rows
from .samples import Picked, picked, recorded_rows, rows_of_part
from .statistics import Statistics
from .store import Store

FORMAT_VERSION = 1
SUMS = "activations-sums"
BATCHES = "activations"
"""Key of the sums, and prefix of the keys of batches."""

Recorded = Mapping[str, Tensor]
"""Of a batch to fit on: part → samples (buckets, R, d). To calibrate on: site → rows (B, buckets, rows, d)."""


class Activations:
    """What a capture holds of the streams so far."""

    def __init__(self, capture: Capture, summed: Iterable[int]) -> None:
        plan = capture.plan
        assert isinstance(plan, ActivationPlan)
        self.capture, self.plan, self._store = capture, plan, capture.store
        self.summed = list(summed)
        """the prompts that are in the sums on disk"""
        self._fit, self._rows = dict[str, list[int]](), dict[int, tuple[str, int]]()
        self._picked = dict[tuple[str, str], Picked]()

    @property
    def missing(self) -> list[int]:
        """Places in the plan of the prompts that are not recorded yet."""
        done = {*self.summed, *self._rows, *(index for some in self._fit.values() for index in some)}
        return [index for index in range(len(self.plan.entries)) if index not in done]

    def add(self, indices: Sequence[int], tensors: Recorded) -> None:
        """Keep a batch: prompts of one set, all to fit on or none.

        Raises:
            OSError: with a sentence, if the disk is full; what was there is kept.
        """
        there = [int(key.split("-")[1].partition("+")[0]) for key in self._store.keys(BATCHES)]
        key = batch_key(max(there, default=-1) + 1)
        self._store.write(key, tensors, metadata(indices))
        self.take(key, indices)
        self.fold_if_large()

    def fold_if_large(self) -> None:
        """Write the sums once the batches are larger."""
        if sum(map(self._store.size, self._fit)) > self._sums_size:
            self.fold()

    @cached_property
    def _sums_size(self) -> int:
        return sums_size(self.plan)

    def take(self, key: str, indices: Sequence[int]) -> None:
        """Count a batch as there."""
        if self.plan.entries[indices[0]].set == "fit":
            self._fit[key] = list(indices)
        else:
            self._rows.update({index: (key, place) for place, index in enumerate(indices)})

    def fold(self) -> None:
        """Write the sums, and remove the batches that are in them."""
        sums = {name: self.sums(name) for name in self.plan.sampling.parts(self.plan.family)}
        self.summed += [index for some in self._fit.values() for index in some]
        write_sums(self.capture, sums, self.summed)
        for key in self._fit:
            self._store.remove(key)
        self._fit.clear()
        self._picked.clear()

    def sums(self, name: str) -> tuple[Statistics, ...]:
        """Sum up a part, at every noise level.

        Raises:
            ValueError: if a file is damaged, or an encoder spells a phrase in two ways.
        """
        found = read_sums(self.capture, name)
        for key, indices in self._fit.items():
            rows, chosen = self._store.tensor(key, name), self._chosen(key, indices, name)
            _check_lengths(self.plan, found[0], chosen)
            for statistics, level in zip(found, rows, strict=True):
                statistics.scatter(chosen.folds, chosen.slots, chosen.labels, level, chosen.lengths)
        return found

    def rows(self, index: int, site: Site) -> Tensor:
        """Return the raw rows (buckets, rows, d) of a prompt to calibrate on."""
        key, place = self._rows[index]
        return self._batch(key, str(site))[place].float()

    @cached_property
    def _batch(self) -> Callable[[str, str], Tensor]:
        """(key, site) → rows of a batch; whole ones are held against their hash, and neighbours ask for the same."""
        return lru_cache(2)(self._store.tensor)

    def batches(self) -> dict[str, list[int]]:
        """Return the keys of all batches that are not in the sums, and the prompts in them."""
        kept: dict[str, list[int]] = {}
        for index, (key, _) in self._rows.items():
            kept.setdefault(key, []).append(index)
        return {**self._fit, **kept}

    def _chosen(self, batch: str, indices: Sequence[int], name: str) -> Picked:
        """Parts of the same rows take the same samples, whatever their site."""
        key = (batch, parse_part(name)[1])
        if key not in self._picked:
            prompts = self.capture.pick(indices)
            longest = max(recorded_rows(self.plan, name, row) for row in prompts)
            self._picked[key] = picked(self.plan, name, prompts, longest)
        return self._picked[key]


def _check_lengths(plan: ActivationPlan, statistics: Statistics, chosen: Picked) -> None:
    known = statistics.lengths.clone()
    for slot, length in zip(chosen.slots.tolist(), chosen.lengths.tolist(), strict=True):
        if int(known[slot]) not in (0, length):
            raise ValueError(
                f"The text encoder spells the phrase {plan.table.phrases[slot].text!r} with {int(known[slot])} tokens "
                f"in one prompt and {length} in another. Word it without marks or brackets."
            )
        known[slot] = length


def load_activations(capture: Capture) -> Activations:
    """Open what a capture recorded so far.

    Raises:
        ValueError: if it is a capture without activations, a file is damaged, or its format is newer.
    """
    if not isinstance(capture.plan, ActivationPlan):
        raise ValueError(f"The capture in {capture.folder} holds no activations. Run Capture with prompts and blocks.")
    store = capture.store
    count = len(capture.plan.entries)
    found = Activations(capture, _prompts(store, SUMS, count) if store.has(SUMS) else ())
    for key in store.keys(BATCHES):
        indices = _prompts(store, key, count)
        if set(indices) <= set(found.summed):  # it is in the sums; only removing it was cut off
            store.remove(key)
        else:
            found.take(key, indices)
    return found


def discard_damaged(capture: Capture) -> list[str]:
    """Remove the files that cannot be read any more, so that what was in them is sampled anew; return their keys."""
    store, damaged = capture.store, []
    for key in (SUMS, *store.keys(BATCHES)):
        if store.has(key):
            heed()
            try:
                store.read(key)
                _prompts(store, key, len(capture.plan.entries))
            except ValueError:
                damaged.append(key)
                store.remove(key)
    return damaged


def start_activations(folder: str | Path, plan: ActivationPlan, *, limit: int | None = None) -> Capture:
    """Begin a capture of activations, or go on with the one that is there; ``start_capture`` with all it will hold."""
    return start_capture(folder, plan, limit=limit, beside=activation_bytes(plan))


def activation_bytes(plan: ActivationPlan) -> int:
    """Return the bytes that activations will take at most, before they are captured."""
    sampling, parts = plan.sampling, plan.sampling.parts(plan.family)
    sites = {site: name for name, site in parts.items()}
    samples = sum(_most_samples(plan, name, entry) for entry in plan.entries if entry.set == "fit" for name in parts)
    rows = sum(
        rows_of_part(sampling, parse_part(name)[1], cond_rows(plan.family, entry), entry)
        for entry in plan.entries
        if entry.set != "fit"
        for name in sites.values()
    )
    numbers = sampling.buckets * sampling.hidden
    # While sums are written, the old ones and batches as large as they are there beside them.
    return min(4 * numbers * samples, 3 * sums_size(plan)) + 2 * numbers * rows


def sums_size(plan: ActivationPlan) -> int:
    """Return the bytes of the sums."""
    with torch.device("meta"):
        some = [one for name in plan.sampling.parts(plan.family) for one in empty_sums(plan, name)]
    return sum(getattr(one, f.name).nbytes for one in some for f in fields(one))


def _most_samples(plan: ActivationPlan, name: str, entry: Entry) -> int:
    """Return how many rows a part keeps of a prompt to fit on, at most."""
    rows, mentions = parse_part(name)[1], entry.prompt.mentions
    if rows in IMAGE:
        return rows_of_part(plan.sampling, rows, 0, entry)
    encoder = plan.family.segments[rows][0]
    counts, length = entry.counts[encoder.name], encoder.layout.length(sum(entry.counts[encoder.name]))
    parts = len(encoder.layout.parts(range(length)))
    tokens = sum(sum(counts[mention.start : mention.stop]) for mention in mentions)
    templated = encoder.layout.lead + encoder.layout.tail
    # What a role hears changes behind a mention.
    return tokens + len(mentions) + len(plan.family.roles) * parts + templated


def empty_sums(plan: ActivationPlan, name: str) -> tuple[Statistics, ...]:
    """Return a part's sums over no prompts."""
    sampling, rows = plan.sampling, parse_part(name)[1]
    tokens = 1 if rows in IMAGE else max(plan.longest(one) for one in plan.family.segments[rows])
    slots = slots_of(name, plan.table, plan.family) or sampling.tokens
    return tuple(Statistics.zeros(slots, len(plan.table), tokens, sampling.hidden) for _ in range(sampling.buckets))


def read_sums(capture: Capture, name: str) -> tuple[Statistics, ...]:
    """Read a part's sums from the disk; over no prompts if none are there yet."""
    assert isinstance(capture.plan, ActivationPlan)
    store, found = capture.store, empty_sums(capture.plan, name)
    if not store.has(SUMS):
        return found
    names = [f.name for f in fields(Statistics)]
    read = []
    for bucket in range(len(found)):
        tensors = {field: store.tensor(SUMS, f"{name}#{bucket}.{field}") for field in names}
        read.append(Statistics(**tensors))
    pairs = [(getattr(a, field), getattr(b, field)) for a, b in zip(read, found, strict=True) for field in names]
    if any(one.shape != wanted.shape for one, wanted in pairs):
        raise ValueError(f"{store.file(SUMS)} does not fit its capture. Delete it and run Capture again.")
    return tuple(read)


def write_sums(capture: Capture, sums: Mapping[str, tuple[Statistics, ...]], indices: Sequence[int]) -> None:
    """Write the sums of all parts over some prompts."""
    tensors: dict[str, Tensor] = {}
    for name, some in sums.items():
        for bucket, one in enumerate(some):
            tensors |= {f"{name}#{bucket}.{f.name}": getattr(one, f.name) for f in fields(one)}
    capture.store.write(SUMS, tensors, metadata(sorted(indices)))


def metadata(indices: Sequence[int]) -> dict[str, str]:
    """Return what is written into a file's header of the prompts in it."""
    return {"format_version": str(FORMAT_VERSION), "prompts": json.dumps(list(indices))}


def batch_key(number: int, shift: int = 0) -> str:
    """Return the key of a batch; of a merged capture's, that file's numbers of prompts are to be raised by a shift."""
    return f"{BATCHES}-{number:06d}" + (f"+{shift}" if shift else "")


def shift_of(key: str) -> int:
    """Return by how much a key says that the numbers of prompts in its file are to be raised."""
    return int(key.partition("+")[2] or 0)


def _prompts(store: Store, key: str, count: int) -> list[int]:
    """Return the prompts in a file, of ``count`` that there are.

    Raises:
        ValueError: if it is damaged, or its format is newer.
    """
    with store.opened(key) as opened:
        header = opened.metadata
        version = whole_number(json.loads(header["format_version"]), "format_version")
        indices, shift = json.loads(header["prompts"]), shift_of(key)
        if not isinstance(indices, list) or not all(type(one) is int and 0 <= one < count - shift for one in indices):
            raise DamagedError("names prompts that the capture does not have")
    if version > FORMAT_VERSION:
        raise ValueError(
            f"{store.file(key)} has format version {version}; this SupSAE reads up to {FORMAT_VERSION}. Update SupSAE."
        )
    return [shift + one for one in indices]
