"""The dictionary's file: one ``.safetensors`` whose header rebuilds it; loading is the exact inverse of saving."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..encoders.base import Family
from ..encoders.families.stored import family_from_json, family_to_json
from ..encoders.streams import slots_of
from ..table.concepts import ConceptTable
from ..table.parsing import table_from_mapping
from .model import POOLED, Codes, Cuts, Dictionary, Part
from .operator import Operator, operator_from, tensors_of
from .report_shapes import readable

FORMAT_VERSION = 1
KIND = "supsae.dictionary"
OPERATOR = "operator"
"""Between the name of an encoder and that of a tensor of its operator."""
_Held = TypeVar("_Held", bound=Codes)


@dataclass(frozen=True)
class Header:
    """What a dictionary file says of itself; fields as in ``Dictionary``."""

    table: ConceptTable
    family: Family
    parts: tuple[str, ...]
    identified: tuple[bool, ...]
    slider: tuple[tuple[float, float], ...]
    provenance: Mapping[str, Any]
    report: Mapping[str, Any]
    operators: tuple[str, ...]
    streams: tuple[str, ...]
    centres: tuple[float, ...]
    tolerance: float


def save_dictionary(dictionary: Dictionary, path: str | Path) -> None:
    """Write one ``.safetensors`` file, whole or not at all; ``load_dictionary`` is the exact inverse."""
    held: dict[str, Codes] = dict(dictionary.parts)
    for name, levels in dictionary.streams.items():
        held |= {f"{name}#{bucket}": codes for bucket, codes in enumerate(levels)}
    tensors: dict[str, Tensor] = {}
    for name, operator in dictionary.operators.items():
        tensors |= {f"{name}.{OPERATOR}.{key}": _packed(one) for key, one in tensors_of(operator).items()}
    for name, one in held.items():
        tensors |= {f"{name}.{f.name}": _packed(getattr(one, f.name)) for f in fields(one)}
    header = {
        "table": dictionary.table.to_json(),
        "family": family_to_json(dictionary.family),
        "parts": list(dictionary.parts),
        "operators": list(dictionary.operators),
        "streams": list(dictionary.streams),
        "centres": list(dictionary.centres),
        "tolerance": dictionary.tolerance,
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


def load_dictionary(path: str | Path) -> Dictionary:
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


def read_header(path: str | Path) -> Header:
    """Read what a dictionary file says of itself, no tensor of it: of a file of any size in milliseconds.

    Raises:
        ValueError: as ``load_dictionary``, but for tensors that do not fit.
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
    try:
        family_from_json(header.get("family"))
    except ValueError as error:
        raise ValueError(f"The dictionary {path.name!r} is for {error}") from error
    return header


def _parsed(header: Mapping[str, Any]) -> Header:
    table = table_from_mapping(header["table"])
    if len(header["identified"]) != len(table.categories):
        raise TypeError(f"'identified' for each of {len(table.categories)} categories")
    if not all(isinstance(header[key], dict) for key in ("provenance", "report")):
        raise TypeError("'provenance' and 'report' as JSON objects")
    return Header(
        table=table,
        family=family_from_json(header["family"]),
        parts=tuple(header["parts"]),
        identified=tuple(bool(one) for one in header["identified"]),
        slider=tuple((float(s), float(a)) for s, a in header["slider"]),
        provenance=header["provenance"],
        report=readable(header["report"]),
        operators=tuple(header.get("operators", ())),
        streams=tuple(header.get("streams", ())),
        centres=tuple(float(one) for one in header.get("centres", ())),
        tolerance=float(header.get("tolerance", Dictionary.tolerance)),
    )


def _build(header: Header, tensors: Mapping[str, Tensor]) -> Dictionary:
    def held(kind: type[_Held], name: str) -> _Held:
        return kind(**{f.name: _unpacked(tensors[f"{name}.{f.name}"]) for f in fields(kind)})

    def levels(name: str) -> tuple[Codes, ...]:
        return tuple(held(Codes, f"{name}#{bucket}") for bucket in range(len(header.centres)))

    def operator(name: str) -> Operator:
        start = f"{name}.{OPERATOR}."
        return operator_from({key[len(start) :]: _unpacked(x) for key, x in tensors.items() if key.startswith(start)})

    parts = {name: held(Part, name) for name in header.parts}
    streams = {name: levels(name) for name in header.streams}
    operators = {name: operator(name) for name in header.operators}
    return Dictionary(**{**vars(header), "parts": parts, "operators": operators, "streams": streams})


def _check_shapes(path: Path, dictionary: Dictionary) -> None:
    """Refuse tensors that do not fit the header's table and family."""
    slots = len(dictionary.table.phrases) + len(dictionary.family.roles)
    wanted = {one.name: (slots, one.width) for one in dictionary.family.encoders}
    if dictionary.family.pooled:
        wanted[POOLED] = (1, dictionary.family.pooled_width)
    found = {name: (*part.slot_tokens.shape, part.decoder.shape[1]) for name, part in dictionary.parts.items()}
    size = len(dictionary.table)
    if found != wanted or any(part.group_effects.shape[1] != size for part in dictionary.parts.values()):
        raise ValueError(
            f"The tensors of {path.name!r} do not fit its own table of {size} concepts and the family "
            f"{dictionary.family.name!r}: slots and widths are {found} instead of {wanted}. Fit or download it again."
        )
    for name, part in dictionary.parts.items():
        if part.thresholds.shape not in ((2,), (7,), (len(Cuts._fields),)):  # the first two of older files
            raise ValueError(
                f"The thresholds of {name!r} in {path.name!r} are {tuple(part.thresholds.shape)} instead of "
                f"{(len(Cuts._fields),)}. Fit or download it again."
            )
    for name, operator in dictionary.operators.items():
        if not operator.fits(len(dictionary.table.phrases), dictionary.family.encoder(name).width):
            raise ValueError(
                f"The tensors of the operator of {name!r} in {path.name!r} do not fit its own table and the family "
                f"{dictionary.family.name!r}. Fit or download it again."
            )
    for name, some in dictionary.streams.items():
        expected = slots_of(name, dictionary.table, dictionary.family)
        if any(expected not in (None, len(one.slot_tokens)) or one.group_effects.shape[1] != size for one in some):
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
