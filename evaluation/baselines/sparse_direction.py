"""Directions of an unsupervised TopK auto-encoder: the difference of two concepts' latents, cut to the largest few.

In the manner of the All-in-One Slider (Ye et al., arXiv 2508.19195): one sparse auto-encoder of a text encoder's tokens
serves every attribute, an attribute is a direction of few latents, and the decoded direction is added to the text's
rows. What a concept does to the mean of a prompt's latents is regressed as in ``mean_difference``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ...supsae_core.capture.captures import Capture
from ...supsae_core.dictionary.model import POOLED
from ...supsae_core.encoders.base import Family
from ...supsae_core.host import Progress, TextHost
from ...training.pace import ticker
from ..cases import Replacement
from .additive import require_shape
from .flattened_ridge import regress
from .paper import label_matrix
from .pieces import changes_of, pieces_of, places, rewritten, strengths_of_one, vectors
from .topk import TOPK, Coder, TopKConfig, train

FEW = 16
"""Latents of a direction: as many as speak at once."""


@dataclass(frozen=True)
class SparsePiece:
    """What one auto-encoder knows."""

    coder: Coder
    effects: Tensor
    """(K, m) what a concept adds to the mean latents of a prompt"""
    unit: float = 1.0
    """what strength 1 is"""

    def direction(self, changes: Sequence[Replacement], few: int) -> Tensor:
        """Return the decoded sum (d,) of all changes, each cut to the latents that it moves most."""
        moved = torch.zeros(self.coder.decoder.shape[1])
        for went, came in changes:
            z = torch.zeros(self.effects.shape[1])
            z = z if came is None else z + self.effects[came]
            z = z if went is None else z - self.effects[went]
            most = z.abs().topk(min(few, len(z))).indices
            moved += z[most] @ self.coder.decoder[most]
        return self.unit * moved


@dataclass(frozen=True)
class SparseDirections:
    """Auto-encoders of a conditioning's pieces."""

    family: Family
    pieces: Mapping[str, SparsePiece]
    """encoder name or ``pooled`` → piece"""
    few: int
    shape: tuple[int, ...]
    """rows and width of a conditioning"""

    def edit(
        self, cond: Tensor, pooled: Tensor, old: Sequence[int], new: Sequence[int], strength: float = 1.0
    ) -> tuple[Tensor, Tensor]:
        """Add the directions of all that changes to every row."""
        if not strength:
            return cond, pooled
        require_shape(cond, self.shape)
        changes, made = changes_of(old, new), cond.clone()
        for name, rows, columns in places(self.family, cond):
            made[rows, columns] += strength * self.pieces[name].direction(changes, self.few)
        return made, pooled + strength * self.pieces[POOLED].direction(changes, self.few)


def fit(
    capture: Capture, host: TextHost, config: TopKConfig = TOPK, few: int = FEW, *, progress: Progress | None = None
) -> SparseDirections:
    """Train on a capture's fit prompts; what strength 1 is follows from its calibration rewrites."""
    family, table = capture.plan.family, capture.plan.table
    rows, calibration = list(capture.read("fit")), rewritten(capture)
    labels = label_matrix([row.entry.prompt.support(table) for row in rows], len(table))
    names = pieces_of(family)
    tick, pieces = ticker(progress, len(names) * config.steps), dict[str, SparsePiece]()
    for name in names:
        x = vectors(family, rows, name)
        coder = train(torch.cat(x), config, tick)
        means = torch.stack([coder.encode(one).mean(0) for one in x])
        pieces[name] = SparsePiece(coder, regress(labels, means)[0])
    made = SparseDirections(family, pieces, few, tuple(calibration[0][0].cond.shape))
    units = strengths_of_one(capture, calibration, made.edit)
    return replace(made, pieces={name: replace(one, unit=units[name]) for name, one in pieces.items()})
