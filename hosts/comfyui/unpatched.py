"""Blocks that ComfyUI lets nobody replace: the network runs with a list of ours in place of its own.

A wrapper around one call of the network runs its ``_forward`` on a stand-in, which is the network in all but that list.
The network itself, which other nodes and workflows share, is never written to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MethodType
from typing import Any, NamedTuple

import torch
from torch import Tensor

KEY, KIND = "supsae_blocks", "diffusion_model"
"""Of our wrappers, and what ComfyUI calls those around a network."""
Through = Callable[[dict[str, Any], Callable[[dict[str, Any]], dict[str, Any]]], dict[str, Any]]
"""A block's arguments {img, txt, transformer_options, …} and what runs it → its result {img, txt, …}."""


class Unpatched(NamedTuple):
    """Where a network keeps such blocks, and which rows of their one stream are text and picture."""

    name: str
    """of the family, as an error spells it"""
    blocks: str
    """attribute of the network that lists them"""
    token: int
    """latent cells along the side of an image token"""
    text_multiple: int
    """the text is padded to a multiple of so many rows"""

    def around(self, options: Mapping[str, Any], through: Mapping[int, Through]) -> dict[str, Any]:
        """Return a copy of one call's options in which some blocks are run by ``through``; what others wrap stays."""
        every = options.get("wrappers", {})
        kind = every.get(KIND, {})
        mine = [*kind.get(KEY, ()), partial(_run, self, through)]
        return {**options, "wrappers": {**every, KIND: {**kind, KEY: mine}}}


def require_wrapped(network: Any, name: str) -> None:
    """Refuse a network of a ComfyUI that cannot be wrapped.

    Raises:
        ValueError: naming the family.
    """
    if not hasattr(network, "_forward"):
        raise ValueError(
            f"This ComfyUI is too old to edit the blocks of {name}. Update it, or connect the conditioning to Apply "
            "Edits."
        )


def _run(
    where: Unpatched, through: Mapping[int, Through], executor: Any, x: Tensor, t: Tensor, context: Tensor, *more: Any,
    **named: Any,
) -> Tensor:  # fmt: skip
    """Make one call of the network; wrappers that come later stand around those from before."""
    if where.text_multiple > 1 and named.get("ref_latents"):
        raise ValueError(
            f"SupSAE does not edit the blocks of {where.name} beside reference pictures. Connect the conditioning to "
            "Apply Edits."
        )
    inner, p = executor.original.__self__, where.token
    text = -(-context.shape[1] // where.text_multiple) * where.text_multiple
    image = -(-x.shape[-2] // p) * -(-x.shape[-1] // p)
    blocks = list(getattr(inner, where.blocks))
    for i, one in through.items():
        blocks[i] = _TappedBlock(blocks[i], one, text, image)
    executor.original = MethodType(executor.original.__func__, _StandIn(inner, {where.blocks: blocks}))
    return executor(x, t, context, *more, **named)


class _StandIn:
    """Something else in all but a few attributes."""

    def __init__(self, inner: Any, other: Mapping[str, Any]) -> None:
        self._inner = inner
        self.__dict__.update(other)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class _TappedBlock(_StandIn):
    """A block of one stream (text, picture, and behind them pads or reference pictures), shown as text and picture."""

    def __init__(self, block: Any, through: Through, text: int, image: int) -> None:
        super().__init__(block, {})
        self._through, self._text, self._end = through, text, text + image

    @torch.compiler.disable  # a tap carries state from block to block, which Dynamo does not trace
    def __call__(self, whole: Tensor, *rest: Any, **named: Any) -> Tensor:
        def run(given: dict[str, Any]) -> dict[str, Any]:
            options = {**named, "transformer_options": given["transformer_options"]}
            return self._parted(self._inner(_joined(given), *rest, **options))

        args = {**self._parted(whole), "transformer_options": named["transformer_options"]}
        return _joined(self._through(args, run))

    def _parted(self, whole: Tensor) -> dict[str, Any]:
        return {"txt": whole[:, : self._text], "img": whole[:, self._text : self._end], "behind": whole[:, self._end :]}


def _joined(values: Mapping[str, Any]) -> Tensor:
    return torch.cat([values["txt"], values["img"], values["behind"]], 1)
