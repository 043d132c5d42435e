"""One call of the sampler for a denoised latent: recorded in the run without edits, held to it in the run with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from torch import Tensor

from ...supsae_core import lock
from ...supsae_core.lock import Mask

KEY = "supsae_lock"
"""Of the lock's wrappers, and in a guider's options of the ``Recording`` or ``Holding`` of the run in progress."""
HOOKS = "sampler_post_cfg_function"
"""In ComfyUI's options: what runs behind the guidance, the model's hooks first and the sampler's own after them."""
HEARD = ("cond_denoised", "uncond_denoised")
"""What a sampler's hook reads besides the guided result; CFG++ samplers step by it."""

Heard = dict[str, Tensor]


class LockedCall(NamedTuple):
    """What a call was given and gave; tensors (B, C, h, w) on the CPU."""

    sigma: float
    x: Tensor
    x0: Tensor
    heard: Heard


class Recording:
    """Listens to the run without edits."""

    def __init__(self) -> None:
        self.calls: list[LockedCall] = []

    def enter(self, x: Tensor, sigma: float) -> Tensor:
        """Return what the model is given."""
        self._given = sigma, _kept(x)
        return x

    def leave(self, x0: Tensor, heard: Heard) -> tuple[Tensor, Heard]:
        """Return what the sampler is given."""
        self.calls.append(LockedCall(*self._given, _kept(x0), {name: _kept(one) for name, one in heard.items()}))
        return x0, heard


class Following:
    """Goes along a recorded run call by call."""

    def __init__(self, mask: Mask, calls: Sequence[LockedCall], sampler: str) -> None:
        self.mask, self._left, self._sampler = mask, list(reversed(calls)), sampler

    def next(self, sigma: float) -> LockedCall:
        """Return the recorded call of a noise level.

        Raises:
            NotInStepError: if the sampler asks for another noise level than in the recorded run.
        """
        if not self._left or self._left[-1].sigma != sigma:
            raise NotInStepError(self._sampler)
        self._call = self._left.pop()
        return self._call

    def close(self) -> None:
        """Raise ``NotInStepError`` if the recorded run had more calls."""
        if self._left:
            raise NotInStepError(self._sampler)


class Holding(Following):
    """Holds the run with edits to the recorded one outside a mask."""

    def enter(self, x: Tensor, sigma: float) -> Tensor:
        """Return what the model is given."""
        return lock.blend(self.mask.now, x, self.next(sigma).x.to(x))

    def leave(self, x0: Tensor, heard: Heard) -> tuple[Tensor, Heard]:
        """Return what the sampler is given."""
        reference, before = self._call.x0.to(x0), self._call.heard
        mask = self.mask(x0, reference)
        return lock.blend(mask, x0, reference), {
            name: lock.blend(mask, one, before[name].to(one)) for name, one in heard.items()
        }


class Probing(Following):
    """Stays on the recorded run, and keeps where one edit alone would leave it."""

    def __init__(self, mask: Mask, calls: Sequence[LockedCall], sampler: str) -> None:
        super().__init__(mask, calls, sampler)
        self.masks: list[Tensor] = []

    def enter(self, x: Tensor, sigma: float) -> Tensor:
        """Return what the model is given."""
        return self.next(sigma).x.to(x)

    def leave(self, x0: Tensor, heard: Heard) -> tuple[Tensor, Heard]:
        """Return what the sampler is given."""
        reference, before = self._call.x0.to(x0), self._call.heard
        self.masks.append(self.mask(x0, reference))
        return reference, {name: before[name].to(one) for name, one in heard.items()}


class NotInStepError(ValueError):
    """The sampler chose other steps than in the recorded run."""

    def __init__(self, sampler: str) -> None:
        super().__init__(
            f"The sampler {sampler} chooses its steps by the picture, so the run with the edit cannot "
            "follow the one without it. Choose a sampler that is not adaptive, or remove the Lock."
        )


def predict_noise(
    executor: Any, x: Tensor, timestep: Tensor, model_options: dict | None = None, seed: int | None = None
) -> Tensor:
    """Be ComfyUI's PREDICT_NOISE wrapper: pass what goes in and out through the run's recording or holding."""
    guider, options = executor.class_obj, model_options or {}
    run: Recording | Holding | Probing | None = guider.model_options.get(KEY)
    if run is None:
        return executor(x, timestep, options, seed)
    own = guider.model_options.get(HOOKS, [])
    late = [hook for hook in options.get(HOOKS, []) if hook not in own]
    told: dict[str, Any] = {}

    def listen(args: dict[str, Any]) -> Tensor:
        told.update(args)
        return args["denoised"]

    x = run.enter(x, float(timestep[0]))
    # The sampler's own hooks run after the lock, so that what they hear is held as well.
    x0 = executor(x, timestep, {**options, HOOKS: [*own, listen]} if late else options, seed)
    x0, heard = run.leave(x0, {name: told[name] for name in HEARD if isinstance(told.get(name), Tensor)})
    for hook in late if told else []:
        x0 = hook({**told, **heard, "denoised": x0})
    return x0


def _kept(tensor: Tensor) -> Tensor:
    """Return a copy on the CPU: samplers may write into what they are given."""
    return tensor.detach().to("cpu", copy=True)
