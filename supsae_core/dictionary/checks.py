"""Whether a file's tensors are a dictionary: every shape follows from its own table and family, every number is one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields

import torch
from torch import Tensor

from ..encoders.streams import slots_of
from ..files import DamagedError
from ..tensor_files import require_finite
from .model import POOLED, Codes, Cuts, Dictionary, Part

INDICES = ("slot_tokens", "slot_groups")
"""Fields of ``Codes`` that count; all others are fractions."""


def check_dictionary(dictionary: Dictionary) -> None:
    """Refuse what cannot be edited with.

    Raises:
        DamagedError: naming the tensor, what it is and what it should be.
    """
    table, family = dictionary.table, dictionary.family
    widths = {one.name: one.width for one in family.encoders}
    slots = dict.fromkeys(widths, len(table.phrases) + len(family.roles))
    if family.pooled:
        widths[POOLED], slots[POOLED] = family.pooled_width, 1
    if set(dictionary.parts) != set(widths):
        raise DamagedError(f"has the parts {sorted(dictionary.parts)} instead of {sorted(widths)}")
    for name, part in dictionary.parts.items():
        _check_codes(name, part, len(table), slots[name], widths[name])
        _check_reading(name, part)
    for name, operator in dictionary.operators.items():
        if name not in widths or not operator.fits(len(table.phrases), family.encoder(name).width):
            raise DamagedError(f"has an operator of {name!r} that does not fit its own table and family")
    for name, levels in dictionary.streams.items():
        for codes in levels:
            _check_codes(name, codes, len(table), slots_of(name, table, family), codes.decoder.shape[-1])


def check_numbers(tensors: Mapping[str, Tensor]) -> None:
    """Refuse tensors that hold something else than finite numbers, or fractions where there must be none."""
    require_finite(tensors)
    for name, tensor in tensors.items():
        counts = name.rsplit(".", 1)[-1] in (*INDICES, "phrase_tokens", "tokens", "roles", "side")
        if not counts and not tensor.is_floating_point():
            raise DamagedError(f"holds {name!r} as {str(tensor.dtype).removeprefix('torch.')} instead of fractions")


def _check_codes(name: str, codes: Codes, concepts: int, slots: int | None, width: int) -> None:
    for field, shape in _shapes(codes, concepts, slots, width):
        found = tuple(getattr(codes, field).shape)
        if found != shape:
            raise DamagedError(f"has {field!r} of {name!r} in the shape {found} instead of {shape}")
    for field in INDICES:
        if getattr(codes, field).dtype != torch.int64:
            raise DamagedError(f"has {field!r} of {name!r} in another type than whole numbers")
    tokens, groups = codes.slot_codes.shape[1], len(codes.group_effects)
    if not _within(codes.slot_tokens, tokens + 1) or not _within(codes.slot_groups, groups):
        raise DamagedError(f"has slots of {name!r} with more than {tokens} tokens, or in none of {groups} groups")


def _shapes(codes: Codes, concepts: int, slots: int | None, width: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield field → its shape, as far as one follows from the others."""
    if codes.slot_codes.ndim != 3 or codes.group_effects.ndim != 3:
        raise DamagedError("has codes or effects of another number of dimensions than three")
    slots = len(codes.slot_tokens) if slots is None else slots
    tokens, rank, groups = codes.slot_codes.shape[1], len(codes.decoder), len(codes.group_effects)
    yield "bias", (width,)
    yield "decoder", (rank, width)
    yield "slot_codes", (slots, tokens, rank)
    yield "group_effects", (groups, concepts, rank)
    own = codes.slot_directions.shape[1] if codes.slot_directions.ndim == 3 else 0
    full = codes.slot_directions.shape == (0, 0, 0)
    yield "slot_effects", (slots, concepts, rank if full else own)
    yield "slot_directions", (0, 0, 0) if full else (slots, own, rank)
    yield "mean_context", (slots, concepts)
    yield "slot_tokens", (slots,)
    yield "slot_groups", (slots,)
    yield "gains", (concepts,)


def _check_reading(name: str, part: Part) -> None:
    rank = len(part.decoder)
    square = {one.name: (rank, rank) for one in fields(Part) if one.name.startswith("whiten_")}
    for field, shape in {**square, "mean_code": (rank,)}.items():
        found = tuple(getattr(part, field).shape)
        if found != shape:
            raise DamagedError(f"has {field!r} of {name!r} in the shape {found} instead of {shape}")
    if part.thresholds.shape not in ((2,), (7,), (8,), (len(Cuts._fields),)):  # the first two of older files
        raise DamagedError(
            f"has thresholds of {name!r} in the shape {tuple(part.thresholds.shape)} instead of {(len(Cuts._fields),)}"
        )


def _within(counts: Tensor, end: int) -> bool:
    return not len(counts) or (int(counts.min()) >= 0 and int(counts.max()) < end)
