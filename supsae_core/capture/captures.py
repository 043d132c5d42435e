"""The capture on disk: a folder with ``capture.json`` and safetensors shards; resumable, verified when read.

A capture is planned before it starts: its prompts are drawn once, and shard i always holds the same ones. An
interrupted capture goes on at the first shard that is missing. What a capture of activations holds beside the shards
is in ``activations.py``.
"""

from __future__ import annotations

import shutil
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, chain, pairwise
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from ..files import DamagedError, missing, read_json, sweep, whole_number, write_json
from ..stopping import heed
from ..tensor_files import TensorFile
from .packing import INDEX, LENGTHS, OLD, POOLED, check, needed, packed, rows_name, unpacked
from .pads import long_runs
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

    @cached_property
    def _firsts(self) -> list[int]:
        """The first prompt of every shard, and the number of prompts."""
        edges = list(accumulate(self.plan.runs or (len(self.plan.entries),), initial=0))
        firsts = [first for a, b in pairwise(edges) for first in range(a, b, SHARD)]
        return [*firsts, edges[-1]]

    @property
    def shards(self) -> int:
        return len(self._firsts) - 1

    def size(self) -> int:
        """Return the bytes of the shards that are there."""
        return sum(map(self.store.size, self.store.keys(SHARDS)))

    def missing(self) -> list[int]:
        """Return the shards still to be written."""
        there = set(self.store.keys(SHARDS))
        return [index for index in range(self.shards) if key_of(index) not in there]

    def discard_damaged(self) -> list[int]:
        """Remove the shards that cannot be read any more, so that they are captured anew; return which."""
        damaged = [index for index in range(self.shards) if self.store.has(key_of(index)) and not self._is_whole(index)]
        for index in damaged:
            self.store.remove(key_of(index))
        return damaged

    def _is_whole(self, shard: int) -> bool:
        try:
            self._load(shard)
        except ValueError:
            return False
        return True

    def shard_of(self, index: int) -> int:
        """Return the shard that the prompt at a place in the plan lies in."""
        return bisect_right(self._firsts, index) - 1

    def span(self, shard: int) -> range:
        """Return the places in the plan of a shard's prompts."""
        return range(*self._firsts[shard : shard + 2])

    def entries(self, shard: int) -> tuple[Entry, ...]:
        """Return the entries of a shard."""
        return self.plan.entries[self._firsts[shard] : self._firsts[shard + 1]]

    def write(self, shard: int, conds: Sequence[Tensor], pooled: Sequence[Tensor]) -> None:
        """Write a shard's rows (L, width) and pooled vectors (P,) at once: it is there whole or not at all.

        Raises:
            ValueError: if the encoder returned numbers that half precision cannot hold.
        """
        family = self.plan.family
        runs = [{} if self.plan.whole else long_runs(family, entry.tokens) for entry in self.entries(shard)]
        try:
            tensors = packed(family, conds, pooled, runs)
        except ValueError as error:
            raise ValueError(
                f"The text encoder returned {error} for prompts {self._firsts[shard]} on. Load it in bfloat16 or "
                "float32 and run Capture again: what is there is kept."
            ) from error
        self.store.write(key_of(shard), tensors)

    def require_finished(self) -> None:
        """Refuse a capture that lacks shards.

        Raises:
            ValueError: saying how many.
        """
        missing = self.missing()
        if missing:
            raise ValueError(
                f"The capture in {self.folder} is not finished ({len(missing)} of {self.shards} parts missing). "
                "Run Capture again: it goes on where it stopped."
            )

    def read(self, *sets: str, again: bool = False, shards: Sequence[int] | None = None) -> Iterator[Encoded]:
        """Yield every captured prompt, shard by shard, or those of some sets alone.

        Args:
            again: whether a shard was held against its hashes before, so that it need not be now.
            shards: of all or of some shards.

        Raises:
            ValueError: if shards are missing or damaged.
        """
        self.require_finished()
        for shard in self.shards_of(*sets) if shards is None else shards:
            heed()
            yield from self.read_shard(shard, *sets, again=again)

    def read_shard(self, shard: int, *sets: str, again: bool = False) -> Iterator[Encoded]:
        """Yield the prompts of a shard, laid out one at a time; arguments and errors as of ``read``."""
        tensors = self._load(shard, again)
        pooled, first = tensors[POOLED], 0
        for place, (entry, length) in enumerate(zip(self.entries(shard), tensors[LENGTHS].tolist(), strict=True)):
            if not sets or entry.set in sets:
                yield Encoded(entry, self._laid(tensors, range(first, first + length)), pooled[place].float())
            first += length

    def excerpts(
        self, rows: Iterable[Sequence[int]], *sets: str, shards: Sequence[int] | None = None
    ) -> Iterator[Encoded]:
        """Yield the captured prompts of some sets with some of their rows alone.

        What is read is held against no hash: ``read`` does that.

        Args:
            rows: of every prompt, rising.
            shards: of all or of some shards.

        Raises:
            ValueError: if a shard is missing or damaged.
        """
        wanted = iter(rows)
        for shard in self.shards_of(*sets) if shards is None else shards:
            heed()
            tensors, first = self._load(shard, again=True), 0
            for place, (entry, length) in enumerate(zip(self.entries(shard), tensors[LENGTHS].tolist(), strict=True)):
                if not sets or entry.set in sets:
                    some = self._laid(tensors, [first + row for row in next(wanted)])
                    yield Encoded(entry, some, tensors[POOLED][place].float())
                first += length

    def shards_of(self, *sets: str) -> list[int]:
        """Return the shards that hold prompts, or prompts of some sets."""
        shards = range(self.shards)
        return [one for one in shards if not sets or any(entry.set in sets for entry in self.entries(one))]

    def _laid(self, tensors: Mapping[str, Tensor], rows: Sequence[int]) -> Tensor:
        """Return some rows (n, width), rising, of all conditionings of a shard."""
        at = slice(rows.start, rows.stop) if isinstance(rows, range) else list(rows)
        if OLD in tensors:
            return tensors[OLD][at].float()
        stored = {name: tensors[rows_name(name)] for name in self.plan.family.segments}
        return unpacked(self.plan.family, tensors[INDEX][at], stored)

    def rows(self) -> list[int]:
        """Return the number of conditioning rows of every prompt."""
        lengths = (self.store.tensor(key_of(shard), LENGTHS).tolist() for shard in range(self.shards))
        return list(chain.from_iterable(lengths))

    def pick(self, indices: Sequence[int]) -> list[Encoded]:
        """Return some prompts, by their place in the plan, without reading the others' rows."""
        shards = map(self.shard_of, indices)
        return [self._one(shard, index - self._firsts[shard]) for shard, index in zip(shards, indices, strict=True)]

    def _one(self, shard: int, place: int) -> Encoded:
        with self.store.opened(key_of(shard)) as file:
            lengths = file.tensor(LENGTHS).tolist()
            first = sum(lengths[:place])
            cond = self._cond(file, first, first + lengths[place])
            return Encoded(self.entries(shard)[place], cond, file.rows(POOLED, place, place + 1)[0].float())

    def _cond(self, file: TensorFile, first: int, last: int) -> Tensor:
        """Return rows first … last − 1 of all conditionings of a shard."""
        family, there = self.plan.family, file.names
        if OLD in there:
            return file.rows(OLD, first, last).float()
        sizes = [file.shape(rows_name(name))[0] for name in family.segments]

        def read(segment: str, first: int, last: int) -> Tensor:
            return file.rows(rows_name(segment), first, last)

        return unpacked(family, *needed(family, file.rows(INDEX, first, last), sizes, read))

    def _load(self, shard: int, again: bool = False) -> dict[str, Tensor]:
        """Return a shard's tensors, of either format; ``again`` as of ``read``."""
        tensors, key = self.store.read(key_of(shard), again=again), key_of(shard)
        try:
            check(self.plan.family, len(self.entries(shard)), tensors)
        except DamagedError as error:
            raise ValueError(f"{self.store.file(key)} {error}. Delete it and run Capture again.") from error
        return tensors


def key_of(shard: int) -> str:
    """Return a shard's key in the store."""
    return f"{SHARDS}-{shard:05d}"


def start_capture(
    folder: str | Path, plan: TextPlan, *, limit: int | None = None, beside: int = 0, linked: bool = False
) -> Capture:
    """Begin a capture, or go on with the one that is there, of whatever format.

    Args:
        folder: made if missing.
        plan: what it will hold.
        limit: most bytes it may take; None is the free disk less a tenth.
        beside: bytes that will come beside the shards.
        linked: whether the shards are there already, in other folders of the same disk.

    Raises:
        ValueError: if the folder holds another capture, or the capture would be too large.
    """
    folder = Path(folder)
    require_folder(folder)
    file = folder / "capture.json"
    sweep(folder)
    if file.exists():
        version, there = _index(folder)
        other = difference(there, plan)
        if other:
            raise ValueError(f"{folder} holds a capture of another {other}. Choose another folder, or delete it.")
        found = Capture(folder, there)
        if version < FORMAT_VERSION and found.missing():
            write_json(file, there.to_json())  # its next shards are of this version
        return found
    if Store(folder).keys(SHARDS):
        raise ValueError(
            f"{folder} holds parts of a capture whose capture.json is gone. Choose another folder, or delete it."
        )
    folder.mkdir(parents=True, exist_ok=True)
    need = beside + (0 if linked else text_bytes(plan))
    room = limit if limit is not None else shutil.disk_usage(folder).free * 9 // 10
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
    return Capture(Path(folder), _index(Path(folder))[1])


def _index(folder: Path) -> tuple[int, TextPlan]:
    """Return the format version and the plan of a capture; raises as ``load_capture``."""
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
    return version, plan
