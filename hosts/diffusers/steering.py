"""Steer a transformer of diffusers while it is sampled: what Apply Edits does in ComfyUI, by forward hooks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.editing import steer
from ...supsae_core.editing.apply import added
from ...supsae_core.editing.carried import Carried
from ...supsae_core.editing.steer import COND, POOLED, Moves, Stretch, Where
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
    if any(one.kind == "txt" for one in steer.stretches(where)):
        for number, block in enumerate(blocks):  # which of them matter is Carried's to know
            handles.append(block.register_forward_pre_hook(work.carry_in(number), with_kwargs=True))
            handles.append(block.register_forward_hook(work.carry_through(number), with_kwargs=True))
    for stretch in (one for one in steer.stretches(where) if one.kind == "img"):
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
        self._texts = [one for one in steer.stretches(where) if one.kind == "txt"]
        self._cond, self._beside = (cond, None) if COND in where.sites else (None, cond)
        self._pooled, self._streams = pooled if POOLED in where.sites else None, streams
        embedder = getattr(transformer, self.family.diffusers_embedder)
        assert isinstance(embedder, nn.Linear)
        self._embed: nn.Linear = embedder
        self._depth = len(getattr(transformer, self.family.diffusers_blocks))
        self._carried: Carried | None = None

    def call(self, transformer: nn.Module, args: tuple, named: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
        """Hear the noise level; move prompt rows and pooled vectors."""
        latent, context, pooled, time, *rest = args
        self._sigma = float(time.flatten()[0]) / TIMES
        self._grid = (latent.shape[-2] // self.family.patch, latent.shape[-1] // self.family.patch)
        beside = self._moved(context, self._beside)
        self._carried = None
        if beside is not context:
            text = self._embed(beside[: self._count].to(self._embed.weight))
            self._carried = Carried(text, self._texts, self._where.inside, self._depth)
        return (latent, self._moved(context, self._cond), self._moved(pooled, self._pooled), time, *rest), named

    def carry_in(self, block: int) -> Any:
        """Return a hook before a block that gives it the text stream it shall have."""
        name = self.family.streams["txt"]

        def hook(_: nn.Module, args: tuple, named: dict[str, Any]) -> tuple[tuple, dict[str, Any]] | None:
            if self._carried is None or block not in self._carried.blocks:
                return None
            own = self._carried.enter(block, named[name][: self._count])
            return args, {**named, name: torch.cat([own, named[name][self._count :]])}

        return hook

    def carry_through(self, block: int) -> Any:
        """Return a hook behind a block that carries the other text stream through it."""
        name, place = self.family.streams["txt"], list(self.family.streams).index("txt")

        def hook(module: nn.Module, args: tuple, named: dict[str, Any], _: tuple) -> None:
            def run(text: Tensor) -> Tensor:
                both = torch.cat([text, named[name][self._count :]])
                return module.forward(*args, **{**named, name: both})[place][: self._count]  # past all hooks

            if self._carried is not None:
                self._carried.leave(block, run)

        return hook

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
        levels = self._streams[Site(stretch.kind, stretch.first)]
        step = steer.at_level(levels, self._dictionary.centres, self._sigma)
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
