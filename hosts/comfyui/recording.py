"""Listen to a MODEL while it is sampled: to the positive rows of the main pass, whatever else runs beside it.

The main pass is the first CALC_COND_BATCH inside a PREDICT_NOISE: skip-layer guidance and its kin run another one
behind it. Samplers that call the model more than once a step tell a step's result right behind the call that made it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ...supsae_core.capture.sampling import Sampling
from ...supsae_core.encoders.sites import Site
from ...supsae_core.host import Recorder, TextHost, Told
from . import comfy_model
from .attention import Joint, listening, masses
from .comfy_model import Options, Tap, Taps

KEY = "supsae_recording"
"""Of our wrappers, and in ``transformer_options`` the mark of the main pass."""


class ComfyPictures:
    """A MODEL as a ``training.recording.PictureHost``."""

    def __init__(self, model: Any, text: TextHost, sampler: str = "euler") -> None:
        """Take a model of the SD3 family.

        Raises:
            ValueError: if it is of another family, or something of SupSAE is in it already.
        """
        self.depth = comfy_model.depth(model)
        self.hidden = int(comfy_model.require_sd3(model).hidden_size)
        if any(str(key).startswith("supsae") for some in model.wrappers.values() for key in some):
            raise ValueError(
                "This model comes from Apply to Model or Lock, so what is captured would be edited already. Connect "
                "the model as it is before them."
            )
        self._model, self._text, self._sampler = model, text, sampler

    def sigmas(self, steps: int) -> tuple[float, ...]:
        return comfy_model.sigmas(self._model, self._how(steps, 1.0))

    def sample(
        self,
        prompts: Sequence[tuple[Tensor, Tensor]],
        seeds: Sequence[int],
        how: Sampling,
        recorder: Recorder,
        told: Told | None = None,
    ) -> None:
        positive = [torch.stack(rows) for rows in zip(*prompts, strict=True)]
        latent = comfy_model.empty_latent(how.width, how.height)
        noise = torch.cat([comfy_model.noise_of(latent, seed) for seed in seeds])

        def step(done: int, denoised: Tensor) -> None:
            recorder.step()
            if told:
                told(done, denoised)

        comfy_model.sample(
            tapped_model(self._model, recorder, positive[0].shape[1]),
            *([[cond, {"pooled_output": pooled}]] for cond, pooled in (positive, self._negative)),
            noise, self._how(how.steps, how.cfg), seeds[0], step,
        )  # fmt: skip

    @cached_property
    def _negative(self) -> list[Tensor]:
        """The empty prompt, encoded once: the text encoders need not come back between batches."""
        return [torch.stack(rows) for rows in self._text.encode([""])]

    def _how(self, steps: int, cfg: float) -> comfy_model.Sampling:
        return comfy_model.Sampling(steps, cfg, self._sampler)


def tapped_model(model: Any, recorder: Recorder, length: int) -> Any:
    """Return a clone of a MODEL, for one sampling, whose main pass on the positive prompts is heard.

    Args:
        model: what to listen to.
        recorder: hears.
        length: rows of the positive prompts; ComfyUI repeats them where the negative has another number.
    """
    made, ears = model.clone(), _Ears(recorder, length, comfy_model.depth(model))
    for kind in ("predict_noise", "calc_cond_batch", "apply_model"):
        made.add_wrapper_with_key(kind, KEY, getattr(ears, kind))
    return made


class _Ears:
    """The wrappers of one sampling and what they share; made when it starts, dropped with its clone of the model."""

    def __init__(self, recorder: Recorder, length: int, depth: int) -> None:
        self._recorder, self._length, self._depth = recorder, length, depth
        self._first = False

    def predict_noise(self, executor: Any, *args: Any, **kwargs: Any) -> Any:
        self._first = True
        return executor(*args, **kwargs)

    def calc_cond_batch(
        self, executor: Any, model: Any, conds: Any, x: Tensor, t: Tensor, options: Mapping[str, Any], *args: Any
    ) -> Any:
        if self._first:
            self._first = False
            options = {**options, "transformer_options": {**options.get("transformer_options", {}), KEY: True}}
        return executor(model, conds, x, t, options, *args)

    def apply_model(
        self, executor: Any, x: Tensor, t: Tensor, c_concat: Any = None, c_crossattn: Any = None, control: Any = None,
        transformer_options: Options | None = None, **kwargs: Any,
    ) -> Any:  # fmt: skip
        options = transformer_options or {}
        if options.get(KEY) and 0 in options["cond_or_uncond"]:
            transformer_options = self._tapped(options, len(x))
        return executor(x, t, c_concat, c_crossattn, control, transformer_options, **kwargs)

    def _tapped(self, options: Options, rows: int) -> Options:
        chunks = options["cond_or_uncond"]
        size, place = rows // len(chunks), chunks.index(0)
        return _Call(self._recorder, slice(place * size, (place + 1) * size), self._length).tapped(options, self._depth)


class _Call:
    """One call of the model: the taps on its blocks, and the attention heard on the way."""

    def __init__(self, recorder: Recorder, own: slice, length: int) -> None:
        self._recorder, self._own, self._length = recorder, own, length
        self._tokens: dict[int, Tensor] = {}
        self._attention: dict[int, Tensor] = {}

    def tapped(self, options: Options, depth: int) -> Options:
        """Return the call's options with the recorder's sites tapped."""
        sites = self._recorder.sites
        blocks = {site.block for site in sites if site.block is not None and site.block < depth}
        enter = {block: self._enter(block) for block in blocks}
        images = [site.block for site in sites if site.kind == "img" and site.block is not None]
        leave = {min(block, depth - 1): self._leave(min(block, depth - 1), depth) for block in images}
        tapped = comfy_model.tapped(options, Taps(enter, leave))
        return tapped if self._recorder.attended is None else listening(tapped, leave, self._attend)

    def _enter(self, block: int) -> Tap:
        text, image = Site("txt", block), Site("img", block)

        def tap(args: dict[str, Any]) -> dict[str, Any]:
            if text in self._recorder.sites:
                self._hear(text, args["txt"][self._own, : self._length])
            if image in self._recorder.sites:
                self._tokens[block] = args["img"][self._own]
            return args

        return tap

    def _leave(self, block: int, depth: int) -> Tap:
        """Hear the image stream that entered the block, whose attention is known now, and the one behind the last."""
        last = Site("img", depth) if block == depth - 1 else None

        def tap(made: dict[str, Any]) -> dict[str, Any]:
            attention = self._attention.get(block)
            if block in self._tokens:
                self._hear(Site("img", block), self._tokens.pop(block), attention)
            if last in self._recorder.sites:
                self._hear(last, made["img"][self._own], attention)
            return made

        return tap

    def _hear(self, site: Site, rows: Tensor, attention: Tensor | None = None) -> None:
        with comfy_model.long_lived():
            self._recorder.hear(site, rows, attention)

    def _attend(self, block: int, joint: Joint) -> None:
        groups = self._recorder.attended
        assert groups is not None
        q, k = joint.q[self._own], joint.k[self._own]
        found = [
            masses(joint.attention, q[i : i + 1], k[i : i + 1], joint.heads, some, joint.text_rows)[0].T
            for i, some in enumerate(groups)
        ]
        self._attention[block] = torch.nn.utils.rnn.pad_sequence(found, batch_first=True).transpose(1, 2)
