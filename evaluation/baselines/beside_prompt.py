"""Two poles encoded beside the prompt: what "…, new" is row by row more than "…, old" is added to the prompt's rows.

What prompt sliders in node graphs do, and guidance does with predictions: three encodings, a subtraction and a factor,
nothing learnt. Both texts begin with the prompt, so its rows stand at the same numbers in all three. A row behind the
prompt holds a pole's words where the prompt has a pad; whether these rows move too is chosen on calibration rewrites.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ...supsae_core.capture.captures import Capture, Encoded
from ...supsae_core.capture.plan import TextPlan
from ...supsae_core.encoders.placing import layout_of, rows_of
from ...supsae_core.host import Progress, TextHost
from ...supsae_core.table import prompts
from ...supsae_core.table.prompts import Prompt
from .pieces import changes_of, rewritten, strength_of_one


@dataclass(frozen=True)
class BesidePrompt:
    """Encodes whatever it is asked for."""

    plan: TextPlan
    host: TextHost
    everywhere: bool = True
    """whether rows behind the prompt's words move too"""
    unit: float = 1.0
    """what strength 1 is, of the rows"""
    pooled_unit: float = 1.0

    def edit(
        self, row: Encoded, old: Sequence[int], new: Sequence[int], strength: float = 1.0
    ) -> tuple[Tensor, Tensor]:
        """Add the difference of the poles.

        Args:
            row: the prompt with its encoding.

        Raises:
            ValueError: if the prompt has no room for a pole behind it.
        """
        if not strength:
            return row.cond, row.pooled
        rows, vector = self.difference(row, old, new)
        return row.cond + strength * self.unit * rows, row.pooled + strength * self.pooled_unit * vector

    def difference(self, row: Encoded, old: Sequence[int], new: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Return by how much the text with the new pole is more than the one with the old, rows and pooled vector."""
        changes, prompt = changes_of(old, new), row.entry.prompt
        low, high = (
            self._behind(prompt, [one for one in pole if one is not None]) for pole in zip(*changes, strict=True)
        )
        conds, pooled = self.host.encode([high.text, low.text])
        if any(len(one) != len(row.cond) for one in conds):
            raise ValueError(f"The prompt {prompt.text!r} has no room for another phrase behind it. Shorten it.")
        rows = conds[0] - conds[1]
        return rows if self.everywhere else rows * self._words(row), pooled[0] - pooled[1]

    def _behind(self, prompt: Prompt, concepts: Sequence[int]) -> Prompt:
        for concept in concepts:
            prompt = prompts.append(self.plan.table, prompt, concept)
        return prompt

    def _words(self, row: Encoded) -> Tensor:
        """Return (L, width) 1 in the rows and columns that hold the prompt's words."""
        family, found = self.plan.family, torch.zeros_like(row.cond)
        rows = rows_of(row.cond, family)
        layouts = layout_of(family, self.plan.table, row.entry.prompt, row.entry.counts, rows)
        for encoder in family.encoders:
            if encoder.name in layouts:
                layout = layouts[encoder.name]
                spoken = [*layout.roles.other, *(at for span in layout.spans for at in span.rows)]
                found[spoken, encoder.first : encoder.last] = 1
        return found


def fit(capture: Capture, host: TextHost, *, progress: Progress | None = None) -> BesidePrompt:
    """Choose on a capture's calibration rewrites which rows move and what strength 1 is."""
    table, some = capture.plan.table, list[tuple[Encoded, Tensor, Tensor, Tensor, Tensor]]()
    plain, pairs = BesidePrompt(capture.plan, host), rewritten(capture)
    for done, (before, after) in enumerate(pairs, 1):
        try:
            rows, vector = plain.difference(before, *(row.entry.prompt.support(table) for row in (before, after)))
        except ValueError:  # no room
            rows, vector = before.cond[:0], before.pooled
        if rows.shape == after.cond.shape:
            some.append((before, rows, after.cond - before.cond, vector, after.pooled - before.pooled))
        if progress:
            progress(done, len(pairs))
    found = list[tuple[float, BesidePrompt]]()
    for everywhere in (True, False):
        moves = [(rows if everywhere else rows * plain._words(before), word) for before, rows, word, _, _ in some]
        made = replace(plain, everywhere=everywhere, unit=strength_of_one(moves))
        found.append((sum(float((made.unit * rows - word).square().sum()) for rows, word in moves), made))
    _, best = min(found, key=lambda one: one[0])
    return replace(best, pooled_unit=strength_of_one((vector, word) for *_, vector, word in some))
