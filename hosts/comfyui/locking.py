"""Hold a picture to its reference: sample without this pack's edits, then with them, equal outside a growing mask.

Of several edits each is tried alone along the reference's run first, to learn where it may show.

Wrappers alone, no patch. What one run needs lies in the guider's options and is dropped at its end. The lock itself
keeps the newest reference, so that a moved slider does not sample it again, and the last results.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

from ...supsae_core import lock
from ...supsae_core.host import Progress
from ...supsae_core.lock import Growing, Known, LockConfig, State
from . import alone
from .alone import Alone, Conds
from .locked_calls import KEY, Holding, NotInStepError, Probing, predict_noise
from .locked_runs import Runs, Trajectory
from .run_key import run_key

RESULTS = 8
"""Results kept: several samplers may share one lock."""


class Through(NamedTuple):
    """What of one edit was let through."""

    name: str
    category: str
    share: float
    """of the picture, where it may show"""

    @classmethod
    def of(cls, edit: Alone, mask: Tensor) -> Self:
        """Take an edit and where it may show at last (B, h, w)."""
        return cls(edit.name, edit.category, float(mask.float().mean()))


class Result(NamedTuple):
    """What a locked run came to; on the CPU."""

    samples: Tensor
    reference: Tensor
    mask: Tensor
    """(B, h, w)"""
    told: tuple[Through, ...] = ()
    """of every edit; none where the edits cannot be told apart"""
    free: bool = False
    """whether nothing was to be held"""


class Lock:
    """What a Lock node gives out; lives as long as ComfyUI keeps that node's output."""

    def __init__(
        self, config: LockConfig, allowed: Tensor | None = None, progress: Callable[[], Progress] | None = None
    ) -> None:
        """Take what may change (B or 1, H, W), if not all, and what makes a progress bar for the reference's run."""
        self._config, self._allowed = config, allowed
        self._progress = progress or (lambda: lambda done, total: None)
        self._trajectory: Trajectory | None = None
        self._masks: dict[Any, list[Tensor]] = {}
        """run of one edit of several → its masks, call by call"""
        self._results: deque[Result] = deque(maxlen=RESULTS)

    def install(self, model: Any) -> Any:
        """Return a clone of a MODEL that is sampled under this lock, and under no other."""
        made = model.clone()
        for kind, wrapper in (("outer_sample", self._outer_sample), ("predict_noise", predict_noise)):
            made.remove_wrappers_with_key(kind, KEY)
            made.add_wrapper_with_key(kind, KEY, wrapper)
            # Outermost: what keeps state of a sampling, such as LazyCache, begins and ends anew for each of the two.
            made.wrappers[kind] = {KEY: made.wrappers[kind].pop(KEY), **made.wrappers[kind]}
        return made

    def result(self, samples: Tensor) -> Result:
        """Find what was sampled under this lock by its latent.

        Raises:
            ValueError: if none of the last results is this latent.
        """
        for one in reversed(self._results):
            if one.samples.shape == samples.shape and torch.equal(one.samples.to(samples), samples):
                return one
        raise ValueError(
            "This latent did not come out of a sampler with this Lock, or was changed since. Connect the sampler's own "
            "latent, and the lock of the Lock node in front of that sampler; if both are, change the seed once."
        )

    def _outer_sample(
        self, executor: Any, noise: Tensor, latent: Tensor, sampler: Any, sigmas: Tensor, mask: Tensor | None = None,
        callback: Callable | None = None, disable_pbar: bool = False, seed: int | None = None, **more: Any,
    ) -> Tensor:  # fmt: skip
        def run(callback: Callable | None) -> Tensor:
            # a copy, for uni_pc writes into its noise levels
            return executor(noise, latent, sampler, sigmas.clone(), mask, callback, disable_pbar, seed, **more)

        def key(conds: Conds) -> tuple:
            return run_key(guider, conds, sampler, noise, latent, sigmas, mask, seed)

        guider = executor.class_obj
        if not alone.changes(guider):
            samples = run(callback)
            return self._kept(Result(samples, samples, torch.zeros(len(noise), *noise.shape[-2:], dtype=torch.bool)))
        name, edited = require_lockable(sampler, noise), guider.conds
        plain, free = alone.reference_conds(edited), alone.is_free(guider)
        each = [] if free else alone.one_by_one(guider)
        asked = {(key(one.conds), one.key): one for one in each} if len(each) > 1 else {}
        self._forget(key(plain), asked)
        missing = [one for one in asked if one not in self._masks]
        runs = Runs(guider, run, (self._trajectory is None) + len(missing) + 1, self._progress)
        known = self._trajectory = self._trajectory or runs.recorded(plain, key(plain))
        begin = lock.start(noise.to(guider.model_patcher.load_device), self._allowed)
        for one in missing:
            probing = Probing(Growing(self._config, begin), known.calls, name)
            runs.along(known, asked[one].conds, probing, asked[one].options)
            self._masks[one] = probing.masks
        if free:
            return self._freed(known, runs.along(known, edited, callback=callback))
        shown = self._of_all(begin) if asked else Growing(self._config, begin)
        samples = runs.along(known, edited, Holding(shown, known.calls, name), callback=callback)
        told = [Through.of(edit, self._masks[one][-1]) for one, edit in asked.items()]
        return self._held(known, samples, shown.now, told or [Through.of(one, shown.now) for one in each])

    def _forget(self, key: tuple, asked: Collection[tuple]) -> None:
        """Drop what another run left; before a new reference, so that there are never two of them in memory."""
        if self._trajectory is not None and self._trajectory.key != key:
            self._trajectory, self._masks = None, {}
        self._masks = {one: self._masks[one] for one in asked if one in self._masks}

    def _of_all(self, begin: State) -> Known:
        """Return the masks of all edits together, call by call."""
        calls = zip(*self._masks.values(), strict=True)
        return Known([torch.stack(some).any(0) for some in calls], begin)

    def _held(self, known: Trajectory, samples: Tensor, mask: Tensor, told: Sequence[Through]) -> Tensor:
        """Return samples that are the reference's outside the mask, to the last bit."""
        reference, mask = known.samples.to(samples), mask.to(samples.device)
        return self._kept(Result(lock.blend(mask, samples, reference), reference, mask, tuple(told)))

    def _freed(self, known: Trajectory, samples: Tensor) -> Tensor:
        """Return samples of which nothing was held."""
        everywhere = torch.ones(len(samples), *samples.shape[-2:], dtype=torch.bool)
        return self._kept(Result(samples, known.samples.to(samples), everywhere, free=True))

    def _kept(self, result: Result) -> Tensor:
        """Keep a result for ``result`` and return its samples."""
        tensors = (one.to("cpu", copy=True) for one in (result.samples, result.reference, result.mask))
        self._results.append(Result(*tensors, told=result.told, free=result.free))
        return result.samples


def masks_of(mask: Tensor | None) -> Tensor | None:
    """Return a MASK, (H, W) or (B, H, W), with its batch."""
    return mask[None] if mask is not None and mask.ndim == 2 else mask


def require_lockable(sampler: Any, noise: Tensor) -> str:
    """Return the name of a sampler.

    Raises:
        ValueError: if it chooses its steps by the picture, or if what it samples is no picture.
    """
    name = getattr(getattr(sampler, "sampler_function", sampler), "__name__", type(sampler).__name__)
    if "adaptive" in name:
        raise NotInStepError(name.removesuffix("_function"))
    if noise.ndim != 4 and (noise.ndim != 5 or noise.shape[2] != 1):
        raise ValueError(
            f"The Lock holds pictures; a latent of the shape {tuple(noise.shape)} is none, but a film or a sound. "
            "Remove the Lock, or sample one frame."
        )
    return name.removeprefix("sample_")
