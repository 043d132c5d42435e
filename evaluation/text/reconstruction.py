"""How well the paper's model reconstructs an encoder's rows in the paper's own setting, and which of its parts does it.

Every prompt says one value of every category, in one template; rows are flattened by position, and the dimensions of
the largest range are kept (docs/method.md, 8). Whoever is told the labels alone decodes prompts never seen; whoever is
told the vector itself, as principal components and unsupervised auto-encoders are, has to write it down shorter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from einops import pack
from torch import Tensor
from torch.nn import functional as F

from ...drawing.codes import cosine_matrix
from ...supsae_core.host import TextHost
from ...supsae_core.table.concepts import ConceptTable
from ...training import distributed
from ..baselines import topk
from ..baselines.paper import PaperConfig, decode, first_codes, label_matrix, learn, widest
from ..intervals import mean_interval

STREAM = 19
"""Part of the seed."""
SEEDS = {"quick": 1, "medium": 3, "full": 5}
"""Size of a run → trainings of everyone who starts at random."""
PROMPTS = {"quick": 400, "medium": 800, "full": 1500}
TESTED = 0.2
"""Of the prompts, the share that nobody learns from."""
LEAST = 40
"""Prompts that the setting needs, so that eight are kept aside."""
WIDTHS = (1, 2, 5, 20)
"""Code widths beside the paper's."""
SCALES = (0.1, 3.0)
"""Spreads of the first codes beside the usual one."""
PUBLISHED = "supervised, as published"
RIDGE = 1e-3
"""Of the mean square of a centred label."""


class Template(NamedTuple):
    """Prompts of one template."""

    x: Tensor
    """(n, N) kept dimensions of their flattened rows and pooled vectors"""
    labels: Tensor
    """M (n, K)"""


Model = Callable[[Template, Template, int], Tensor]
"""(prompts to learn from, prompts to reconstruct, seed) → x̂ of the latter"""


def too_few(table: ConceptTable) -> str:
    """Return why a table is too small for the setting, as a sentence; nothing if it is not."""
    every = combinations(table)
    if every >= LEAST:
        return ""
    return (
        f"The paper's own setting is left out: one concept of every category makes {every} prompts of this table, and "
        f"{LEAST} are needed to keep some aside."
    )


def combinations(table: ConceptTable) -> int:
    """Return how many prompts say one concept of every category."""
    return int(np.prod([len(members) for members in table.categories.values()], dtype=object))


def template_prompts(table: ConceptTable, count: int, rng: np.random.Generator) -> list[tuple[int, ...]]:
    """Draw supports that differ, one value of every category in the table's order; all there are, if that is fewer."""
    groups = list(table.categories.values())
    every = combinations(table)
    chosen = rng.permutation(every)[:count] if every < 10**6 else rng.choice(every, count, replace=False)
    sizes = [len(members) for members in groups]
    return [
        tuple(members[at] for members, at in zip(groups, np.unravel_index(int(one), sizes), strict=True))
        for one in chosen
    ]


def template_text(table: ConceptTable, support: Sequence[int]) -> str:
    """Return the first phrases of a support, set apart by commas."""
    return ", ".join(table.phrases[table.first_phrase[concept]].text for concept in support)


def reconstruction(
    host: TextHost, table: ConceptTable, size: str, seed: int, tick: Callable[[int], None] = lambda done: None
) -> dict[str, Any]:
    """Return what everyone leaves of prompts kept aside, and how alike the paper's codes are before and after."""
    some = template_prompts(table, PROMPTS[size], np.random.default_rng((seed, STREAM)))
    fitted, tested = _told(host, table, some)
    seeds, categories = SEEDS[size], len(table.categories)
    models = _models(len(table), categories, seeds)

    def scored(place: tuple[str, int]) -> dict[str, float]:
        name, run = place
        model, runs = models[name]
        found = _scores(tested.x, model(fitted, tested, seed + run), fitted.x.mean(0))
        tick(int(run == runs - 1))
        return found

    places = [(name, run) for name, (_, runs) in models.items() for run in range(runs)]
    found = list(zip(places, distributed.shared(places, scored), strict=True))
    tick(0)
    rows: dict[str, dict[str, Any]] = {}
    for name in models:
        scores = [one for (own, _), one in found if own == name]
        rows[name] = {key: mean_interval([one[key] for one in scores]).json() for key in scores[0]}
    about = {"prompts": len(fitted.x), "tested": len(tested.x), "dimensions": fitted.x.shape[1], "seeds": seeds}
    return {**about, "rows": rows, "codes": _codes(fitted, table, seed)}


def count_models() -> int:
    """Return how many models are fitted."""
    return len(_models(2, 1, 1))


def _told(host: TextHost, table: ConceptTable, supports: Sequence[tuple[int, ...]]) -> tuple[Template, Template]:
    """Encode prompts; those of another length than most are left out."""
    flat: list[Tensor] = []
    for first in range(0, len(supports), 64):
        conds, pooled = host.encode([template_text(table, one) for one in supports[first : first + 64]])
        flat += [pack([cond, vector], "*")[0] for cond, vector in zip(conds, pooled, strict=True)]
    lengths = [len(one) for one in flat]
    usual = max(set(lengths), key=lengths.count)
    x = torch.stack([one for one in flat if len(one) == usual])
    labels = label_matrix([one for one, length in zip(supports, lengths, strict=True) if length == usual], len(table))
    first = round(len(x) * (1 - TESTED))
    kept = widest(x[:first], PaperConfig().keep)
    return Template(x[:first, kept], labels[:first]), Template(x[first:, kept], labels[first:])


def _models(concepts: int, categories: int, seeds: int) -> dict[str, tuple[Model, int]]:
    """Return model → (how it is fitted, with how many seeds)."""
    plain, wide = PaperConfig(), concepts * PaperConfig().width
    made: dict[str, tuple[Model, int]] = {PUBLISHED: (_paper(plain), seeds)}
    made |= {f"… code width {width}": (_paper(PaperConfig(width=width)), seeds) for width in WIDTHS}
    for scale in SCALES:
        made[f"… codes that start {scale:g} times as large"] = (_paper(PaperConfig(scale=scale)), seeds)
    made["… codes fixed as they start: no free features"] = (_paper(PaperConfig(fixed=True)), seeds)
    made["… labels of other prompts: no supervision"] = (_paper(plain, shuffled=True), seeds)
    made["least squares on the labels"] = (_least_squares, 1)
    made[f"principal components, {categories}"] = (_components(categories), 1)
    made[f"principal components, {concepts}"] = (_components(concepts), 1)
    narrow = topk.TopKConfig(latents=concepts, active=categories)
    made[f"unsupervised, {categories} of {concepts} latents"] = (_topk(narrow), seeds)
    broad = topk.TopKConfig(latents=wide, active=categories)
    made[f"unsupervised, {categories} of {wide} latents"] = (_topk(broad), seeds)
    return made


def _paper(config: PaperConfig, *, shuffled: bool = False) -> Model:
    def model(fitted: Template, tested: Template, seed: int) -> Tensor:
        own = PaperConfig(**{**vars(config), "seed": seed})
        generator = torch.Generator().manual_seed(seed)
        labels = fitted.labels[torch.randperm(len(fitted.labels), generator=generator)] if shuffled else fitted.labels
        return decode(tested.labels, *learn(fitted.x, labels, own))

    return model


def _least_squares(fitted: Template, tested: Template, seed: int) -> Tensor:
    """Solve for one vector a concept: what the paper's model can reach with any code width."""
    mean, at = fitted.x.mean(0), fitted.labels.mean(0)
    labels = fitted.labels - at
    gram = labels.T @ labels
    gram.diagonal().add_(RIDGE * gram.diagonal().mean())
    effects = torch.linalg.solve(gram, labels.T @ (fitted.x - mean))
    return mean + (tested.labels - at) @ effects


def _components(count: int) -> Model:
    def model(fitted: Template, tested: Template, seed: int) -> Tensor:
        mean = fitted.x.mean(0)
        basis = torch.linalg.svd(fitted.x - mean, full_matrices=False).Vh[:count]
        return mean + (tested.x - mean) @ basis.T @ basis

    return model


def _topk(config: topk.TopKConfig) -> Model:
    def model(fitted: Template, tested: Template, seed: int) -> Tensor:
        coder = topk.train(fitted.x, topk.TopKConfig(**{**vars(config), "seed": seed}))
        return coder.decode(topk.strongest(coder.heard(tested.x), coder.active))

    return model


def _scores(x: Tensor, made: Tensor, mean: Tensor) -> dict[str, float]:
    """Return the mean square error, its share of the variance, and the mean cosine about the mean."""
    off = (x - made).square()
    left = off.sum() / (x - mean).square().sum()
    cosine = F.cosine_similarity(x - mean, made - mean, dim=1).mean()
    return {"error": float(off.mean()), "left": float(left), "cosine": float(cosine)}


def _codes(fitted: Template, table: ConceptTable, seed: int) -> dict[str, dict[str, float]]:
    """Return how alike concepts are in the paper's codes before and after, in what they decode to, and in the rows."""
    config = PaperConfig(seed=seed)
    learnt = learn(fitted.x, fitted.labels, config)
    alone = torch.eye(len(table))
    said = fitted.labels / fitted.labels.sum(0).clamp(min=1)
    found = {
        "codes before": first_codes(len(table), config, torch.Generator().manual_seed(seed)),
        "codes after": learnt.codes,
        "decoded": decode(alone, *learnt) - learnt.bias,
        "means of the rows": said.T @ (fitted.x - fitted.x.mean(0)),
    }
    return {name: _alike(one, table.categories) for name, one in found.items()}


def _alike(vectors: Tensor, categories: Mapping[str, Sequence[int]]) -> dict[str, float]:
    """Return the root mean square cosine between concepts of different categories and of one, about their means."""
    centred = vectors.clone()
    own = torch.zeros(len(vectors), len(vectors), dtype=torch.bool)
    for members in categories.values():
        centred[list(members)] -= centred[list(members)].mean(0)
        own[torch.tensor(members)[:, None], torch.tensor(members)] = True
    squares = cosine_matrix(centred).square()
    within = own & ~torch.eye(len(vectors), dtype=torch.bool)
    kinds = {"between": ~own, "within": within}
    return {name: round(float(squares[some].mean().sqrt()), 3) for name, some in kinds.items()}
