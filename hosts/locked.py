"""Draw under the lock with any host: the unedited pictures once, then any number of edits held to them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..supsae_core import lock
from ..supsae_core.host import Draw, Progress
from ..supsae_core.lock import LockConfig


class Reference(NamedTuple):
    """Unedited pictures and how they were sampled."""

    pictures: np.ndarray
    """(n, 128, 128, 3) bytes"""
    velocity: Tensor
    """(steps, n, C, h, w), guided"""
    denoised: Tensor
    """(steps, n, C, h, w)"""
    seeds: tuple[int, ...]

    def at(self, indices: Sequence[int]) -> Reference:
        """Return some of them."""
        some = list(indices)
        seeds = tuple(self.seeds[index] for index in some)
        return Reference(self.pictures[some], self.velocity[:, some], self.denoised[:, some], seeds)


class Drawn(NamedTuple):
    """Pictures under the lock."""

    pictures: np.ndarray
    """(n, 128, 128, 3) bytes, decoded from the locked latents"""
    composites: np.ndarray
    """the same with the reference's own pixels outside the grown masks"""
    masks: Tensor
    """(n, h, w)"""


class StepKeeper:
    """A step of a host's sampler that changes nothing and keeps what the lock needs of it."""

    def __init__(self) -> None:
        self.velocity: list[Tensor] = []
        self.denoised: list[Tensor] = []

    def __call__(self, sigma: float, x: Tensor, velocity: Tensor) -> Tensor:
        self.velocity.append(velocity)
        self.denoised.append(x - sigma * velocity)
        return velocity


class Prober:
    """A step of a host's sampler that stays on a recorded run, and keeps where an edit would leave it."""

    def __init__(self, config: LockConfig, velocity: Tensor, denoised: Tensor) -> None:
        """Take the recorded run's velocities and denoised latents (steps, n, C, h, w)."""
        self._velocity, self._denoised, self.masks = velocity, denoised, list[Tensor]()
        self._mask = lock.Growing(config, lock.start(velocity[0]))

    def __call__(self, sigma: float, x: Tensor, velocity: Tensor) -> Tensor:
        done = len(self.masks)
        self.masks.append(self._mask(x - sigma * velocity, self._denoised[done]))
        return self._velocity[done]


class Holder:
    """A step of a host's sampler that is held to a recorded run outside a mask."""

    def __init__(
        self, config: LockConfig, velocity: Sequence[Tensor] | Tensor, denoised: Sequence[Tensor] | Tensor,
        masks: Tensor | None = None,
    ) -> None:  # fmt: skip
        """Take the recorded run, and the masks (steps, n, h, w) of several edits; without them the mask grows."""
        self._velocity, self._denoised, self._done = velocity, denoised, 0
        begin = lock.start(velocity[0])
        self.mask: lock.Mask = lock.Growing(config, begin) if masks is None else lock.Known(masks, begin)

    def __call__(self, sigma: float, x: Tensor, velocity: Tensor) -> Tensor:
        done, self._done = self._done, self._done + 1
        mask = self.mask(x - sigma * velocity, self._denoised[done])
        return lock.blend(mask, velocity, self._velocity[done])


def reference(
    draw: Draw, conds: Sequence[Tensor], pooled: Sequence[Tensor], seeds: Sequence[int],
    progress: Progress | None = None,
) -> Reference:  # fmt: skip
    """Draw unedited pictures as the host does alone, to the bit, and keep their steps."""
    made: dict[tuple[int, ...], StepKeeper] = {}  # indices of the pictures of a batch → its steps

    def step(indices: list[int]) -> StepKeeper:
        return made.setdefault(tuple(indices), StepKeeper())

    pictures = draw(conds, pooled, seeds, progress=progress, step=step)
    order = torch.tensor(list(chain.from_iterable(made))).argsort()
    velocity = torch.cat([torch.stack(one.velocity) for one in made.values()], 1)
    denoised = torch.cat([torch.stack(one.denoised) for one in made.values()], 1)
    return Reference(pictures, velocity[:, order], denoised[:, order], tuple(seeds))


def masks_of_each(
    draw: Draw, conds: Sequence[Tensor], pooled: Sequence[Tensor], references: Reference, config: LockConfig
) -> Tensor:
    """Return where each of some edits may show (steps, n, h, w), from the references' own steps.

    Args:
        conds: (L, width) each, of one edit alone.
        pooled: (P,) each.
        references: as many, of the unedited conditionings.
    """
    made: dict[tuple[int, ...], Prober] = {}

    def step(indices: list[int]) -> Prober:
        return made.setdefault(
            tuple(indices), Prober(config, references.velocity[:, indices], references.denoised[:, indices])
        )

    draw(conds, pooled, references.seeds, step=step)
    order = torch.tensor(list(chain.from_iterable(made))).argsort()
    return torch.cat([torch.stack(one.masks) for one in made.values()], 1)[:, order]


def hold(
    draw: Draw, conds: Sequence[Tensor], pooled: Sequence[Tensor], references: Reference, config: LockConfig, *,
    alone: Sequence[Sequence[tuple[Tensor, Tensor]]] = (), reach: int = 2, progress: Progress | None = None,
) -> Drawn:  # fmt: skip
    """Draw edited conditionings with the references' seeds, held to them outside their masks.

    Args:
        conds: (L, width) each.
        pooled: (P,) each.
        references: as many, of the unedited conditionings.
        alone: of several edits, edit by edit, (cond, pooled) of every picture with that edit alone: then each has a
            mask of its own.
        reach: of the composites, see ``lock.composite``.
        progress: called with (pictures done, pictures).
    """
    each = []
    for some in alone:
        rows, vectors = zip(*some, strict=True)
        each.append(masks_of_each(draw, rows, vectors, references, config))
    known = torch.stack(each).any(0) if each else None
    held: dict[tuple[int, ...], Holder] = {}

    def step(indices: list[int]) -> Holder:
        velocity, denoised = references.velocity[:, indices], references.denoised[:, indices]
        own = None if known is None else known[:, indices]
        return held.setdefault(tuple(indices), Holder(config, velocity, denoised, own))

    pictures = draw(conds, pooled, references.seeds, progress=progress, step=step)
    masks = torch.zeros(len(conds), *references.velocity.shape[-2:], dtype=torch.bool)
    for indices, holder in held.items():
        masks[list(indices)] = holder.mask.now
    after, before = torch.from_numpy(pictures).float(), torch.from_numpy(references.pictures).float()
    composites = lock.composite(after, before, masks, reach=reach).round().byte().numpy()
    return Drawn(pictures, composites, masks)
