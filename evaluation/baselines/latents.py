"""Edit by the latents of unsupervised auto-encoders: those that tell a concept best are set to 0, another's turned on.

One auto-encoder per text encoder on all its tokens, one on the pooled vectors. A concept's latents are those whose
strongest activation in a prompt best separates the prompts that say it from the others (area under the curve).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from einops import rearrange, reduce
from torch import Tensor

from ...supsae_core.capture.captures import Capture, Encoded
from ...supsae_core.dictionary.model import POOLED
from ...supsae_core.encoders.base import Family
from ...supsae_core.host import Progress, TextHost
from ...training.pace import ticker
from ..cases import Replacement, replaced
from .additive import require_shape
from .paper import label_matrix
from .pieces import changes_of, places, vectors
from .topk import TOPK, Coder, TopKConfig, train

COUNTS = (1, 2, 4, 8, 16)
"""Latents of a concept; each part takes the number that explains most of what the calibration rewrites change."""


@dataclass(frozen=True)
class LatentPart:
    """One auto-encoder and what its latents say."""

    coder: Coder
    latents: Tensor
    """(K, count)"""
    typical: Tensor
    """(K, count) mean activation on tokens where one of the concept's latents speaks, in prompts that say it"""

    def move(self, x: Tensor, changes: Sequence[Replacement]) -> Tensor:
        """Return the change of vectors (T, d): a concept comes where the one that goes spoke, or everywhere."""
        z, moved = self.coder.encode(x), torch.zeros_like(x)
        for went, came in changes:
            here = torch.ones(len(x), 1)
            if went is not None:
                spoken = z[:, self.latents[went]]
                moved -= spoken @ self.coder.decoder[self.latents[went]]
                here = spoken.any(1, keepdim=True).float()
            if came is not None:
                moved += here * (self.typical[came] @ self.coder.decoder[self.latents[came]])
        return moved


@dataclass(frozen=True)
class Latents:
    """Auto-encoders of a conditioning's parts."""

    family: Family
    parts: Mapping[str, LatentPart]
    """encoder name or ``pooled`` → part"""
    shape: tuple[int, ...]
    """rows and width of a conditioning"""

    def edit(
        self, cond: Tensor, pooled: Tensor, old: Sequence[int], new: Sequence[int], strength: float = 1.0
    ) -> tuple[Tensor, Tensor]:
        """Silence the latents of what is no longer written and turn those of what is new on in their place."""
        if not strength:
            return cond, pooled
        require_shape(cond, self.shape)
        changes, made = changes_of(old, new), cond.clone()
        for name, rows, columns in places(self.family, cond):
            made[rows, columns] += strength * self.parts[name].move(cond[rows, columns], changes)
        (moved,) = self.parts[POOLED].move(rearrange(pooled, "d -> 1 d"), changes)
        return made, pooled + strength * moved


def fit(
    capture: Capture,
    host: TextHost,
    config: TopKConfig = TOPK,
    *,
    progress: Progress | None = None,
) -> Latents:
    """Train on a capture's fit prompts; choose the number of latents on its calibration prompts and their rewrites."""
    table, family = capture.plan.table, capture.plan.family
    sets: dict[str, list[Encoded]] = {"fit": [], "calibration": [], "rewrite": []}
    for row in capture.read():
        sets[row.entry.set].append(row)
    prompts, before, after = sets.values()
    support = lambda row: row.entry.prompt.support(table)  # noqa: E731
    labels = label_matrix(list(map(support, prompts)), len(table))
    changes = [replaced(support(a), support(b))[0] for a, b in zip(before, after, strict=True)]
    names = [*(encoder.name for encoder in family.encoders), POOLED]
    tick = ticker(progress, len(names) * config.steps)
    parts = {}
    for name in names:
        x, old, new = (vectors(family, some, name) for some in (prompts, before, after))
        coder = train(torch.cat(x), config, tick)
        pairs = list(zip(old, new, changes, strict=True))
        parts[name] = best([matched(coder, x, labels, count) for count in COUNTS], pairs)
    return Latents(family, parts, tuple(prompts[0].cond.shape))


def matched(coder: Coder, x: Sequence[Tensor], labels: Tensor, count: int) -> LatentPart:
    """Find the latents of every concept in prompts of vectors (T, d) each, with labels (n, K)."""
    z = [coder.encode(one) for one in x]
    latents = auc(torch.stack([one.amax(0) for one in z]), labels).topk(count, 1).indices
    typical = torch.zeros(latents.shape)
    for concept, own in enumerate(latents):
        said = [one[:, own] for one, says in zip(z, labels[:, concept].bool().tolist(), strict=True) if says]
        spoken = torch.cat([one[one.any(1)] for one in said] or [torch.zeros(0, count)])
        typical[concept] = spoken.sum(0) / max(len(spoken), 1)
    return LatentPart(coder, latents, typical)


def auc(activations: Tensor, labels: Tensor) -> Tensor:
    """Return (K, m): how often a prompt that says the concept has more of the latent than one that does not.

    Activations (n, m) are at least 0; between two zeros a coin is tossed. A concept that is never or always said is
    told by no latent: 0.5.
    """
    ranks = activations.argsort(0).argsort(0).double() + 1
    silent = activations == 0
    ranks = torch.where(silent, (silent.sum(0).double() + 1) / 2, ranks)
    said = reduce(labels.double(), "n concept -> concept 1", "sum")
    pairs = said * (len(labels) - said)
    wins = labels.double().T @ ranks - said * (said + 1) / 2
    return torch.where(pairs > 0, wins / pairs.clamp(min=1), 0.5)


def best(parts: Sequence[LatentPart], pairs: Sequence[tuple[Tensor, Tensor, Replacement]]) -> LatentPart:
    """Return the part whose moves come closest to (before, after, change) pairs of equally many vectors."""

    def error(part: LatentPart) -> float:
        same = [pair for pair in pairs if pair[0].shape == pair[1].shape]
        return sum(float((part.move(old, [change]) - new + old).square().sum()) for old, new, change in same)

    return min(parts, key=error)
