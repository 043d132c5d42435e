"""What image tokens look at: the share of joint attention that goes to chosen text rows, heard while the model runs.

The model's own result stays as it is. The shares come from a second attention with the same queries and keys, and
columns of zeros and ones in place of the values: what comes out is the sum of the weights on the ones, so that the
matrix of weights (all tokens × all tokens) is never held.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import torch
from einops import rearrange, reduce, repeat
from torch import Tensor

from .transformer import Blocks, Options, Tap, tapped

OVERRIDE = "optimized_attention_override"
"""ComfyUI's key in ``transformer_options`` for a function (attention, q, k, v, …) that stands in for attention."""


class Joint(NamedTuple):
    """One joint attention of a block, as the model calls it; text rows come first, image tokens behind them."""

    attention: Callable[..., Tensor]
    """the host's attention (q, k, v, heads=…), each (B, rows, width)"""
    q: Tensor
    """of text and picture"""
    k: Tensor
    """of these, and of what stands behind them: pads, reference pictures"""
    heads: int
    text_rows: int


Hear = Callable[[int, Joint], None]
"""Called with the block's number and its joint attention."""


def listening(options: Options, blocks: Blocks, some: Iterable[int], hear: Hear) -> Options:
    """Return a copy of one call's options in which the joint attention of some blocks is heard.

    What another pack put in place of attention still runs, and decides what the model gets.
    """
    return tapped(options, blocks, {block: _ear(block, hear) for block in some}, {})


def _ear(block: int, hear: Hear) -> Tap:
    def enter(args: dict[str, Any]) -> dict[str, Any]:
        text, image = args["txt"].shape[1], args["img"].shape[1]
        earlier = args["transformer_options"].get(OVERRIDE)

        def attend(attention: Callable[..., Tensor], q: Tensor, k: Tensor, v: Tensor, *rest: Any, **named: Any) -> Any:
            made = earlier(attention, q, k, v, *rest, **named) if earlier else attention(q, k, v, *rest, **named)
            heads = named["heads"] if "heads" in named else rest[0]
            if named.get("skip_reshape"):  # (B, heads, rows, width of a head)
                q, k = (rearrange(one, "b head row wide -> b row (head wide)") for one in (q, k))
            if q.shape[1] >= text + image:  # blocks with dual attention call a second one, of image tokens alone
                hear(block, Joint(attention, q[:, : text + image], k, heads, text))
            return made

        return {**args, "transformer_options": {**args["transformer_options"], OVERRIDE: attend}}

    return enter


def masses(
    attention: Callable[..., Tensor], q: Tensor, k: Tensor, heads: int, groups: Sequence[Sequence[int]], text_rows: int
) -> Tensor:
    """Return how much of each image token's attention goes to each group of text rows.

    Args:
        attention: the host's attention (q, k, v, heads=…); the softmax over the keys is its own.
        q: queries (B, text rows + image tokens, width), text first; width is heads × width of a head.
        k: keys of the same width and as many rows or more.
        groups: rows of the text, by group; the same for the whole batch.

    Returns:
        (B, image tokens, groups) float32 in 0 … 1, averaged over the heads.
    """
    wide = q.shape[-1] // heads
    found = [q.new_zeros(len(q), q.shape[1] - text_rows, 0, dtype=torch.float32)]
    for start in range(0, len(groups), wide):  # a head's values have room for so many groups at a time
        some = groups[start : start + wide]
        marks = q.new_zeros(k.shape[1], heads, wide)
        for column, rows in enumerate(some):
            marks[list(rows), :, column] = 1
        out = attention(q[:, text_rows:], k, repeat(marks, "row head wide -> b row (head wide)", b=len(q)), heads=heads)
        heard = rearrange(out, "b token (head wide) -> b token head wide", head=heads)
        found.append(reduce(heard[..., : len(some)].float(), "b token head group -> b token group", "mean"))
    return torch.cat(found, -1)
