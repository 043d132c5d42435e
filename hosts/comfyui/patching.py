"""How much an edit does from one block on: the text stream of an edited run put into an unedited one, and the reverse.

This is activation patching. In every call of the model the prompt's rows run once with one prompt, and the text stream
that enters the block is kept; then they run with the other, and from that block on hear the kept stream.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from torch import Tensor

from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.editing import shown
from ...supsae_core.editing.edits import Edit
from . import conditionings, transformer
from .conditionings import Conditioning, repeated
from .following import Call, followed, tagged
from .pictures import Drawing, Told, draw
from .transformer import tapped

FROM, BEFORE = "from this block on", "only before this block"


def from_block(block: int, call: Call) -> Tensor:
    """Run the unedited prompt whose text stream is the edited prompt's from a block on."""
    return _patched(block, call, kept=call.moved(call.context, lambda step: step), heard=call.context)


def before_block(block: int, call: Call) -> Tensor:
    """Run the edited prompt whose text stream is the unedited prompt's from a block on."""
    return _patched(block, call, kept=call.context, heard=call.moved(call.context, lambda step: step))


SIDES: Mapping[str, Callable[[int, Call], Tensor]] = {FROM: from_block, BEFORE: before_block}
"""Name of a line in the plot → how a call of the model is patched."""


def _patched(block: int, call: Call, *, kept: Tensor, heard: Tensor) -> Tensor:
    stream: dict[str, Tensor] = {}

    def keep(args: dict[str, Any]) -> dict[str, Any]:
        with transformer.long_lived():
            stream["txt"] = args["txt"].clone()
        return args

    def put(args: dict[str, Any]) -> dict[str, Any]:
        made = args["txt"].clone()
        for rows, _ in call.own:
            made[rows] = stream["txt"][rows]
        return {**args, "txt": made}

    call.run(kept, options=tapped(call.options, call.blocks, {block: keep}, {}))
    return call.run(heard, options=tapped(call.options, call.blocks, {block: put}, {}))


class Point(NamedTuple):
    """What was measured at one block, on one side."""

    change: float
    """change of the pictures inside what the whole edit changes, as a share of the whole edit's"""
    towards: float
    """how far the pictures went the edit's own way"""


class BlockMap(NamedTuple):
    """What a Block Map comes to."""

    places: tuple[int, ...]
    """blocks, and the number of blocks for behind the last"""
    points: Mapping[str, tuple[Point, ...]]
    """key of ``SIDES`` → one per place"""
    unedited: Tensor
    """(B, H, W, 3)"""
    pictures: Mapping[str, tuple[Tensor, ...]]
    """key of ``SIDES`` → one (B, H, W, 3) per place"""


def drawings(blocks: Sequence[int], pooled: bool) -> int:
    """Return how often the pictures are sampled."""
    return 2 + pooled + 2 * sum(block > 0 for block in blocks)


def block_map(
    one: Drawing, dictionary: Dictionary, edits: Sequence[Edit], blocks: Sequence[int], *, pooled: bool,
    told: Callable[[int], Told],
) -> BlockMap:  # fmt: skip
    """Draw with the edit from every one of rising blocks on, and only before it, and compare.

    With ``pooled`` the edit's pooled vector is there as well, in every picture but the unedited. ``told`` makes the
    callback of the n-th drawing.

    Raises:
        ValueError: if an edit finds nothing to change, or changes nothing that can be seen.
    """
    edited, _ = conditionings.edit(one.positive, dictionary, edits)
    before = _with_pooled(one.positive, edited) if pooled else one.positive
    after = edited if pooled else _with_pooled(edited, one.positive)
    numbers = iter(range(drawings(blocks, pooled)))

    def sampled(positive: Conditioning, model: Any = None) -> Tensor:
        return draw(one._replace(positive=positive, model=model or one.model), told(next(numbers)))

    unedited, whole = sampled(one.positive), sampled(after)
    inside = shown.region(unedited, whole)
    nothing = sampled(before) if pooled else unedited
    marked = tagged(before, [_tag(*pair) for pair in zip(before, after, strict=True)])
    pictures: dict[str, tuple[Tensor, ...]] = {}
    for side, patch in SIDES.items():
        first, last = (whole, nothing) if side == FROM else (nothing, whole)
        patched = [sampled(marked, followed(one.model, partial(patch, block))) if block else first for block in blocks]
        pictures[side] = (*patched, last)
    points = {
        side: tuple(Point(shown.share(p, unedited, whole, inside), shown.towards(p, unedited, whole)) for p in own)
        for side, own in pictures.items()
    }
    places = (*blocks, transformer.depth(one.model))
    return BlockMap(places, points, unedited, pictures)


def _tag(before: list[Any], after: list[Any]) -> Tensor | None:
    """Return what an entry's edit adds, (B, L, width)."""
    return None if before[0] is after[0] else after[0] - repeated(before[0], after[0].shape)


def _with_pooled(conditioning: Conditioning, other: Conditioning) -> Conditioning:
    """Return the list with the pooled vectors of another where that one's rows differ."""
    return [
        entry if entry[0] is given[0] else [entry[0], {**entry[1], "pooled_output": given[1].get("pooled_output")}]
        for entry, given in zip(conditioning, other, strict=True)
    ]
