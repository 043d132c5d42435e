"""What a low-rank adapter learns from: every step of guided runs of prompts that were rewritten to say its concept."""

import statistics
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import torch
from einops import rearrange, repeat
from torch import Tensor, nn

from ...hosts.diffusers.studio import Studio, negative
from ...hosts.diffusers.transformer import initial_noise, noise_levels
from ...supsae_core.table.concepts import ConceptTable
from ...supsae_core.table.prompts import Pair, Prompt, has_pair, rewrite

STEPS, CFG, BATCH = 16, 3.0, 16
"""Steps and guidance of a run, as ``studio.draw_portraits`` has them; runs sampled together."""


class Lessons(NamedTuple):
    """Steps of n guided runs at t noise levels."""

    levels: Tensor
    """(t,)"""
    x: Tensor
    """(n, t, C, h, w)"""
    cond: Tensor
    """(n, L, width) of the prompts as they are"""
    pooled: Tensor
    """(n, P)"""
    empty: tuple[Tensor, Tensor]
    """(1, L, width) and (1, P) of the empty prompt"""
    target: Tensor
    """(2, n, t, C, h, w) velocities of the rewrite and of the empty prompt"""


def swapped(
    table: ConceptTable, new: int, prompts: Sequence[Prompt], held_out: Collection[Pair] = ()
) -> list[tuple[Prompt, Prompt]]:
    """Return the prompts that say another value of the concept's category, each with its rewrite.

    Raises:
        ValueError: if there is none whose rewrite is free of held-out pairs.
    """
    members = table.categories[table.concepts[new].category]
    found = []
    for prompt in prompts:
        for old in set(prompt.support(table)) & set(members) - {new}:
            words = rewrite(table, prompt, old, new)
            if not has_pair(words.support(table), held_out):
                found.append((prompt, words))
    if not found:
        raise ValueError(f"No prompt says another value in place of {str(table.concepts[new])!r}.")
    return found


def taught(
    studio: Studio,
    swaps: Sequence[tuple[Prompt, Prompt]],
    count: int,
    seed: int,
    tick: Callable[[int], None] = lambda done: None,
) -> Lessons:
    """Sample ``count`` rewrites and keep every step; ``tick`` is told how many are done.

    Swaps with a prompt of another number of rows than most are left out.
    """
    (cond, pooled), (new_cond, new_pooled) = _encoded(studio, swaps[:count], count)
    empty = negative(studio, cond[0])
    noise = initial_noise([seed * count + index for index in range(count)])
    runs = []
    for some in torch.arange(count).split(BATCH):
        context = torch.cat([new_cond[some], repeat(empty[0], "1 row column -> n row column", n=len(some))])
        vector = torch.cat([new_pooled[some], repeat(empty[1], "1 column -> n column", n=len(some))])
        runs.append(_run(studio.transformer, noise[some], context, vector))
        tick(int(some[-1]) + 1)
    x, target = (torch.cat(parts, -5) for parts in zip(*runs, strict=True))
    return Lessons(torch.tensor(noise_levels(STEPS)), x, cond, pooled, empty, target)


def _encoded(studio: Studio, swaps: Sequence[tuple[Prompt, Prompt]], count: int) -> list[tuple[Tensor, Tensor]]:
    """Return rows (count, L, width) and vectors (count, P) of the prompts, then of their rewrites."""
    sides = [studio.host.encode([swap[side].text for swap in swaps]) for side in range(2)]
    lengths = [{len(rows), len(new)} for rows, new in zip(sides[0][0], sides[1][0], strict=True)]
    level = [max(both) for both in lengths if len(both) == 1]
    if not level:
        raise ValueError(
            f"None of {len(swaps)} prompts has as many rows as its rewrite: an adapter needs some that do."
        )
    kept = [index for index, both in enumerate(lengths) if both == {statistics.mode(level)}]
    chosen = [kept[index % len(kept)] for index in range(count)]
    return [
        (torch.stack([conds[index] for index in chosen]), torch.stack([pooled[index] for index in chosen]))
        for conds, pooled in sides
    ]


@torch.no_grad()
def _run(transformer: nn.Module, x: Tensor, context: Tensor, vector: Tensor) -> tuple[Tensor, Tensor]:
    """Sample by Euler steps; return x (n, t, …) and the velocities (2, n, t, …) with text and without."""
    levels, steps, targets = [*noise_levels(STEPS), 0.0], [], []
    for level, lower in zip(levels, levels[1:], strict=False):
        both = velocity(transformer, torch.cat([x, x]), context, vector, torch.full((2 * len(x),), level))
        said, unsaid = rearrange(both, "(side n) c h w -> side n c h w", side=2)
        steps.append(x)
        targets.append(torch.stack([said, unsaid]))
        x = x + (lower - level) * (unsaid + CFG * (said - unsaid))
    return torch.stack(steps, 1), torch.stack(targets, 2)


def velocity(transformer: nn.Module, x: Tensor, context: Tensor, vector: Tensor, level: Tensor) -> Tensor:
    """Return the velocity of x (n, C, h, w) at noise levels (n,) between 0 and 1."""
    own = next(transformer.parameters()).dtype
    return transformer(x.to(own), context.to(own), vector.to(own), 1000 * level, return_dict=False)[0].float()
