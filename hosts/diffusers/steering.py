"""Steer a transformer of diffusers while it is sampled: what Apply Edits does in ComfyUI, by forward hooks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn

from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.editing import steer
from ...supsae_core.editing.apply import added
from ...supsae_core.editing.steer import COND, EMBEDDED, POOLED, Moves, Stretch, Where
from ...supsae_core.encoders.sites import Site
from ..models import family_in_diffusers

TIMES = 1000.0
"""Diffusers tells the time as a thousand times the noise level."""


@contextmanager
def steered(transformer: nn.Module, dictionary: Dictionary, moves: Sequence[Moves], where: Where) -> Iterator[None]:
    """Make edits in the first rows of every call of diffusers' SD3 transformer; rows behind them are the negative's.

    There is one of the moves for each picture of the batch, of prompts of equal length; ``everywhere`` is not offered.
    """
    work = _Steered(transformer, dictionary, moves, where)
    handles = [transformer.register_forward_pre_hook(work.call, with_kwargs=True)]
    blocks = getattr(transformer, work.family.diffusers_blocks)
    assert isinstance(blocks, nn.ModuleList)
    for stretch in steer.stretches(where):
        if stretch.first < len(blocks):
            handles.append(blocks[stretch.first].register_forward_pre_hook(work.put_in(stretch), with_kwargs=True))
        else:
            handles.append(blocks[-1].register_forward_hook(work.put_behind(stretch, 1)))
        if where.inside and stretch.last < len(blocks):
            handles.append(blocks[stretch.last].register_forward_hook(work.put_behind(stretch, -1)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class _Steered:
    """The steps of one batch, and the noise level of the call that is under way."""

    def __init__(self, transformer: nn.Module, dictionary: Dictionary, moves: Sequence[Moves], where: Where) -> None:
        self._dictionary, self._where, self._count = dictionary, where, len(moves)
        self.family = family_in_diffusers(transformer)
        self._sigma, self._grid = 0.0, (0, 0)
        cond, pooled, streams = steer.stacked(moves)
        self._cond = cond if COND in where.sites else None
        self._pooled, self._streams = pooled if POOLED in where.sites else None, dict(streams)
        if cond is not None and self._cond is None:
            embedder = getattr(transformer, self.family.diffusers_embedder)
            assert isinstance(embedder, nn.Linear)
            embedded = nn.functional.linear(cond.to(embedder.weight), embedder.weight)
            self._streams[EMBEDDED] = rearrange(embedded, "b row d -> 1 b row d")  # the same at every noise level

    def call(self, transformer: nn.Module, args: tuple, named: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
        """Hear the noise level; move prompt rows and pooled vectors."""
        latent, context, pooled, time, *rest = args
        self._sigma = float(time.flatten()[0]) / TIMES
        self._grid = (latent.shape[-2] // self.family.patch, latent.shape[-1] // self.family.patch)
        return (latent, self._moved(context, self._cond), self._moved(pooled, self._pooled), time, *rest), named

    def put_in(self, stretch: Stretch) -> Any:
        """Return a hook before a block."""
        name = self.family.streams[stretch.kind]

        def hook(_: nn.Module, args: tuple, named: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
            return args, {**named, name: self._moved(named[name], self._step(stretch))}

        return hook

    def put_behind(self, stretch: Stretch, sign: int) -> Any:
        """Return a hook behind a block that adds a step, or takes it out again."""
        place = list(self.family.streams).index(stretch.kind)

        def hook(_: nn.Module, args: tuple, made: tuple[Tensor | None, Tensor]) -> tuple[Tensor | None, ...]:
            stream = made[place]
            moved = None if stream is None else self._moved(stream, sign * self._step(stretch))
            return tuple(moved if i == place else one for i, one in enumerate(made))

        return hook

    def _step(self, stretch: Stretch) -> Tensor:
        """Return (B, rows, d) at the noise level of this call."""
        site = Site(stretch.kind, stretch.first)
        levels = self._streams[site]
        step = levels[0] if site == EMBEDDED else steer.at_level(levels, self._dictionary.centres, self._sigma)
        if stretch.kind == "txt":
            return step
        learnt = steer.grid_of(self._dictionary)
        return torch.stack([steer.on_grid(one, learnt, self._grid, None) for one in step])

    def _moved(self, tensor: Tensor, step: Tensor | None) -> Tensor:
        weight = self._where.window.weight(self._sigma, percent_to_sigma)
        if step is None or not weight:
            return tensor
        return torch.cat([added(tensor[: self._count], weight * step), tensor[self._count :]])


def percent_to_sigma(percent: float, shift: float = 3.0) -> float:
    """Return the noise level at a share of sampling, as ComfyUI has it for flow models."""
    level = 1.0 - percent
    return shift * level / (1 + (shift - 1) * level)
