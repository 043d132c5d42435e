"""Listen to a transformer of diffusers while it is sampled: forward hooks on its blocks, removed when it is done."""

# diffusers' lazy package marks no name as exported.
# pyright: reportPrivateImportUsage=false

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from diffusers import SD3Transformer2DModel
from einops import rearrange, reduce, repeat
from torch import Tensor, nn
from torch.nn import functional as F

from ...supsae_core.capture.sampling import Sampling
from ...supsae_core.encoders.sites import Site
from ...supsae_core.host import Recorder, Told
from ..models import ModelFamily, family_in_diffusers
from .transformer import initial_noise, noise_levels, sample_latents

Negative = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Conditioning (L, width) → the empty prompt's (1, L, width) and (1, P), in as many rows."""


class DiffusersPictures:
    """A transformer of SD3's family, so Portraits' too, as a ``host.PictureHost``."""

    def __init__(self, transformer: SD3Transformer2DModel, negative: Negative) -> None:
        self._transformer, self._negative = transformer, negative
        self._family = family_in_diffusers(transformer)
        blocks = getattr(transformer, self._family.diffusers_blocks)
        self.depth, self.hidden = len(blocks), int(transformer.inner_dim)

    def sigmas(self, steps: int) -> tuple[float, ...]:
        return noise_levels(steps)

    def sample(
        self, prompts: Sequence[tuple[Tensor, Tensor]], seeds: Sequence[int], how: Sampling, recorder: Recorder,
        told: Told | None = None,
    ) -> None:  # fmt: skip
        device = self._transformer.device
        cond, pooled = (torch.stack(rows).to(device) for rows in zip(*prompts, strict=True))
        empty, nothing = (one.to(device) for one in self._negative(prompts[0][0]))
        height, width = (side // self._family.cell for side in (how.height, how.width))
        noise = initial_noise(seeds, height, width=width).to(device)

        def step(done: int, _: int) -> None:
            recorder.step()
            if told:
                told(done, None)

        with listening(self._transformer, recorder, len(prompts)):
            sample_latents(
                self._transformer, cond, pooled, (empty, nothing), noise, steps=how.steps, cfg=how.cfg, progress=step
            )


@contextmanager
def listening(transformer: nn.Module, recorder: Recorder, prompts: int) -> Iterator[None]:
    """Let a recorder hear the first ``prompts`` rows of every call of the model; those behind are the negative's."""
    family = family_in_diffusers(transformer)
    blocks = getattr(transformer, family.diffusers_blocks)
    assert isinstance(blocks, nn.ModuleList)
    ears = [_Ear(recorder, family, number, number == len(blocks) - 1, prompts) for number in range(len(blocks))]
    handles = []
    try:
        for block, ear in zip(blocks, ears, strict=True):
            handles += [
                block.register_forward_pre_hook(ear.enter, with_kwargs=True),
                block.attn.register_forward_pre_hook(ear.attend, with_kwargs=True),  # type: ignore[union-attr]
                block.register_forward_hook(ear.leave),
            ]
        yield
    finally:
        for handle in handles:
            handle.remove()


class _Ear:
    """What listens at one block, for one sampling."""

    def __init__(self, recorder: Recorder, family: ModelFamily, block: int, last: bool, prompts: int) -> None:
        self._recorder, self._prompts, self._streams = recorder, prompts, family.streams
        self._text, self._image = (Site(kind, block) in recorder.sites for kind in ("txt", "img"))
        self._out = last and Site("img", block + 1) in recorder.sites
        self._block = block
        self._tokens: Tensor | None = None
        self._attention: Tensor | None = None

    def enter(self, _: nn.Module, args: tuple, named: dict[str, Any]) -> None:
        if self._text:
            self._recorder.hear(Site("txt", self._block), named[self._streams["txt"]][: self._prompts])
        if self._image:
            self._tokens = named[self._streams["img"]][: self._prompts]

    def attend(self, attn: nn.Module, args: tuple, named: dict[str, Any]) -> None:
        groups = self._recorder.attended
        if groups is not None and (self._image or self._out):
            image, text = (named[name][: self._prompts] for name in (self._streams["img"], self._streams["txt"]))
            self._attention = attention_to(attn, image, text, groups)

    def leave(self, _: nn.Module, args: tuple, made: tuple[Any, Tensor]) -> None:
        if self._tokens is not None:
            self._recorder.hear(Site("img", self._block), self._tokens, self._attention)
        if self._out:
            image = made[list(self._streams).index("img")]
            assert image is not None
            self._recorder.hear(Site("img", self._block + 1), image[: self._prompts], self._attention)
        self._tokens = self._attention = None


def attention_to(attn: Any, image: Tensor, text: Tensor, groups: Sequence[Sequence[Sequence[int]]]) -> Tensor:
    """Return how much of each image token's attention goes to each group of text rows.

    Args:
        attn: a joint attention of diffusers.
        image: (B, N, d) as the attention gets it.
        text: (B, L, d)
        groups: per prompt, groups of text rows.

    Returns:
        (B, N, most groups) float32 in 0 … 1, averaged over the heads; 0 behind a prompt's last group.
    """

    def heads(name: str, norm: str, x: Tensor) -> Tensor:
        split = rearrange(getattr(attn, name)(x), "b row (h d) -> b h row d", h=attn.heads)
        return split if getattr(attn, norm) is None else getattr(attn, norm)(split)

    q = heads("to_q", "norm_q", image)
    k = torch.cat([heads("add_k_proj", "norm_added_k", text), heads("to_k", "norm_k", image)], 2)
    marks = q.new_zeros(len(q), k.shape[2], max(map(len, groups), default=0))
    for prompt, some in enumerate(groups):
        for column, rows in enumerate(some):
            marks[prompt, list(rows), column] = 1
    # Attention to values that are 1 in a group's rows and 0 elsewhere is the sum of the weights on the group.
    values = repeat(marks, "b row group -> b h row group", h=attn.heads)
    return reduce(F.scaled_dot_product_attention(q, k, values).float(), "b h row group -> b row group", "mean")
