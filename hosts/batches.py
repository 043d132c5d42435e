"""Which conditionings go through a model together: those with equally many rows, some at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from torch import Tensor


def alike(conds: Sequence[Tensor], most: int) -> Iterator[list[int]]:
    """Yield the indices of conditionings (L, width) with the same L, at most so many at once."""
    order = sorted(range(len(conds)), key=lambda index: len(conds[index]))
    for _, same in groupby(order, key=lambda index: len(conds[index])):
        indices = list(same)
        for start in range(0, len(indices), most):
            yield indices[start : start + most]
