"""The door to ComfyUI's MODEL: its blocks, taps on them that compose with other packs' patches, and sampling."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import comfy.model_base
import comfy.model_management
import comfy.sample
import comfy.samplers
import comfy.utils
import latent_preview
import torch
from torch import Tensor

Tap = Callable[[dict[str, Any]], dict[str, Any]]
"""Before a block: its arguments {img, txt, vec, transformer_options} → the same; behind it: its result {img, txt} → the
same. ``txt`` is None behind the last block. What came in is never written to."""
Options = dict[str, Any]
"""ComfyUI's ``transformer_options`` of one call of the model."""


class Taps(NamedTuple):
    """What listens or speaks at which block, in one call of the model."""

    enter: Mapping[int, Tap]
    leave: Mapping[int, Tap]


def require_sd3(model: Any) -> Any:
    """Return the diffusion model (MMDiT) behind a MODEL.

    Raises:
        ValueError: if it is of another family.
    """
    if not isinstance(model.model, comfy.model_base.SD3):
        raise ValueError(
            f"This model is {type(model.model).__name__}. SupSAE edits the blocks of Stable Diffusion 3 and 3.5 and of "
            "Portraits; for others use Apply to Conditioning where a dictionary fits."
        )
    return model.model.diffusion_model


def depth(model: Any) -> int:
    """Return the number of joint blocks of a MODEL of the SD3 family."""
    return len(require_sd3(model).joint_blocks)


def is_changed(model: Any) -> bool:
    """Return whether something was patched into a MODEL since its loader made it."""
    wrapped = any(model.wrappers.values())
    return bool(wrapped or model.patches or model.object_patches or any(model.model_options.values()))


def tapped(options: Options, taps: Taps) -> Options:
    """Return a copy of one call's options with taps around whatever stands on the blocks in this very call.

    Installed from an APPLY_MODEL wrapper, so that it composes with other packs' patches in either node order.
    """
    replace = options.get("patches_replace", {})
    blocks = replace.get("dit", {})
    mine = {
        ("double_block", i): _Tapped(blocks.get(("double_block", i)), taps.enter.get(i), taps.leave.get(i))
        for i in {*taps.enter, *taps.leave}
    }
    return {**options, "patches_replace": {**replace, "dit": {**blocks, **mine}}}


class _Tapped:
    """A block with taps; lives for one call of the model."""

    def __init__(self, earlier: Callable[..., dict] | None, enter: Tap | None, leave: Tap | None) -> None:
        self._earlier, self._enter, self._leave = earlier, enter, leave

    def __call__(self, args: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
        if self._enter:
            args = self._enter(args)
        made = self._earlier(args, extra) if self._earlier else extra["original_block"](args)
        return self._leave(made) if self._leave else made


SAMPLERS, SCHEDULERS = comfy.samplers.KSampler.SAMPLERS, comfy.samplers.KSampler.SCHEDULERS
"""Names that KSampler offers."""


def long_lived() -> AbstractContextManager[Any]:
    """Return a context for copies made in a block and kept beyond it: ComfyUI from 0.34 on replays allocations."""
    pause = getattr(sys.modules.get("comfy.model_prefetch"), "pause_malloc_graph", None)
    return nullcontext() if pause is None else pause()


class Sampling(NamedTuple):
    """How pictures are sampled."""

    steps: int
    cfg: float
    sampler: str = "euler"
    scheduler: str = "simple"


def empty_latent(width: int, height: int) -> Tensor:
    """Return the empty latent (1, 16, height / 8, width / 8) of an SD3 model.

    Raises:
        ValueError: if a side is no multiple of 16 pixels.
    """
    if width % 16 or height % 16:
        raise ValueError(f"A picture of {width} × {height} does not fit SD3. Width and height are multiples of 16.")
    return torch.zeros(1, 16, height // 8, width // 8)


def noise_of(latent: Tensor, seed: int) -> Tensor:
    """Return the noise KSampler draws for a latent of one picture and a seed."""
    return comfy.sample.prepare_noise(latent, seed)


def noise_like(model: Any, latent: dict[str, Any], seed: int) -> Tensor:
    """Return the noise (B, C, h, w) KSampler draws for a LATENT."""
    samples = comfy.sample.fix_empty_latent_channels(model, latent["samples"])
    return comfy.sample.prepare_noise(samples, seed, latent.get("batch_index"))


def sigmas(model: Any, sampling: Sampling) -> tuple[float, ...]:
    """Return the noise level of every step, without the 0 behind the last."""
    table = model.get_model_object("model_sampling")
    return tuple(comfy.samplers.calculate_sigmas(table, sampling.scheduler, sampling.steps)[:-1].tolist())


def to_sigma(model: Any) -> Callable[[float], float]:
    """Return a MODEL's map from percentage of sampling to noise level."""
    return model.get_model_object("model_sampling").percent_to_sigma


def sample(
    model: Any,
    positive: list,
    negative: list,
    noise: Tensor,
    sampling: Sampling,
    seed: int,
    told: Callable[[int, Tensor], None] | None = None,
) -> Tensor:
    """Sample latents as KSampler does, from an empty latent.

    Args:
        model: a MODEL with whatever is patched into it.
        positive: CONDITIONING.
        negative: CONDITIONING.
        noise: (B, 16, h, w).
        sampling: steps and the rest.
        seed: for samplers that draw more noise.
        told: called after every step with (steps done, denoised latents so far); may raise to interrupt.
    """
    callback = (lambda step, x0, _x, _total: told(step + 1, x0)) if told else None
    return comfy.sample.sample(
        model, noise, sampling.steps, sampling.cfg, sampling.sampler, sampling.scheduler, positive, negative,
        torch.zeros_like(noise), callback=callback, disable_pbar=not comfy.utils.PROGRESS_BAR_ENABLED, seed=seed,
    )  # fmt: skip


def previewed_progress(model: Any, total: int) -> Callable[[int, Tensor | None], None]:
    """Return a callback (steps done, denoised latents or None) for many samplings in a row.

    It moves the node's progress bar with a preview picture and heeds the stop button.
    """
    bar = comfy.utils.ProgressBar(total)
    previewer = latent_preview.get_previewer(model.load_device, model.model.latent_format)

    def tell(done: int, denoised: Tensor | None = None) -> None:
        comfy.model_management.throw_exception_if_processing_interrupted()
        show = previewer is not None and denoised is not None
        bar.update_absolute(done, total, previewer.decode_latent_to_preview_image("JPEG", denoised) if show else None)

    return tell
