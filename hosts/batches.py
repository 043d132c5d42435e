"""Which conditionings go through a model together: those with equally many rows, some at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

import numpy as np
from torch import Tensor

from ..supsae_core.host import Progress


def alike(conds: Sequence[Tensor], most: int) -> Iterator[list[int]]:
    """Yield the indices of conditionings (L, width) with the same L, at most so many at once."""
    order = sorted(range(len(conds)), key=lambda index: len(conds[index]))
    for _, same in groupby(order, key=lambda index: len(conds[index])):
        indices = list(same)
        for start in range(0, len(indices), most):
            yield indices[start : start + most]


def draw_alike(
    conds: Sequence[Tensor], most: int, draw: Callable[[list[int]], np.ndarray], progress: Progress | None
) -> np.ndarray:
    """Draw the pictures of alike conditionings together, given their indices; return all in the order given."""
    made: dict[int, np.ndarray] = {}
    for some in alike(conds, most):
        made.update(zip(some, draw(some), strict=True))
        if progress:
            progress(len(made), len(conds))
    return np.stack([made[index] for index in range(len(conds))])
