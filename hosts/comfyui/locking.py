"""Hold a picture to its reference: sample without this pack's edits, then with them, equal outside a growing mask.

Wrappers alone, no patch. What one run needs lies in the guider's options and is dropped at its end. The lock itself
keeps the newest reference, so that a moved slider does not sample it again, and the last results.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ...supsae_core import lock
from ...supsae_core.host import Progress
from ...supsae_core.lock import LockConfig
from . import steering
from .conditionings import COUNT, EDITED, REFERENCE
from .locked_calls import KEY, Holding, LockedCall, NotInStepError, Recording, predict_noise
from .run_key import run_key

RESULTS = 8
"""Results kept: several samplers may share one lock."""

Conds = dict[str, list[dict[str, Any]]]


class Trajectory(NamedTuple):
    """The run without edits; tensors on the CPU."""

    key: tuple
    chance: list[Tensor]
    """state of the random numbers that it began with"""
    calls: list[LockedCall]
    samples: Tensor


class Result(NamedTuple):
    """What a locked run came to; on the CPU."""

    samples: Tensor
    reference: Tensor
    mask: Tensor
    """(B, h, w)"""


class Lock:
    """What a Lock node gives out; lives as long as ComfyUI keeps that node's output."""

    def __init__(
        self, config: LockConfig, allowed: Tensor | None = None, progress: Callable[[], Progress] | None = None
    ) -> None:
        """Take what may change (B or 1, H, W), if not all, and what makes a progress bar for the reference's run."""
        self._config, self._allowed = config, allowed
        self._progress = progress or (lambda: lambda done, total: None)
        self._trajectory: Trajectory | None = None
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

        guider = executor.class_obj
        if not changes(guider):
            samples = run(callback)
            return self._kept(samples, samples, torch.zeros(len(noise), *noise.shape[2:], dtype=torch.bool))
        name = require_lockable(sampler, noise)
        start = lock.start(noise.to(guider.model_patcher.load_device), self._allowed)
        edited, conds = guider.conds, reference_conds(guider.conds)
        key = run_key(guider, conds, sampler, noise, latent, sigmas, mask, seed)
        if self._trajectory is None or self._trajectory.key != key:
            self._trajectory = None  # never two of them in memory
            guider.conds = conds
            self._trajectory = self._reference(guider, key, run)
            callback = callback and _second_half(callback)
        guider.conds = edited
        config = self._config.for_edits(edits_at_once(guider))
        holding = Holding(config, start, self._trajectory.calls, name)
        return self._held(guider, self._trajectory, holding, lambda: run(callback))

    def _reference(self, guider: Any, key: tuple, run: Callable[[Callable], Tensor]) -> Trajectory:
        """Sample without edits; the bar moves through its first half."""
        chance = [generator.get_rng_state() for generator in _generators(guider)]
        recording, tell = Recording(), self._progress()
        options = guider.model_options.setdefault("transformer_options", {})
        with _set(options, REFERENCE, True), _set(guider.model_options, KEY, recording):
            samples = run(lambda step, x0, x, total: tell((step + 1) // 2, total))
        return Trajectory(key, chance, recording.calls, samples.to("cpu", copy=True))

    def _held(self, guider: Any, known: Trajectory, holding: Holding, run: Callable[[], Tensor]) -> Tensor:
        """Sample with edits, from the same random numbers."""
        for generator, state in zip(_generators(guider), known.chance, strict=True):
            generator.set_rng_state(state)
        with _set(guider.model_options, KEY, holding):
            samples = run()
        holding.close()
        reference, mask = known.samples.to(samples), holding.state.mask.to(samples.device)
        return self._kept(lock.blend(mask, samples, reference), reference, mask)

    def _kept(self, samples: Tensor, reference: Tensor, mask: Tensor) -> Tensor:
        """Keep a result for ``result`` and return its samples."""
        self._results.append(Result(*(one.to("cpu", copy=True) for one in (samples, reference, mask))))
        return samples


def masks_of(mask: Tensor | None) -> Tensor | None:
    """Return a MASK, (H, W) or (B, H, W), with its batch."""
    return mask[None] if mask is not None and mask.ndim == 2 else mask


def changes(guider: Any) -> bool:
    """Tell whether a run has an edit at all: in a conditioning, or on the model."""
    wrappers = guider.model_options.get("transformer_options", {}).get("wrappers", {})
    steered = any(wrappers.get(kind, {}).get(steering.KEY) for kind in wrappers)
    return steered or any(REFERENCE in entry for entries in guider.conds.values() for entry in entries)


def edits_at_once(guider: Any) -> int:
    """Return how many edits a run makes: in the entry of a conditioning that has the most, and on the model."""
    made = max((entry.get(COUNT, 0) for entries in guider.conds.values() for entry in entries), default=0)
    return made + sum(len(one.edits) for one in guider.model_patcher.get_attachment(steering.KEY) or ())


def require_lockable(sampler: Any, noise: Tensor) -> str:
    """Return the name of a sampler.

    Raises:
        ValueError: if it chooses its steps by the picture, or if what it samples is no picture.
    """
    name = getattr(getattr(sampler, "sampler_function", sampler), "__name__", type(sampler).__name__)
    if "adaptive" in name:
        raise NotInStepError(name.removesuffix("_function"))
    if noise.ndim != 4:
        raise ValueError(f"The Lock holds pictures; a latent of {noise.ndim} dimensions is none. Remove the Lock.")
    return name.removeprefix("sample_")


def reference_conds(conds: Mapping[str, list[dict[str, Any]]]) -> Conds:
    """Return conditionings as they were before Apply Edits, for a run of their own.

    Raises:
        ValueError: if a node changed the edited rows since, so that what they would be without the edit is not known.
    """
    return {name: [_unedited(entry) for entry in entries] for name, entries in conds.items()}


def _unedited(entry: dict[str, Any]) -> dict[str, Any]:
    kept, edited, rows = entry.get(REFERENCE), entry.get(EDITED), entry.get("cross_attn")
    if kept is None:
        return {**entry}
    same = isinstance(rows, Tensor) and isinstance(edited, Tensor) and torch.equal(rows, edited)
    if rows is not edited and not same:
        raise ValueError(
            "A conditioning was joined, averaged or otherwise changed behind Apply Edits, so the Lock cannot "
            "tell what it says without the edit. Remove that node, or connect the model to Apply Edits instead."
        )
    return {**entry, **kept}


def _second_half(callback: Callable) -> Callable:
    """The bar goes on where the reference's run left it, and keeps its length for callbacks that count steps."""
    return lambda step, x0, x, total: callback((total + step) // 2, x0, x, total)


def _generators(guider: Any) -> list[Any]:
    """Return what holds the random numbers that a sampler without a seed draws from: the CPU's, and the device's."""
    kind = guider.model_patcher.load_device.type
    device = None if kind == "cpu" else getattr(torch, kind, None)
    return [torch.random, *([device] if hasattr(device, "get_rng_state") else [])]


@contextmanager
def _set(options: dict[str, Any], key: str, value: Any) -> Iterator[None]:
    options[key] = value
    try:
        yield
    finally:
        del options[key]
