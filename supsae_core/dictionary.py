"""The dictionary: sparse concept codes and the decoders that turn a prompt's codes into features; one shareable file.

Letters (science.md): K concepts, S slots (phrases, then roles), T tokens, r code width, d columns, a (K,) company.
A row of slot s, token j in company a decodes as  x̂ = origin + (constant[s, j] + (a − mean_label[s]) effect[s]) decoder,
with effect[s] = shared[group of s] + own[s].
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from . import concepts
from .concepts import ConceptTable
from .report_shapes import readable
from .slots import FORMATS, ROLES, TextFormat
from .streams import slots_of

FORMAT_VERSION = 1
KIND = "supsae.dictionary"
_Held = TypeVar("_Held", bound="Codes")
POOLED = "pooled"
"""Name of the part that holds the pooled vector: one slot, whose company is everything written."""


@dataclass(frozen=True)
class Codes:
    """Codes and decoder of one set of slots: all that decoding and steering need."""

    origin: Tensor
    """(d,) mean of all slots' tokens"""
    decoder: Tensor
    """(r, d) rows are orthonormal up to rounding"""
    constant: Tensor
    """(S, T, r) codes of the slots' mean tokens"""
    shared: Tensor
    """(groups, K, r) effect of company, shared by the concepts of a category; one group per role"""
    own: Tensor
    """(S, K, r) what a slot's effects deviate by"""
    mean_label: Tensor
    """(S, K) mean company the constants refer to"""
    lengths: Tensor
    """(S,) tokens of a slot, 0 if it never occurred"""
    group: Tensor
    """(S,) group of a slot"""
    gain: Tensor
    """(K,) calibration: strength 1 times this is the effect of writing the word"""

    def effect(self, slot: int) -> Tensor:
        """Return (K, r): what each concept of the company adds to the slot's code."""
        return self.shared[self.group[slot]] + self.own[slot]

    def code(self, slot: int, token: int, company: Tensor) -> Tensor:
        """Return the code (r,) of one token of a slot in a company (K,)."""
        return self.constant[slot, token] + (company - self.mean_label[slot]) @ self.effect(slot)

    def decode(self, code: Tensor) -> Tensor:
        """Return features (…, d) of codes (…, r)."""
        return self.origin + code @ self.decoder

    def encode(self, rows: Tensor) -> Tensor:
        """Return the codes (…, r) nearest to features (…, d)."""
        return (rows - self.origin) @ self.decoder.T


@dataclass(frozen=True)
class Part(Codes):
    """One text encoder's codes (or the pooled vector's), and what reading them back out of rows needs."""

    within: Tensor
    """(r, r) whitens the tokens of one slot, whatever their company"""
    rest: Tensor
    """(r, r) whitens what company leaves unexplained"""
    around: Tensor
    """(r, r) whitens all tokens"""
    middle: Tensor
    """(r,) mean code of the tokens of concepts"""
    threshold: Tensor
    """(2,) least score at which a phrase counts as found, before and after its company is known"""


@dataclass(frozen=True)
class Dictionary:
    """What artists share: the table, one part per encoder and the pooled vector's, and where it all comes from."""

    table: ConceptTable
    format: TextFormat
    parts: Mapping[str, Part]
    identified: tuple[bool, ...]
    """Per category: whether capture saw prompts without it, so that writing and removing it can be told apart."""
    slider: tuple[tuple[float, float], ...]
    """Knots (slider position, strength) of the monotone map from slider units to applied strength."""
    provenance: Mapping[str, Any]
    """JSON: fingerprint, prompts, held-out pairs, dtype, version, licence."""
    report: Mapping[str, Any]
    """JSON: what fitting measured; of a file, what is readable of it."""
    streams: Mapping[str, tuple[Codes, ...]] = field(default_factory=dict)
    """Part of a stream inside the model (``streams.py``), e.g. ``txt@3/other`` → its codes at every noise level."""
    centres: tuple[float, ...] = ()
    """Noise levels of the streams' codes, falling; between two of them they are interpolated linearly."""

    @cached_property
    def codes(self) -> Tensor:
        """(K, Σ r): the code of every concept, its first phrase's mean token about its category's, all encoders."""
        parts = [part for name, part in self.parts.items() if name != POOLED]
        slots = [
            first if slot is None else slot for slot, first in zip(self.writes, self.table.first_phrase, strict=True)
        ]
        return torch.cat([_centred_codes(self.table, part, slots) for part in parts], 1)

    def role(self, name: str) -> int:
        """Return the slot number of a role."""
        return len(self.table.phrases) + ROLES.index(name)

    def strength(self, slider: float) -> float:
        """Map a slider position to the strength to apply: piecewise linear, continued beyond the last knot."""
        knots = [(0.0, 0.0), *self.slider]
        pairs = list(zip(knots, knots[1:], strict=False))
        (s0, a0), (s1, a1) = next((pair for pair in pairs if slider <= pair[1][0]), pairs[-1])
        return a0 + (slider - s0) * (a1 - a0) / (s1 - s0)

    @cached_property
    def writes(self) -> tuple[int | None, ...]:
        """Per concept, the slot an edit writes: its first phrase that was captured in every encoder, or None."""
        lengths = [part.lengths[: len(self.table.phrases)] for name, part in self.parts.items() if name != POOLED]
        captured = (torch.stack(lengths) > 0).all(0).tolist()
        slots = [[i for i, p in enumerate(self.table.phrases) if p.concept == c] for c in range(len(self.table))]
        return tuple(next((slot for slot in some if captured[slot]), None) for some in slots)

    def phrase(self, concept: int) -> int:
        """Return the slot that an edit writes for a concept.

        Raises:
            ValueError: if the concept was never captured.
        """
        slot = self.writes[concept]
        if slot is None:
            raise ValueError(
                f"{str(self.table.concepts[concept])!r} was never written in the captured prompts. "
                "Capture more prompts and fit again."
            )
        return slot


@dataclass(frozen=True)
class Header:
    """What a dictionary file says of itself; fields as in ``Dictionary``."""

    table: ConceptTable
    format: TextFormat
    parts: tuple[str, ...]
    identified: tuple[bool, ...]
    slider: tuple[tuple[float, float], ...]
    provenance: Mapping[str, Any]
    report: Mapping[str, Any]
    streams: tuple[str, ...]
    centres: tuple[float, ...]


def save(dictionary: Dictionary, path: str | Path) -> None:
    """Write one ``.safetensors`` file, whole or not at all; ``load`` is the exact inverse."""
    held = dict(dictionary.parts) | {
        f"{name}#{bucket}": codes
        for name, all_codes in dictionary.streams.items()
        for bucket, codes in enumerate(all_codes)
    }
    tensors = {f"{name}.{f.name}": _packed(getattr(one, f.name)) for name, one in held.items() for f in fields(one)}
    header = {
        "table": dictionary.table.to_json(),
        "format": dictionary.format.name,
        "parts": list(dictionary.parts),
        "streams": list(dictionary.streams),
        "centres": list(dictionary.centres),
        "identified": list(dictionary.identified),
        "slider": [list(knot) for knot in dictionary.slider],
        "provenance": dict(dictionary.provenance),
        "report": dict(dictionary.report),
    }
    metadata = {"kind": KIND, "format_version": str(FORMAT_VERSION), "header": json.dumps(header, ensure_ascii=False)}
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    part = Path(f"{path}.part")
    save_file(tensors, part, metadata=metadata)
    part.replace(path)


def load(path: str | Path) -> Dictionary:
    """Read a dictionary file.

    Raises:
        ValueError: if the file is missing, truncated, of another kind, or of a newer format; says which.
    """
    found, tensors = _read(Path(path), whole=True)
    try:
        dictionary = _build(found, tensors)
    except (KeyError, TypeError, AttributeError) as error:
        raise _lacking(Path(path), error) from error
    _check_shapes(Path(path), dictionary)
    return dictionary


def header(path: str | Path) -> Header:
    """Read what a dictionary file says of itself, no tensor of it: of a file of any size in milliseconds.

    Raises:
        ValueError: as ``load``, but for tensors that do not fit.
    """
    return _read(Path(path), whole=False)[0]


def _read(path: Path, *, whole: bool) -> tuple[Header, dict[str, Tensor]]:
    if not path.is_file():
        raise ValueError(f"There is no dictionary file {path.name!r} in {path.parent}.")
    try:
        with safe_open(path, "pt") as file:
            found = _header(path, file.metadata() or {})
            tensors = {key: file.get_tensor(key) for key in file.keys()} if whole else {}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f"{path.name!r} is not a whole safetensors file ({error}). Copy or download it again."
        ) from error
    try:
        return _parsed(found), tensors
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise _lacking(path, error) from error


def _lacking(path: Path, error: Exception) -> ValueError:
    return ValueError(f"The dictionary {path.name!r} lacks something it should hold: {error}.")


def _header(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    if metadata.get("kind") != KIND:
        raise ValueError(
            f"{path.name!r} is not a SupSAE dictionary. Choose a file made by the Fit node or 'supsae fit'."
        )
    try:
        version, header = int(metadata["format_version"]), json.loads(metadata["header"])
    except (KeyError, ValueError, RecursionError) as error:
        raise ValueError(f"The dictionary {path.name!r} has a damaged header: {error}. Download it again.") from error
    if not isinstance(header, dict):
        raise ValueError(f"The dictionary {path.name!r} has a damaged header: no JSON object. Download it again.")
    if version > FORMAT_VERSION:
        raise ValueError(
            f"The dictionary {path.name!r} has format version {version}; this SupSAE reads up to {FORMAT_VERSION}. "
            "Update SupSAE."
        )
    if str(header.get("format")) not in FORMATS:
        raise ValueError(
            f"The dictionary {path.name!r} is for text of the format {header.get('format')!r}; this SupSAE knows "
            f"{', '.join(FORMATS)}. Update SupSAE."
        )
    return header


def _parsed(header: Mapping[str, Any]) -> Header:
    table = concepts.from_mapping(header["table"])
    if len(header["identified"]) != len(table.categories):
        raise TypeError(f"'identified' for each of {len(table.categories)} categories")
    if not all(isinstance(header[key], dict) for key in ("provenance", "report")):
        raise TypeError("'provenance' and 'report' as JSON objects")
    return Header(
        table=table,
        format=FORMATS[header["format"]],
        parts=tuple(header["parts"]),
        identified=tuple(bool(one) for one in header["identified"]),
        slider=tuple((float(s), float(a)) for s, a in header["slider"]),
        provenance=header["provenance"],
        report=readable(header["report"]),
        streams=tuple(header.get("streams", ())),
        centres=tuple(float(one) for one in header.get("centres", ())),
    )


def _build(header: Header, tensors: Mapping[str, Tensor]) -> Dictionary:
    def held(kind: type[_Held], name: str) -> _Held:
        return kind(**{f.name: _unpacked(tensors[f"{name}.{f.name}"]) for f in fields(kind)})

    return Dictionary(
        table=header.table,
        format=header.format,
        parts={name: held(Part, name) for name in header.parts},
        identified=header.identified,
        slider=header.slider,
        provenance=header.provenance,
        report=header.report,
        streams={
            name: tuple(held(Codes, f"{name}#{bucket}") for bucket in range(len(header.centres)))
            for name in header.streams
        },
        centres=header.centres,
    )


def _check_shapes(path: Path, dictionary: Dictionary) -> None:
    """Refuse tensors that do not fit the header's table and format."""
    slots = len(dictionary.table.phrases) + len(ROLES)
    wanted = {one.name: (slots, one.last - one.first) for one in dictionary.format.encoders}
    wanted[POOLED] = (1, dictionary.format.pooled)
    found = {name: (*part.lengths.shape, part.decoder.shape[1]) for name, part in dictionary.parts.items()}
    size = len(dictionary.table)
    if found != wanted or any(part.shared.shape[1] != size for part in dictionary.parts.values()):
        raise ValueError(
            f"The tensors of {path.name!r} do not fit its own table of {size} concepts and the format "
            f"{dictionary.format.name!r}: slots and widths are {found} instead of {wanted}. Fit or download it again."
        )
    for name, some in dictionary.streams.items():
        expected = slots_of(name, dictionary.table)
        if any(expected not in (None, len(one.lengths)) or one.shared.shape[1] != size for one in some):
            raise ValueError(
                f"The tensors of {name!r} in {path.name!r} do not fit its own table of {size} concepts. Fit or "
                "download it again."
            )


def _packed(tensor: Tensor) -> Tensor:
    """Return a copy in half precision where that loses nothing: fitting rounds codes and decoder to it."""
    half = tensor.half()
    return (half if tensor.is_floating_point() and torch.equal(half.float(), tensor) else tensor).clone().contiguous()


def _unpacked(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


def _centred_codes(table: ConceptTable, part: Part, slots: Sequence[int]) -> Tensor:
    means = torch.stack([part.constant[slot, : max(int(part.lengths[slot]), 1)].mean(0) for slot in slots])
    for members in table.categories.values():
        means[list(members)] -= means[list(members)].mean(0)
    return means
