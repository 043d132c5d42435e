"""What a change does to the rows outside its phrase, as a ``RestPart`` learnt from pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ...supsae_core.dictionary.operator import RestPart
from ...supsae_core.dictionary.operator_rows import Likeness, RestKernel, RestRows, likeness
from .ridge import RIDGES, Batch, Solved, solved_ridge
from .samples import Gathered, RestSample, apart, stacked_rest

LANDMARKS = 1500
"""Rows that what is learnt is told of; the kernel's sums are (m, m)."""
SEARCH = 500
"""Of them, with which constants are chosen."""
FARTHER = 0.15
"""How readily a far row becomes a landmark, beside a near one's 1."""
BATCH = 64
"""Pairs whose kernel is held at a time."""
GRID: Mapping[str, tuple[float, ...]] = {
    "level": (1.0, 0.3, 5.0),
    "role": (0.0, 5.0),
    "everywhere": (0.5, 0.1, 1.0),
    "reach": (1.5, 0.8),
}
"""Constant of ``RestKernel`` → what is tried, one constant after the other, its default first."""


def chosen_rest(some: Gathered) -> tuple[RestKernel, float]:
    """Choose the kernel's constants and the ridge, on pairs set aside of those to learn from."""
    found, seen = dict[RestKernel, tuple[float, float]](), dict[float, _Trial]()
    best = RestKernel()
    for name, values in GRID.items():
        for kernel in (best._replace(**{name: value}) for value in values):
            if kernel.reach not in seen:  # landmarks depend on it alone
                seen[kernel.reach] = _Trial.of(some, kernel)
            if kernel not in found:
                found[kernel] = seen[kernel.reach].error(kernel)
        best = min(found, key=found.__getitem__)
    return best, found[best][1]


class _Trial(NamedTuple):
    """Pairs to learn from and to choose by, and how alike their rows are to landmarks, whatever the constants."""

    marks: RestRows
    learn: list[tuple[RestSample, Likeness]]
    held: tuple[RestSample, Likeness]
    own: Likeness
    """of the landmarks with one another"""

    @classmethod
    def of(cls, some: Gathered, kernel: RestKernel) -> _Trial:
        learn, test = apart(some.rest)
        marks = landmarks(learn, kernel, SEARCH)

        def alike(rows: RestRows) -> Likeness:
            return likeness(some.frame, rows, marks)

        held = stacked_rest(test)
        both = [(batch, alike(batch.rows)) for batch in _batches(learn)]
        return cls(marks, both, (held, alike(held.rows)), alike(marks))

    def error(self, kernel: RestKernel) -> tuple[float, float]:
        """Return the least error of a kernel, and its ridge."""
        batches = ((kernel.weighed(one, x.rows, self.marks), x.moved, x.weights) for x, one in self.learn)
        solved = solved_ridge(batches, kernel.weighed(self.own, self.marks, self.marks))
        held, alike = self.held
        seen = kernel.weighed(alike, held.rows, self.marks)
        return min((_error(held, seen @ solved(ridge)), ridge) for ridge in RIDGES)


def rest_part(some: Gathered, kernel: RestKernel, ridge: float) -> RestPart:
    """Learn from all pairs."""
    marks = landmarks(some.rest, kernel, LANDMARKS)
    return RestPart(torch.tensor(kernel), **marks._asdict(), weights=_solved(some, some.rest, kernel, marks)(ridge))


def nothing(part: RestPart) -> RestPart:
    """Return a part without landmarks, by which nothing happens outside a phrase."""
    return RestPart(part.constants, **part.marks.pick(slice(0, 0))._asdict(), weights=part.weights[:0])


def landmarks(samples: Sequence[RestSample], kernel: RestKernel, count: int) -> RestRows:
    """Draw landmarks among the rows of pairs, near ones rather than far ones."""
    distance = torch.cat([one.rows.distance for one in samples])
    wanted = FARTHER + torch.exp(-2 * (distance - 1) / kernel.reach)
    drawn = torch.multinomial(wanted, min(count, len(wanted)), generator=torch.Generator().manual_seed(0)).sort()[0]
    found, first = list[RestRows](), 0
    for batch in _batches(samples):
        last = first + len(batch.weights)
        found.append(batch.rows.pick(drawn[(drawn >= first) & (drawn < last)] - first))
        first = last
    return RestRows(*(torch.cat(some) for some in zip(*found, strict=True)))


def _batches(samples: Sequence[RestSample]) -> Iterator[RestSample]:
    return (stacked_rest(samples[start : start + BATCH]) for start in range(0, len(samples), BATCH))


def _solved(some: Gathered, samples: Sequence[RestSample], kernel: RestKernel, marks: RestRows) -> Solved:
    def batches() -> Iterator[Batch]:
        for batch in _batches(samples):
            yield kernel.of(some.frame, batch.rows, marks), batch.moved, batch.weights

    return solved_ridge(batches(), kernel.of(some.frame, marks, marks))


def _error(held: RestSample, said: Tensor) -> float:
    return float(((held.moved - said).square().sum(1) * held.weights).sum())
