"""The samplings that make one locked picture: without the edits, with each alone, with all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ...supsae_core.host import Progress
from . import steering
from .alone import Conds
from .locked_calls import KEY, Following, LockedCall, Recording


class Trajectory(NamedTuple):
    """The run without edits; tensors on the CPU."""

    key: tuple
    chance: list[Tensor]
    """state of the random numbers that it began with"""
    calls: list[LockedCall]
    samples: Tensor


class Runs:
    """The samplings that make one locked picture, one behind the other under one bar."""

    def __init__(
        self, guider: Any, run: Callable[[Callable | None], Tensor], count: int, progress: Callable[[], Progress]
    ) -> None:
        """Take what samples once, how often that will be, and what makes a bar for all but the last."""
        self._guider, self._run, self._count, self._done = guider, run, count, 0
        self._tell = progress() if count > 1 else lambda done, total: None

    def recorded(self, conds: Conds, key: tuple) -> Trajectory:
        """Sample without edits and keep every call."""
        chance, recording = [generator.get_rng_state() for generator in _generators(self._guider)], Recording()
        samples = self._sample(conds, recording, {steering.REFERENCE: True}, None)
        return Trajectory(key, chance, recording.calls, samples.to("cpu", copy=True))

    def along(
        self, known: Trajectory, conds: Conds, following: Following | None = None,
        options: Mapping[str, Any] = MappingProxyType({}), callback: Callable | None = None,
    ) -> Tensor:  # fmt: skip
        """Sample from the same random numbers as a recorded run.

        Args:
            options: of the transformer, meanwhile.
            callback: ComfyUI's, of the last run.
        """
        for generator, state in zip(_generators(self._guider), known.chance, strict=True):
            generator.set_rng_state(state)
        samples = self._sample(conds, following, options, callback)
        if following is not None:
            following.close()
        return samples

    def _sample(self, conds: Conds, inside: Any, options: Mapping[str, Any], callback: Callable | None) -> Tensor:
        part, tell, self._done = self._done, self._tell, self._done + 1
        done = lambda step, total: (part * total + step) // self._count  # noqa: E731
        beside = lambda step, x0, x, total: tell(done(step + 1, total), total)  # noqa: E731
        last = callback and (lambda step, x0, x, total: callback(done(step, total), x0, x, total))
        self._guider.conds = conds
        of_model = self._guider.model_options
        with _set(of_model.setdefault("transformer_options", {}), options), _set(of_model, {KEY: inside}):
            return self._run(last if self._done == self._count else beside)


def _generators(guider: Any) -> list[Any]:
    """Return what holds the random numbers that a sampler without a seed draws from: the CPU's, and the device's."""
    kind = guider.model_patcher.load_device.type
    device = None if kind == "cpu" else getattr(torch, kind, None)
    return [torch.random, *([device] if hasattr(device, "get_rng_state") else [])]


@contextmanager
def _set(options: dict[str, Any], more: Mapping[str, Any]) -> Iterator[None]:
    options.update(more)
    try:
        yield
    finally:
        for key in more:
            del options[key]
