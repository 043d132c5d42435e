"""The capture on disk: a folder with ``capture.json`` and safetensors shards; resumable, verified when read.

A capture is planned before it starts: its prompts are drawn once, and shard i always holds the same ones. An
interrupted capture goes on at the first shard that is missing. What a capture of activations holds beside the shards
is in ``activations.py``.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from ..files import missing, read_json, sweep, whole_number, write_json
from ..stopping import heed
from .plan import FORMAT_VERSION, Entry, TextPlan, difference, plan_from_json, text_bytes
from .store import Store

SHARD = 64
"""Prompts in a shard: what an interrupt can lose at most."""
SHARDS = "shard"
"""Prefix of the keys of text: shard-00000 and so on."""


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
    plan: TextPlan

    @property
    def store(self) -> Store:
        """Its files: text under ``shard-…``, activations under ``activations-…``."""
        return Store(self.folder)

    @property
    def shards(self) -> int:
        return -(-len(self.plan.entries) // SHARD)

    def missing(self) -> list[int]:
        """Return the shards still to be written."""
        return [index for index in range(self.shards) if not self.store.has(_key(index))]

    def discard_damaged(self) -> list[int]:
        """Remove the shards that cannot be read any more, so that they are captured anew; return which."""
        damaged = [index for index in range(self.shards) if self.store.has(_key(index)) and not self._is_whole(index)]
        for index in damaged:
            self.store.remove(_key(index))
        return damaged

    def _is_whole(self, shard: int) -> bool:
        try:
            self._verify(shard)
        except ValueError:
            return False
        return True

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
        self.store.write(_key(shard), tensors)

    def read(self, *sets: str, again: bool = False) -> Iterator[Encoded]:
        """Yield every captured prompt, shard by shard, or those of some sets alone.

        Args:
            again: whether a shard was held against its hashes before, so that it need not be now.

        Raises:
            ValueError: if shards are missing or damaged.
        """
        if self.missing():
            raise ValueError(
                f"The capture in {self.folder} is not finished ({len(self.missing())} of {self.shards} parts missing). "
                "Run Capture again: it goes on where it stopped."
            )
        for shard in range(self.shards):
            heed()
            if self._wanted(shard, sets):
                if not again:
                    self._verify(shard)
                yield from self._prompts(shard, sets)

    def _prompts(self, shard: int, sets: Sequence[str]) -> Iterator[Encoded]:
        """Yield the prompts of a shard, one in memory at a time."""
        with self.store.opened(_key(shard)) as file:
            first, pooled = 0, file.tensor("pooled")
            for place, length in enumerate(file.tensor("lengths").tolist()):
                entry = self.entries(shard)[place]
                if not sets or entry.set in sets:
                    yield Encoded(entry, file.rows("cond", first, first + length).float(), pooled[place].float())
                first += length

    def excerpts(self, rows: Iterable[Sequence[int]], *sets: str) -> Iterator[Encoded]:
        """Yield the captured prompts of some sets with some of their rows alone, without reading the others.

        What is read is held against no hash: ``read`` does that.

        Args:
            rows: of every prompt, rising.

        Raises:
            ValueError: if a shard is missing or damaged.
        """
        wanted = iter(rows)
        for shard in range(self.shards):
            heed()
            if not self._wanted(shard, sets):
                continue
            with self.store.opened(_key(shard)) as file:
                first, pooled = 0, file.tensor("pooled")
                for place, (entry, length) in enumerate(
                    zip(self.entries(shard), file.tensor("lengths").tolist(), strict=True)
                ):
                    if not sets or entry.set in sets:
                        some = file.some_rows("cond", [first + row for row in next(wanted)])
                        yield Encoded(entry, some.float(), pooled[place].float())
                    first += length

    def _wanted(self, shard: int, sets: Sequence[str]) -> bool:
        return not sets or any(entry.set in sets for entry in self.entries(shard))

    def rows(self) -> list[int]:
        """Return the number of conditioning rows of every prompt."""
        lengths = (self.store.tensor(_key(shard), "lengths").tolist() for shard in range(self.shards))
        return list(chain.from_iterable(lengths))

    def pick(self, indices: Sequence[int]) -> list[Encoded]:
        """Return some prompts, by their place in the plan, without reading the others' rows."""
        return [self._one(*divmod(index, SHARD)) for index in indices]

    def _one(self, shard: int, place: int) -> Encoded:
        with self.store.opened(_key(shard)) as file:
            lengths = file.tensor("lengths").tolist()
            first = sum(lengths[:place])
            cond = file.rows("cond", first, first + lengths[place])
            return Encoded(self.entries(shard)[place], cond.float(), file.rows("pooled", place, place + 1)[0].float())

    def _verify(self, shard: int) -> None:
        """Refuse a shard that is not what was written, or not of this capture."""
        with self.store.opened(_key(shard)) as file:
            file.verify()
            shapes = {name: file.shape(name) for name in file.names}
            lengths = file.tensor("lengths") if "lengths" in shapes else torch.zeros(0)
        count, family = len(self.entries(shard)), self.plan.family
        wanted = {"cond": (int(lengths.sum()), family.width), "pooled": (count, family.pooled_width)}
        if shapes != {**wanted, "lengths": (count,)}:
            raise ValueError(
                f"{self.store.file(_key(shard))} does not fit its capture. Delete it and run Capture again."
            )


def _key(shard: int) -> str:
    return f"{SHARDS}-{shard:05d}"


def start_capture(folder: str | Path, plan: TextPlan, *, limit: int | None = None, beside: int = 0) -> Capture:
    """Begin a capture, or go on with the one that is there.

    Args:
        folder: made if missing.
        limit: most bytes it may take; None is the free disk less a tenth.
        beside: bytes that will come beside the shards.

    Raises:
        ValueError: if the folder holds another capture, or the capture would be too large.
    """
    folder = Path(folder)
    require_folder(folder)
    file = folder / "capture.json"
    sweep(folder)
    if file.exists():
        there = load_capture(folder)
        other = difference(there.plan, plan)
        if other:
            raise ValueError(f"{folder} holds a capture of another {other}. Choose another folder, or delete it.")
        return there
    if Store(folder).keys(SHARDS):
        raise ValueError(
            f"{folder} holds parts of a capture whose capture.json is gone. Choose another folder, or delete it."
        )
    folder.mkdir(parents=True, exist_ok=True)
    need, room = text_bytes(plan) + beside, limit if limit is not None else shutil.disk_usage(folder).free * 9 // 10
    if need > room:
        raise ValueError(
            f"This capture needs {need / 1e9:.2f} GB and may take {room / 1e9:.2f} GB. Capture fewer prompts or free "
            "disk."
        )
    write_json(file, plan.to_json())
    return Capture(folder, plan)


def require_folder(folder: Path) -> None:
    """Refuse a file where a capture is to be.

    Raises:
        ValueError: naming it.
    """
    if folder.is_file():
        raise ValueError(f"{folder} is a file, and a capture is a folder. Choose another name.")


def takes_capture(folder: Path, plan: TextPlan) -> bool:
    """Tell whether a folder is empty or holds this very capture, so that it can be begun or gone on with there."""
    if not (folder / "capture.json").exists():
        return not folder.exists() or not Store(folder).keys(SHARDS)
    return not difference(load_capture(folder).plan, plan)


def load_capture(folder: str | Path) -> Capture:
    """Open a capture folder.

    Raises:
        ValueError: if there is none, it is damaged, or its format is newer.
    """
    folder = Path(folder)
    try:
        data = read_json(folder / "capture.json")
        version = whole_number(data["format_version"], "format_version")
        plan = None if version > FORMAT_VERSION else plan_from_json(data)
    except FileNotFoundError as error:
        raise ValueError(f"There is no capture in {folder}. Run Capture first.") from error
    except ValueError as error:
        raise ValueError(
            f"The capture in {folder} is damaged (capture.json: {error}). Delete the folder and capture again."
        ) from error
    except (KeyError, TypeError, AttributeError, IndexError, OverflowError) as error:
        raise ValueError(
            f"The capture in {folder} is damaged (capture.json does not hold what it should{missing(error)}). Delete "
            "the folder and capture again."
        ) from error
    if plan is None:
        raise ValueError(
            f"The capture in {folder} has format version {version}; this SupSAE reads up to {FORMAT_VERSION}. Update "
            "SupSAE."
        )
    return Capture(folder, plan)


def _half(tensor: Tensor) -> Tensor:
    """Keep half precision: features of text encoders are of order one, their noise far above 2⁻¹¹."""
    return tensor.detach().half().cpu().contiguous()
