"""Listen to a MODEL while it is sampled: to the positive rows of the main pass, whatever else runs beside it.

The rows are found by ``following``. Samplers that call the model more than once a step tell a step's result right
behind the call that made it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, partial
from typing import Any

import torch
from einops import rearrange
from torch import Tensor

from ...supsae_core.capture.sampling import Sampling
from ...supsae_core.encoders.sites import Site
from ...supsae_core.host import Recorder, TextHost, Told
from . import sampling, transformer
from .attention import Joint, listening, masses
from .following import Call, followed, tagged
from .transformer import Options, Tap


class ComfyPictures:
    """A MODEL as a ``host.PictureHost``."""

    def __init__(self, model: Any, text: TextHost, sampler: str = "euler") -> None:
        """Take a model whose blocks can be recorded.

        Raises:
            ValueError: if it is of another family, or something of SupSAE is in it already.
        """
        self.depth, self.hidden = transformer.depth(model), transformer.width_of_streams(model)
        if any(str(key).startswith("supsae") for some in model.wrappers.values() for key in some):
            raise ValueError(
                "This model comes from Apply Edits, Concept Mixer or Lock, so what is captured would be edited "
                "already. Connect the model as it is before them."
            )
        self._model, self._text, self._sampler = model, text, sampler

    def sigmas(self, steps: int) -> tuple[float, ...]:
        return sampling.sigmas(self._model, self._how(steps, 1.0))

    def sample(
        self, prompts: Sequence[tuple[Tensor, Tensor]], seeds: Sequence[int], how: Sampling, recorder: Recorder,
        told: Told | None = None,
    ) -> None:  # fmt: skip
        positive = [torch.stack(rows) for rows in zip(*prompts, strict=True)]
        latent = sampling.empty_latent(how.width, how.height, self._model)
        noise = torch.cat([sampling.noise_of(latent, seed) for seed in seeds])

        def step(done: int, denoised: Tensor) -> None:
            recorder.step()
            if told:
                told(done, denoised)

        entries, negative = ([[cond, {"pooled_output": pooled}]] for cond, pooled in (positive, self._negative))
        model = followed(self._model, partial(hear, recorder, positive[0].shape[1], self.depth))
        settings = self._how(how.steps, how.cfg)
        sampling.sample(model, tagged(entries, [True]), negative, noise, settings, seeds[0], step)

    @cached_property
    def _negative(self) -> list[Tensor]:
        """The empty prompt, encoded once: the text encoders need not come back between batches."""
        return [torch.stack(rows) for rows in self._text.encode([""])]

    def _how(self, steps: int, cfg: float) -> sampling.SamplerSettings:
        return sampling.SamplerSettings(steps, cfg, self._sampler)


def hear(recorder: Recorder, length: int, depth: int, call: Call) -> Tensor:
    """Make a call of the model of ``depth`` blocks in which the recorder hears the rows of the one tagged entry.

    Its prompts have ``length`` rows; ComfyUI repeats them where the negative has another number.
    """
    (own,) = call.own
    return call.run(options=_HeardCall(recorder, own.rows, length).tapped(call, depth))


class _HeardCall:
    """One call of the model: the taps on its blocks, and the attention heard on the way."""

    def __init__(self, recorder: Recorder, own: slice, length: int) -> None:
        self._recorder, self._own, self._length = recorder, own, length
        self._tokens: dict[int, Tensor] = {}
        self._attention: dict[int, Tensor] = {}

    def tapped(self, call: Call, depth: int) -> Options:
        """Return the call's options with the recorder's sites tapped."""
        sites = self._recorder.sites
        blocks = {site.block for site in sites if site.block is not None and site.block < depth}
        enter = {block: self._enter(block) for block in blocks}
        images = [site.block for site in sites if site.kind == "img" and site.block is not None]
        leave = {min(block, depth - 1): self._leave(min(block, depth - 1), depth) for block in images}
        options = transformer.tapped(call.options, call.blocks, enter, leave)
        return options if self._recorder.attended is None else listening(options, call.blocks, leave, self._attend)

    def _enter(self, block: int) -> Tap:
        text, image = Site("txt", block), Site("img", block)

        def tap(args: dict[str, Any]) -> dict[str, Any]:
            if text in self._recorder.sites:
                self._hear(text, self._kept(args["txt"])[:, : self._length])
            if image in self._recorder.sites:
                self._tokens[block] = self._kept(args["img"])
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
                self._hear(last, self._kept(made["img"]), attention)
            return made

        return tap

    def _hear(self, site: Site, rows: Tensor, attention: Tensor | None = None) -> None:
        with transformer.long_lived():
            self._recorder.hear(site, rows, attention)

    def _kept(self, stream: Tensor) -> Tensor:
        """Return a copy of our rows of a stream: a block may write to what it gets."""
        with transformer.long_lived():
            return stream[self._own].clone()

    def _attend(self, block: int, joint: Joint) -> None:
        groups = self._recorder.attended
        assert groups is not None
        q, k = joint.q[self._own], joint.k[self._own]
        found: list[Tensor] = []
        for i, some in enumerate(groups):
            heard = masses(joint.attention, q[i : i + 1], k[i : i + 1], joint.heads, some, joint.text_rows)
            found.append(rearrange(heard, "1 token group -> group token"))
        padded = torch.nn.utils.rnn.pad_sequence(found, batch_first=True)
        self._attention[block] = rearrange(padded, "b group token -> b token group")
