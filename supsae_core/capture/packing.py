"""The rows of a shard as they lie on disk: of each segment its own columns, equal rows once, rows of zeros not at all.

Every row of a conditioning has a number, in order of segments: which of the stored rows it is, or −1 for zeros. Long
runs of pads are told by a few of them (``pads.py``); all else is kept as it was recorded, in half precision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from ..encoders.base import Family
from ..files import DamagedError
from .pads import thinned

INDEX, LENGTHS, POOLED, OLD = "index", "lengths", "pooled", "cond"
"""Names of a shard's tensors beside the rows; the last one is of format 1, which held all rows whole."""
UNFIT = "does not fit its capture"


def rows_name(segment: str) -> str:
    """Name the tensor of a segment's rows."""
    return f"rows.{segment}"


def packed(
    family: Family, conds: Sequence[Tensor], pooled: Sequence[Tensor], runs: Sequence[Mapping[str, Tensor]]
) -> dict[str, Tensor]:
    """Return the tensors of a shard.

    Args:
        family: whose conditionings they are.
        conds: (L, width) each.
        pooled: (P,) each.
        runs: of each conditioning, segment → rows of pads to thin.

    Raises:
        ValueError: if half precision cannot hold a number.
    """
    whole = [cond.detach().cpu().float() for cond in conds]
    kinds = [_kinds(family, cond) for cond in whole]
    numbers = [torch.full((len(cond),), -1, dtype=torch.int32) for cond in whole]
    made, first = dict[str, Tensor](), 0
    for i, (segment, width) in enumerate(zip(family.segments, _widths(family), strict=True)):
        places = [(kind == i).nonzero().flatten() for kind in kinds]
        dtype = half_type(cond[at, :width] for cond, at in zip(whole, places, strict=True))
        stored = _Distinct(dtype, width)
        for cond, at, number, run in zip(whole, places, numbers, runs, strict=True):
            rows, pads = cond[at, :width], torch.isin(at, run.get(segment, at[:0]))
            if segment in run and int(pads.sum()) == len(run[segment]):  # none is zero, or of another segment
                rows[pads] = thinned(rows[pads])
            number[at] = stored.add(rows) + first
        made[rows_name(segment)] = stored.rows()
        first += len(stored)
    vectors = torch.stack([one.detach().cpu().float() for one in pooled])
    return {
        LENGTHS: torch.tensor([len(cond) for cond in conds], dtype=torch.int32),
        INDEX: torch.cat(numbers),
        POOLED: _in_half(vectors, half_type([vectors])),
        **made,
    }


def _widths(family: Family) -> list[int]:
    """Return how many columns are stored of the rows of every segment: its own, all of the widest."""
    own = [family.width_of(name) for name in family.segments]
    return [family.width if one == max(own) else one for one in own]


def _kinds(family: Family, cond: Tensor) -> Tensor:
    """Return which segment each row (L,) has the columns of: the narrowest that it fits; −1 if it is zero."""
    kind, last = torch.full((len(cond),), -1), 0
    for width, i in sorted((width, i) for i, width in enumerate(_widths(family))):
        kind[cond[:, last:width].abs().amax(1) != 0] = i
        last = width
    return kind


def half_type(rows: Iterable[Tensor]) -> torch.dtype:
    """Return the half precision that holds numbers as they are: bfloat16 if they are of that, else float16.

    Of an encoder that computes in either nothing is lost; of one that computes in float32 eleven bits are kept.
    """
    left = [torch.float16, torch.bfloat16]
    for one in rows:
        left = [dtype for dtype in left if torch.equal(one.to(dtype).float(), one)]
        if not left:
            break
    return left[0] if left else torch.float16


def _in_half(rows: Tensor, dtype: torch.dtype) -> Tensor:
    """Return rows (n, d) in half precision; raises ``ValueError`` if that cannot hold a number."""
    largest = rows.abs().amax(1) if rows.shape[1] else rows.new_zeros(0)
    if not bool(largest.to(dtype).isfinite().all()):
        raise ValueError("values beyond half precision")
    return rows.to(dtype)


class _Distinct:
    """Rows of which equal ones are kept once. Built per segment and dropped."""

    def __init__(self, dtype: torch.dtype, width: int) -> None:
        self._dtype, self._width = dtype, width
        self._known, self._rows = dict[bytes, int](), list[Tensor]()

    def __len__(self) -> int:
        return len(self._known)

    def add(self, rows: Tensor) -> Tensor:
        """Take rows (n, d) and return their numbers (n,)."""
        halves, before = _in_half(rows, self._dtype), len(self)
        numbers = [self._known.setdefault(row.tobytes(), len(self)) for row in halves.view(torch.int16).numpy()]
        new = sorted({number: place for place, number in reversed([*enumerate(numbers)]) if number >= before}.values())
        self._rows.append(halves[new])
        return torch.tensor(numbers, dtype=torch.int32)

    def rows(self) -> Tensor:
        return torch.cat([torch.zeros(0, self._width, dtype=self._dtype), *self._rows])


# --- reading --------------------------------------------------------------------------------------------------------


def check(family: Family, count: int, tensors: Mapping[str, Tensor]) -> None:
    """Hold a shard's tensors, of either format, against the family and the number of its prompts.

    Raises:
        DamagedError: if they do not fit.
    """
    none = torch.zeros(0, dtype=torch.int64)
    lengths, index = tensors.get(LENGTHS, none), tensors.get(INDEX, none)
    wanted = {LENGTHS: (count,), POOLED: (count, family.pooled_width)}
    if OLD in tensors:
        wanted |= {OLD: (int(lengths.sum()), family.width)}
    else:
        sizes = [len(tensors.get(rows_name(name), none)) for name in family.segments]
        rows = zip(family.segments, sizes, _widths(family), strict=True)
        wanted |= {INDEX: (int(lengths.sum()),), **{rows_name(name): (size, width) for name, size, width in rows}}
        if len(index) and (int(index.min()) < -1 or int(index.max()) >= sum(sizes)):
            raise DamagedError(UNFIT)
    whole = not any(tensors[name].is_floating_point() for name in (LENGTHS, INDEX) if name in tensors)
    if not whole or {name: tuple(one.shape) for name, one in tensors.items()} != wanted or bool((lengths < 0).any()):
        raise DamagedError(UNFIT)


def unpacked(family: Family, index: Tensor, rows: Mapping[str, Tensor]) -> Tensor:
    """Return a conditioning (L, width), float32, given its rows' numbers (L,) and the stored rows of every segment."""
    cond, first = torch.zeros(len(index), family.width), 0
    for name in family.segments:
        stored = rows[name]
        here = ((index >= first) & (index < first + len(stored))).nonzero().flatten()
        for at, last in _runs(here):  # a segment's rows follow one another
            cond[at:last, : stored.shape[1]] = stored.index_select(0, index[at:last] - first)
        first += len(stored)
    return cond


def needed(
    family: Family, index: Tensor, sizes: Sequence[int], read: Callable[[str, int, int], Tensor]
) -> tuple[Tensor, dict[str, Tensor]]:
    """Read of the stored rows only what a conditioning needs; return its rows' numbers among them, and these rows.

    Args:
        family: whose conditioning it is.
        index: (L,) the numbers of its rows.
        sizes: how many rows are stored of every segment.
        read: (segment, first, last) → rows first … last − 1.
    """
    numbers, rows, first, there = torch.full_like(index, -1), dict[str, Tensor](), 0, 0
    for name, size in zip(family.segments, sizes, strict=True):
        here = (index >= first) & (index < first + size)
        wanted, back = index[here].unique(return_inverse=True)
        runs = [read(name, at - first, last - first) for at, last in _runs(wanted.long())]
        rows[name] = torch.cat(runs) if runs else torch.zeros(0, family.width)
        numbers[here] = back.to(index.dtype) + there
        first, there = first + size, there + len(wanted)
    return numbers, rows


def _runs(numbers: Tensor) -> list[tuple[int, int]]:
    """Return the first and the number behind the last of every run of rising numbers (n,)."""
    if not len(numbers):
        return []
    breaks = (numbers.diff() != 1).nonzero().flatten() + 1
    edges = [0, *breaks.tolist(), len(numbers)]
    return [(int(numbers[a]), int(numbers[b - 1]) + 1) for a, b in pairwise(edges)]
