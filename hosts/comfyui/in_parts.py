"""A conditioning whose edits act in parts of sampling or inside a mask, cut into entries as ComfyUI's own nodes cut it.

An entry per stretch of sampling, with ComfyUI's percentages; where an edit acts inside a mask, one with it there and
one without it elsewhere, whose shares add up to the whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.editing.edits import AnyEdit
from ...supsae_core.editing.when import ALWAYS, When, stretches
from .conditionings import ALONE, AloneEdit, Conditioning, Taught, edit_places

START, END, MASK = "start_percent", "end_percent", "mask"
"""ComfyUI's keys of an entry."""


def in_parts(
    conditioning: Conditioning, dictionary: Dictionary, edits: Sequence[AnyEdit], whens: Mapping[AnyEdit, When],
    mask: Tensor | None, taught: Taught | None,
) -> Conditioning:  # fmt: skip
    """Return the list with edits that can all be made, each where and when it acts.

    Args:
        whens: of edits that do not act always.
        mask: (B, H, W) in 0 … 1; needed where an edit acts inside it.
    """
    return [part for entry in conditioning for part in _parts(entry, dictionary, edits, whens, mask, taught)]


def _parts(
    entry: list[Any], dictionary: Dictionary, edits: Sequence[AnyEdit], whens: Mapping[AnyEdit, When],
    mask: Tensor | None, taught: Taught | None,
) -> Conditioning:  # fmt: skip
    first, last = entry[1].get(START, 0.0), entry[1].get(END, 1.0)

    @cache  # stretches of the same edits are edited once
    def edited(some: tuple[tuple[AnyEdit, AnyEdit], ...]) -> list[Any]:
        acting = [here for _, here in some]
        (made,) = edit_places([entry], dictionary, acting, acting, taught).conditioning
        asked = {here: one for one, here in some}
        return made if made is entry else _named(made, entry, asked)

    parts: Conditioning = []
    for start, end, some in stretches(edits, whens, first, last):
        time = {} if (start, end) == (first, last) else {START: start, END: end}
        outside = tuple(pair for pair in some if not whens.get(pair[0], ALWAYS).inside)
        within, without = edited(some), edited(outside)
        if mask is None or within[0] is without[0]:
            parts.append([within[0], {**within[1], **time}])
            continue
        for made, place in ((within, mask), (without, 1 - mask)):
            parts.append([made[0], {**made[1], **time, **_masked(entry[1].get(MASK), place)}])
    return parts


def _named(made: list[Any], entry: list[Any], asked: Mapping[AnyEdit, AnyEdit]) -> list[Any]:
    """Let what the Lock makes of each edit alone go by the edit that was asked, however strong it is here."""
    before = len(entry[1].get(ALONE, ()))
    earlier, own = made[1][ALONE][:before], made[1][ALONE][before:]
    named = (one._replace(asked=asked[one.edit]) if isinstance(one, AloneEdit) else one for one in own)
    return [made[0], {**made[1], ALONE: (*earlier, *named)}]


def _masked(there: Tensor | None, place: Tensor) -> dict[str, Any]:
    """Return what lets an entry act in a place, within the mask that it has already."""
    if there is None:
        return {MASK: place, "mask_strength": 1.0, "set_area_to_bounds": False}
    fitted = F.interpolate(place[:, None].to(there), there.shape[-2:], mode="bilinear", antialias=True)[:, 0]
    return {MASK: there * fitted}
