"""What an entry of a conditioning must hold to be saved and loaded: shapes, kinds and finite numbers."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ...supsae_core.files import MOST, DamagedError

OBJECTS = {
    "control", "hooks", "gligen", "unclip_conditioning", "model_conds", "uuid", "cross_attn",
}  # fmt: skip
"""Options that ComfyUI fills with objects of its own: none of them is data, whatever a file says."""
OURS = "supsae"
"""What this pack keeps in an entry begins with it, and has places of its own in a file."""


class EntryKind(NamedTuple):
    """What an option must be."""

    spelled: str
    fits: Callable[[Any], bool]


def is_rows(one: Any) -> bool:
    """Tell whether something is the rows of a conditioning: (B, L, width)."""
    return isinstance(one, Tensor) and one.ndim == 3 and one.is_floating_point() and one.numel() > 0


def _is_vectors(one: Any) -> bool:
    return one is None or isinstance(one, Tensor) and one.ndim == 2 and one.is_floating_point() and one.numel() > 0


def _is_number(one: Any) -> bool:
    return isinstance(one, (int, float)) and not isinstance(one, bool) and abs(one) <= MOST


def _is_share(one: Any) -> bool:
    return _is_number(one) and 0 <= one <= 1


def _is_area(one: Any) -> bool:
    numbers = one[1:] if isinstance(one, (tuple, list)) and one[:1] in (("percentage",), ["percentage"]) else one
    return isinstance(numbers, (tuple, list)) and len(numbers) in (4, 6) and all(_is_number(some) for some in numbers)


VECTORS = EntryKind("rows (B, P) of floating numbers, or None", _is_vectors)
SHARE = EntryKind("a number from 0 to 1", _is_share)
NUMBER = EntryKind("a finite number", _is_number)
TRUTH = EntryKind("true or false", lambda one: isinstance(one, bool))
KINDS: Mapping[str, EntryKind] = {
    "pooled_output": VECTORS,
    "pooled_output_controlnet": VECTORS,
    "cross_attn_controlnet": EntryKind("rows (B, L, width) of floating numbers", is_rows),
    "attention_mask": EntryKind("a mask (B, L), or None", lambda one: one is None or _has_axes(one, 2)),
    "mask": EntryKind("a mask (H, W) or (B, H, W), or None", lambda one: one is None or _has_axes(one, 2, 3)),
    "area": EntryKind("four numbers, or None", lambda one: one is None or _is_area(one)),
    "strength": NUMBER,
    "mask_strength": NUMBER,
    "guidance": NUMBER,
    "start_percent": SHARE,
    "end_percent": SHARE,
    "clip_start_percent": SHARE,
    "clip_end_percent": SHARE,
    "default": TRUTH,
    "set_area_to_bounds": TRUTH,
    "control_apply_to_uncond": TRUTH,
}
"""Option → what it must be; others, of models and packs that are not known here, may be any data."""


def _has_axes(one: Any, *counts: int) -> bool:
    return isinstance(one, Tensor) and one.ndim in counts and one.numel() > 0


def require_entry(cond: Any, options: Mapping[str, Any]) -> None:
    """Refuse rows and options that no conditioning has.

    Raises:
        DamagedError: naming what it is.
    """
    if not is_rows(cond):
        raise DamagedError(f"has {_spelled(cond)} as its rows, where (B, L, width) of floating numbers belong")
    for key, value in options.items():
        if key in OBJECTS or key.startswith(OURS):
            raise DamagedError(f"has an option {reprlib.repr(key)}, which is no data")
        kind = KINDS.get(key)
        if kind is not None and not kind.fits(value):
            raise DamagedError(f"has {_spelled(value)} as {key!r}, where {kind.spelled} belongs")


def require_numbers(tensor: Tensor, name: str) -> None:
    """Refuse a tensor with values that are no finite numbers.

    Raises:
        DamagedError: naming it.
    """
    whole = tensor.float() if tensor.dtype.itemsize == 1 and tensor.is_floating_point() else tensor
    if not bool(torch.isfinite(whole).all()):
        raise DamagedError(f"holds values in {name!r} that are not finite numbers")


def _spelled(value: Any) -> str:
    return f"{value.dtype} {tuple(value.shape)}" if isinstance(value, Tensor) else reprlib.repr(value)
