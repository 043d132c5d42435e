"""One vector for every row, in units of the rows' own size, from ten pairs of prompts that differ in the concept alone.

Control vectors as they are used with text encoders: Ekin et al., "The Unreasonable Effectiveness of Text Embedding
Interpolation for Continuous Image Steering" (arXiv 2603.17998), after Zou et al., "Representation Engineering" (arXiv
2310.01405). Ten prompts without a category are encoded bare and with each of its values behind them. The difference
of two such means over prompts and rows, brought to length 1, is added to all rows times their mean norm.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional as F

from ...supsae_core.capture.captures import Capture
from ...supsae_core.capture.plan import TextPlan
from ...supsae_core.dictionary.model import POOLED
from ...supsae_core.encoders.base import Family
from ...supsae_core.host import Progress, TextHost
from ...supsae_core.table import prompts
from ...supsae_core.table.prompts import Prompt
from ..cases import Replacement
from .additive import require_shape
from .pieces import changes_of, pieces_of, places, rewritten, strengths_of_one

PAIRS = 10
"""Prompts that every value of a category is written behind."""


@dataclass(frozen=True)
class ControlVectors:
    """Mean rows with and without every concept; a direction is the difference of two of them."""

    family: Family
    said: Mapping[str, Tensor]
    """encoder name or ``pooled`` → (K, d)"""
    unsaid: Mapping[str, Tensor]
    """the same of the bare prompts, a row a concept too"""
    unit: Mapping[str, float]
    """what strength 1 is, in mean norms of a prompt's rows"""
    shape: tuple[int, ...]
    """rows and width of a conditioning"""

    def edit(
        self, cond: Tensor, pooled: Tensor, old: Sequence[int], new: Sequence[int], strength: float = 1.0
    ) -> tuple[Tensor, Tensor]:
        """Add the vectors of all that changes."""
        if not strength:
            return cond, pooled
        require_shape(cond, self.shape)
        changes, made = changes_of(old, new), cond.clone()
        for name, rows, columns in places(self.family, cond):
            made[rows, columns] += strength * self.unit[name] * self.vector(name, cond[rows, columns], changes)
        vector = self.vector(POOLED, rearrange(pooled, "d -> 1 d"), changes)
        return made, pooled + strength * self.unit[POOLED] * vector

    def vector(self, name: str, x: Tensor, changes: Sequence[Replacement]) -> Tensor:
        """Return the sum (d,) of unit directions times the mean norm of rows x (T, d)."""
        moved = x.new_zeros(x.shape[1])
        for went, came in changes:
            start = self.unsaid[name][came] if went is None else self.said[name][went]
            end = self.unsaid[name][went] if came is None else self.said[name][came]
            moved += F.normalize(end - start, dim=0)
        return moved * torch.linalg.vector_norm(x, dim=1).mean()


def fit(capture: Capture, host: TextHost, pairs: int = PAIRS, *, progress: Progress | None = None) -> ControlVectors:
    """Encode pairs made of a capture's fit prompts; what strength 1 is follows from its calibration rewrites."""
    plan, table, calibration = capture.plan, capture.plan.table, rewritten(capture)
    said, unsaid = (dict[int, dict[str, Tensor]]() for _ in range(2))
    for done, (category, members) in enumerate(table.categories.items(), 1):
        some = bare(plan, category, pairs)
        without = _means(host, plan.family, some)
        for concept in members:
            said[concept] = _means(host, plan.family, [prompts.append(table, one, concept) for one in some])
            unsaid[concept] = without
        if progress:
            progress(done, len(table.categories))
    names, shape = pieces_of(plan.family), tuple(calibration[0][0].cond.shape)
    ones = dict.fromkeys(names, 1.0)
    made = ControlVectors(plan.family, _stacked(said, names), _stacked(unsaid, names), ones, shape)
    return replace(made, unit=strengths_of_one(capture, calibration, made.edit))


def _stacked(means: Mapping[int, Mapping[str, Tensor]], names: Sequence[str]) -> dict[str, Tensor]:
    return {name: torch.stack([means[concept][name] for concept in range(len(means))]) for name in names}


def bare(plan: TextPlan, category: str, count: int) -> list[Prompt]:
    """Return fit prompts from all over a capture, without what they say of a category."""
    every, found = [entry.prompt for entry in plan.entries if entry.set == "fit"], []
    count = min(count, len(every))
    for prompt in (every[len(every) * place // count] for place in range(count)):
        support = prompt.support(plan.table)
        for at in reversed(range(len(support))):
            if plan.table.concepts[support[at]].category == category:
                prompt = prompts.delete_mention(prompt, at)
        found.append(prompt)
    return found


def _means(host: TextHost, family: Family, some: Sequence[Prompt]) -> dict[str, Tensor]:
    """Return piece → the mean (d,) over all rows of some prompts."""
    conds, pooled = host.encode([one.text for one in some])
    found: dict[str, list[Tensor]] = {POOLED: list(pooled)}
    for cond in conds:
        for name, rows, columns in places(family, cond):
            found.setdefault(name, []).append(cond[rows, columns].mean(0))
    return {name: torch.stack(means).mean(0) for name, means in found.items()}
