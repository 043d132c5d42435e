"""The capture on disk: a folder with ``capture.json`` and safetensors shards; resumable, verified when read.

A capture is planned before it starts: its prompts are drawn once, and shard i always holds the same ones. An
interrupted capture goes on at the first shard that is missing. What a capture of activations holds beside the shards
is in ``activations.py``.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..encoders.base import Encoder, Family
from ..encoders.families.stored import family_from_json, family_to_json
from ..encoders.fingerprints import SAME, distance
from ..table.concepts import ConceptTable
from ..table.parsing import table_from_mapping
from ..table.prompts import Mention, Prompt
from . import sampling
from .sampling import Sampling

FORMAT_VERSION = 1
SHARD = 64
"""Prompts in a shard: what an interrupt can lose at most."""
_SHARDS = "shard-*.safetensors"
SETS = ("fit", "calibration", "rewrite")
"""``rewrite`` i is the prompt rewrite of ``calibration`` i with one concept swapped."""


@dataclass(frozen=True)
class Entry:
    """One prompt of the plan, and how many tokens each encoder spells its words with."""

    prompt: Prompt
    set: str
    counts: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Plan:
    """All that a capture will hold, fixed before it starts."""

    table: ConceptTable
    family: Family
    entries: tuple[Entry, ...]
    held_out: tuple[tuple[int, int], ...]
    fingerprint: Mapping[str, tuple[float, ...]]
    """site → projected output for the probe prompts: which encoder this is"""
    seed: int
    sampling: Sampling | None = None
    """in captures of activations: what is recorded while pictures are sampled"""

    def longest(self, encoder: Encoder) -> int:
        """Return the most tokens of a slot in an encoder: of a phrase, its punctuation included, or of a template."""
        phrases = (_longest(entry, entry.counts[encoder.name]) for entry in self.entries)
        return max((*phrases, encoder.layout.lead, encoder.layout.tail, 1))

    def to_json(self) -> dict[str, Any]:
        return {
            "format_version": FORMAT_VERSION,
            "table": self.table.to_json(),
            "family": family_to_json(self.family),
            "seed": self.seed,
            "held_out": [list(pair) for pair in self.held_out],
            "fingerprint": {site: list(values) for site, values in self.fingerprint.items()},
            "entries": [asdict(entry) for entry in self.entries],
            **({"sampling": self.sampling.to_json()} if self.sampling else {}),
        }


class Encoded(NamedTuple):
    """One captured prompt."""

    entry: Entry
    cond: Tensor
    """(L, width) float32"""
    pooled: Tensor
    """(P,) float32"""


@dataclass(frozen=True)
class Capture:
    """A capture folder."""

    folder: Path
    plan: Plan

    @property
    def shards(self) -> int:
        return -(-len(self.plan.entries) // SHARD)

    def missing(self) -> list[int]:
        """Return the shards still to be written."""
        return [index for index in range(self.shards) if not self._file(index).exists()]

    def entries(self, shard: int) -> tuple[Entry, ...]:
        """Return the entries of a shard."""
        return self.plan.entries[shard * SHARD : (shard + 1) * SHARD]

    def write(self, shard: int, conds: Sequence[Tensor], pooled: Sequence[Tensor]) -> None:
        """Write a shard's rows (L, width) and pooled vectors (P,) at once: it is there whole or not at all.

        Raises:
            ValueError: if the encoder returned numbers that half precision cannot hold.
        """
        tensors = {
            "cond": torch.cat([_half(cond) for cond in conds]),
            "lengths": torch.tensor([len(cond) for cond in conds]),
            "pooled": _half(torch.stack(list(pooled))),
        }
        if not all(bool(tensors[name].isfinite().all()) for name in ("cond", "pooled")):
            raise ValueError(
                f"The text encoder returned values beyond half precision for prompts {shard * SHARD} on. Load it in "
                "bfloat16 or float32 and run Capture again: what is there is kept."
            )
        store(self._file(shard), tensors)

    def read(self) -> Iterator[Encoded]:
        """Yield every captured prompt, shard by shard.

        Raises:
            ValueError: if shards are missing or damaged.
        """
        if self.missing():
            raise ValueError(
                f"The capture in {self.folder} is not finished ({len(self.missing())} of {self.shards} parts missing). "
                "Run Capture again: it goes on where it stopped."
            )
        for shard in range(self.shards):
            tensors = self._load(shard)
            rows = tensors["cond"].float().split(tensors["lengths"].tolist())
            yield from map(Encoded, self.entries(shard), rows, tensors["pooled"].float())

    def rows(self) -> list[int]:
        """Return the number of conditioning rows of every prompt."""
        return [length for shard in range(self.shards) for length in self._lengths(shard)]

    def pick(self, indices: Sequence[int]) -> list[Encoded]:
        """Return some prompts, by their place in the plan, without reading the others' rows."""
        return [self._one(*divmod(index, SHARD)) for index in indices]

    def _lengths(self, shard: int) -> list[int]:
        with safe_open(self._file(shard), "pt") as file:
            return file.get_tensor("lengths").tolist()

    def _one(self, shard: int, place: int) -> Encoded:
        with safe_open(self._file(shard), "pt") as file:
            lengths = file.get_tensor("lengths").tolist()
            first = sum(lengths[:place])
            cond = file.get_slice("cond")[first : first + lengths[place]]
            return Encoded(self.entries(shard)[place], cond.float(), file.get_slice("pooled")[place].float())

    def _load(self, shard: int) -> dict[str, Tensor]:
        try:
            tensors = load_file(self._file(shard))
        except (SafetensorError, OSError) as error:
            raise ValueError(f"{self._file(shard)} is damaged ({error}). Delete it and run Capture again.") from error
        count, plan = len(self.entries(shard)), self.plan
        lengths = tensors.get("lengths", torch.zeros(0))
        wanted = {
            "cond": (int(lengths.sum()), plan.family.width),
            "pooled": (count, plan.family.pooled_width),
            "lengths": (count,),
        }
        if {name: tuple(tensor.shape) for name, tensor in tensors.items()} != wanted:
            raise ValueError(f"{self._file(shard)} does not fit its capture. Delete it and run Capture again.")
        return tensors

    def _file(self, shard: int) -> Path:
        return self.folder / _SHARDS.replace("*", f"{shard:05d}")


def store(file: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write a file of a capture, tensors of any shape by name, at once: it is there whole or not at all.

    Raises:
        OSError: with a sentence, if the disk is full.
    """
    part = file.with_suffix(".part")
    try:
        save_file(tensors, part, metadata)
        part.replace(file)
    except (OSError, SafetensorError) as error:
        part.unlink(missing_ok=True)
        raise OSError(
            f"{file.name} of the capture in {file.parent} could not be written ({error}). Free some disk and run "
            "again: what is there is kept."
        ) from error


def start(folder: str | Path, plan: Plan, *, limit: int | None = None, beside: int = 0) -> Capture:
    """Begin a capture, or go on with the one that is there.

    Args:
        folder: made if missing.
        plan: what to capture.
        limit: most bytes it may take; None is the free disk less a tenth.
        beside: bytes that will come beside the shards.

    Raises:
        ValueError: if the folder holds another capture, or the capture would be too large.
    """
    folder = Path(folder)
    file = folder / "capture.json"
    if file.exists():
        there = load(folder)
        other = difference(there.plan, plan)
        if other:
            raise ValueError(f"{folder} holds a capture of another {other}. Choose another folder, or delete it.")
        return there
    if next(folder.glob(_SHARDS), None):
        raise ValueError(
            f"{folder} holds parts of a capture whose capture.json is gone. Choose another folder, or delete it."
        )
    folder.mkdir(parents=True, exist_ok=True)
    need, room = size(plan) + beside, limit if limit is not None else shutil.disk_usage(folder).free * 9 // 10
    if need > room:
        raise ValueError(
            f"This capture needs {need / 1e9:.2f} GB and may take {room / 1e9:.2f} GB. Capture fewer prompts or free "
            "disk."
        )
    part = file.with_suffix(".part")
    part.write_text(json.dumps(plan.to_json(), ensure_ascii=False), encoding="utf-8")
    part.replace(file)
    return Capture(folder, plan)


def takes(folder: Path, plan: Plan) -> bool:
    """Tell whether a folder is empty or holds this very capture, so that it can be begun or gone on with there."""
    if not (folder / "capture.json").exists():
        return not folder.exists() or next(folder.glob(_SHARDS), None) is None
    return not difference(load(folder).plan, plan)


def load(folder: str | Path) -> Capture:
    """Open a capture folder.

    Raises:
        ValueError: if there is none, it is damaged, or its format is newer.
    """
    folder = Path(folder)
    try:
        data = json.loads((folder / "capture.json").read_text(encoding="utf-8"))
        version = int(data["format_version"])
        plan = None if version > FORMAT_VERSION else _plan(data)
    except FileNotFoundError as error:
        raise ValueError(f"There is no capture in {folder}. Run Capture first.") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"The capture in {folder} is damaged ({error!r}). Delete the folder and capture again."
        ) from error
    if plan is None:
        raise ValueError(
            f"The capture in {folder} has format version {version}; this SupSAE reads up to {FORMAT_VERSION}. Update "
            "SupSAE."
        )
    return Capture(folder, plan)


def size(plan: Plan) -> int:
    """Return the bytes a capture will take, before it starts."""
    return (
        sum(cond_rows(plan.family, entry) * plan.family.width + plan.family.pooled_width for entry in plan.entries) * 2
    )


def cond_rows(family: Family, entry: Entry) -> int:
    """Return how many rows the conditioning of a prompt will have."""
    return family.length({name: sum(counts) for name, counts in entry.counts.items()})


def _half(tensor: Tensor) -> Tensor:
    """Keep half precision: features of text encoders are of order one, their noise far above 2⁻¹¹."""
    return tensor.detach().half().cpu().contiguous()


def difference(there: Plan, plan: Plan) -> str:
    """Say what two plans differ in, or nothing."""
    other = other_setup(there, plan)
    if other:
        return other
    for name in ("held_out", "seed"):
        if getattr(there, name) != getattr(plan, name):
            return "set of held-out pairs" if name == "held_out" else name
    return "" if there.entries == plan.entries else "number or wording of prompts"


def other_setup(there: Plan, plan: Plan) -> str:
    """Say what two plans differ in apart from the prompts, or nothing.

    Fingerprints agree up to the rounding of another thread or device.
    """
    for name in ("table", "family"):
        if getattr(there, name) != getattr(plan, name):
            return name
    if distance(there.fingerprint, plan.fingerprint) > SAME:
        return "text encoder"
    return sampling.difference(there.sampling, plan.sampling)


def _longest(entry: Entry, counts: Sequence[int]) -> int:
    return max((sum(counts[mention.start : mention.stop]) for mention in entry.prompt.mentions), default=1)


def _plan(data: Mapping[str, Any]) -> Plan:
    return Plan(
        table=table_from_mapping(data["table"]),
        family=family_from_json(data["family"]),
        entries=tuple(_entry(entry) for entry in data["entries"]),
        held_out=tuple((int(a), int(b)) for a, b in data["held_out"]),
        fingerprint={site: tuple(values) for site, values in data["fingerprint"].items()},
        seed=int(data["seed"]),
        sampling=sampling.from_json(data["sampling"]) if "sampling" in data else None,
    )


def _entry(data: Mapping[str, Any]) -> Entry:
    mentions = tuple(Mention(**mention) for mention in data["prompt"]["mentions"])
    counts = {name: tuple(values) for name, values in data["counts"].items()}
    return Entry(Prompt(tuple(data["prompt"]["words"]), mentions), data["set"], counts)
