"""A direction between two values, added to the tokens that say the category and to no others.

The optimisation-free method of Baumann et al., "Continuous, Subject-Specific Attribute Control in T2I Models by
Identifying Semantic Directions" (arXiv 2403.17064): the difference of two words' mean tokens over many contexts is
added to a subject's own tokens. Here they are the tokens of the phrase that an edit replaces. It is told where that
stands; a phrase keeps its number of tokens; what has no old phrase or no new one cannot be said so.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ...supsae_core.capture.captures import Capture, Encoded
from ...supsae_core.capture.plan import TextPlan
from ...supsae_core.dictionary.model import POOLED
from ...supsae_core.encoders.layout import Layout
from ...supsae_core.encoders.placing import layout_of, rows_of
from ...supsae_core.host import Progress, TextHost
from .flattened_ridge import regress
from .paper import label_matrix
from .pieces import rewritten, strength_of_one


@dataclass(frozen=True)
class ChosenTokens:
    """The mean token of every phrase, per encoder, and the effect of every concept on the pooled vector."""

    plan: TextPlan
    means: Mapping[str, Tensor]
    """encoder → (P, d), not a number for a phrase that was never written"""
    pooled: Tensor
    """(K, P)"""
    unit: Mapping[str, float]
    """encoder name or ``pooled`` → what strength 1 is"""

    def edit(
        self, row: Encoded, old: Sequence[int], new: Sequence[int], strength: float = 1.0
    ) -> tuple[Tensor, Tensor]:
        """Move the tokens of every phrase that is replaced.

        Args:
            row: the prompt with its encoding.

        Raises:
            ValueError: if a concept is added or removed, or was never captured.
        """
        if not strength:
            return row.cond, row.pooled
        if len(old) != len(new):
            raise ValueError("Directions between two values know no prompt without one: swap concepts only.")
        made, moved = row.cond.clone(), torch.zeros_like(row.pooled)
        layouts = layouts_of(self.plan, row)
        for at, (went, came) in enumerate(zip(old, new, strict=True)):
            if went != came:
                for encoder in self.plan.family.encoders:
                    span = layouts[encoder.name].spans[at]
                    direction = self.direction(encoder.name, span.phrase, came)
                    made[list(span.rows), encoder.first : encoder.last] += strength * direction
                moved += self.unit[POOLED] * (self.pooled[came] - self.pooled[went])
        return made, row.pooled + strength * moved

    def direction(self, name: str, phrase: int, came: int) -> Tensor:
        """Return (d,) from a phrase to the first one of a concept; ValueError if one of them was never captured."""
        table = self.plan.table
        other = table.first_phrase[came]
        found = self.unit[name] * (self.means[name][other] - self.means[name][phrase])
        if found.isnan().any():
            texts = " or ".join(repr(table.phrases[one].text) for one in (phrase, other))
            raise ValueError(f"No prompt of the capture said {texts}. Capture more prompts.")
        return found


def fit(capture: Capture, host: TextHost, *, progress: Progress | None = None) -> ChosenTokens:
    """Average over a capture's fit prompts; what strength 1 is follows from its calibration rewrites."""
    plan, table = capture.plan, capture.plan.table
    sums = {one.name: torch.zeros(len(table.phrases), one.last - one.first) for one in plan.family.encoders}
    counts = {name: torch.zeros(len(table.phrases), 1) for name in sums}
    supports, vectors = [], []
    for row in capture.read("fit"):
        supports.append(row.entry.prompt.support(table))
        vectors.append(row.pooled)
        layouts = layouts_of(plan, row)
        for encoder in plan.family.encoders:
            for span in layouts[encoder.name].spans:
                sums[encoder.name][span.phrase] += row.cond[list(span.rows), encoder.first : encoder.last].sum(0)
                counts[encoder.name][span.phrase] += len(span.rows)
    effects, _, _ = regress(label_matrix(supports, len(table)), torch.stack(vectors))
    means = {name: sums[name] / counts[name] for name in sums}
    made = ChosenTokens(plan, means, effects, dict.fromkeys((*means, POOLED), 1.0))
    if progress:
        progress(1, 1)
    return replace(made, unit=_units(made, rewritten(capture)))


def layouts_of(plan: TextPlan, row: Encoded) -> dict[str, Layout]:
    """Return encoder → where the phrases of a prompt stand."""
    return layout_of(plan.family, plan.table, row.entry.prompt, row.entry.counts, rows_of(row.cond, plan.family))


def _units(made: ChosenTokens, pairs: Sequence[tuple[Encoded, Encoded]]) -> dict[str, float]:
    """Return what strength 1 is by the replaced phrases of equally many tokens, and by the pooled vectors."""
    table, moves = made.plan.table, {name: list[tuple[Tensor, Tensor]]() for name in made.unit}
    for before, after in pairs:
        old, new = (row.entry.prompt.support(table) for row in (before, after))
        one, other = (layouts_of(made.plan, row) for row in (before, after))
        (at,) = [place for place in range(len(old)) if old[place] != new[place]]
        for encoder in made.plan.family.encoders:
            here, there = (some[encoder.name].spans[at] for some in (one, other))
            columns = slice(encoder.first, encoder.last)
            with suppress(ValueError):  # never captured
                direction = made.direction(encoder.name, here.phrase, new[at])
                if len(here.rows) == len(there.rows):
                    word = after.cond[list(there.rows), columns] - before.cond[list(here.rows), columns]
                    moves[encoder.name].append((direction.expand_as(word), word))
        moves[POOLED].append((made.pooled[new[at]] - made.pooled[old[at]], after.pooled - before.pooled))
    return {name: strength_of_one(some) for name, some in moves.items()}
