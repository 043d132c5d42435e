"""The dictionary's file: one ``.safetensors`` whose header rebuilds it; loading is the exact inverse of saving."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

from ..encoders.base import Family
from ..encoders.families.stored import family_from_json, family_to_json
from ..files import DamagedError, missing, number
from ..table.concepts import ConceptTable, TableError
from ..table.parsing import table_from_mapping
from ..tensor_files import TensorFile, write_tensors
from .checks import check_dictionary, check_numbers
from .model import Codes, Dictionary, Part
from .operator import Operator, operator_from, tensors_of
from .report_shapes import readable
from .slider_map import SliderMap, maps_from_json, maps_to_json
from .unite import Spelled, spelled, unite

FORMAT_VERSION = 1
KIND = "supsae.dictionary"
OPERATOR = "operator"
"""Between the name of an encoder and that of a tensor of its operator."""
OPTIONAL = ("slot_directions",)
"""Tensors of codes that a file has where they are not empty."""
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
    sliders: Mapping[str, SliderMap]
    members: tuple[MemberHeader, ...] = ()


class MemberHeader(NamedTuple):
    """What a file of a combined dictionary says of one that it was made of; its tensors have the number before."""

    header: Header
    names: tuple[str | None, ...]
    """own concept → the whole's, None if it is left out"""


def save_dictionary(dictionary: Dictionary, path: str | Path) -> None:
    """Write one ``.safetensors`` file, whole or not at all; ``load_dictionary`` is the exact inverse."""
    header = _said_of(dictionary)
    tensors = _tensors(dictionary) if not dictionary.members else dict[str, Tensor]()
    for place, (member, names) in enumerate(spelled(dictionary) if dictionary.members else ()):
        tensors |= {f"{place}/{key}": tensor for key, tensor in _tensors(member).items()}
        header.setdefault("members", []).append({**_said_of(member), "names": list(names)})
    metadata = {"kind": KIND, "format_version": str(FORMAT_VERSION), "header": json.dumps(header, ensure_ascii=False)}
    write_tensors(Path(path), tensors, metadata)


def _tensors(dictionary: Dictionary) -> dict[str, Tensor]:
    """Return all tensors of a dictionary by their names in a file."""
    held: dict[str, Codes] = dict(dictionary.parts)
    for name, levels in dictionary.streams.items():
        held |= {f"{name}#{bucket}": codes for bucket, codes in enumerate(levels)}
    tensors: dict[str, Tensor] = {}
    for name, operator in dictionary.operators.items():
        tensors |= {f"{name}.{OPERATOR}.{key}": _packed(one) for key, one in tensors_of(operator).items()}
    for name, one in held.items():
        some = {f.name: getattr(one, f.name) for f in fields(one)}
        tensors |= {f"{name}.{key}": _packed(x) for key, x in some.items() if key not in OPTIONAL or x.numel()}
    return tensors


def _said_of(dictionary: Dictionary) -> dict[str, Any]:
    """Return what a header says of a dictionary, but for its members."""
    return {
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
        **({"sliders": maps_to_json(dictionary.sliders)} if dictionary.sliders else {}),
    }


def load_dictionary(path: str | Path) -> Dictionary:
    """Read a dictionary file.

    Raises:
        ValueError: if the file is missing, truncated, of another kind, or of a newer format; says which.
    """
    path = Path(path)
    found, file = _read(path)
    try:
        tensors = file.read()
        check_numbers(tensors)
        dictionary = _build(found, tensors)
        check_dictionary(dictionary)
    except DamagedError as error:
        raise _damaged(path, error) from error
    except (KeyError, TypeError, AttributeError) as error:
        raise _lacking(path, error) from error
    return dictionary


def read_header(path: str | Path) -> Header:
    """Read what a dictionary file says of itself, no tensor of it: of a file of any size in milliseconds.

    Raises:
        ValueError: as ``load_dictionary``, but for tensors that do not fit.
    """
    return _read(Path(path))[0]


def _read(path: Path) -> tuple[Header, TensorFile]:
    try:
        file = TensorFile(path)
    except FileNotFoundError as error:
        raise ValueError(f"There is no dictionary file {path.name!r} in {path.parent}.") from error
    except DamagedError as error:
        raise _damaged(path, error) from error
    try:
        header = _header(path, file.metadata)
        return replace(_parsed(header), members=tuple(map(_member, header.get("members", ())))), file
    except DamagedError as error:
        raise _damaged(path, error) from error
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise _lacking(path, error) from error


def _damaged(path: Path, error: DamagedError) -> ValueError:
    return ValueError(f"The dictionary {path.name!r} {error}. Fit, copy or download it again.")


def _lacking(path: Path, error: Exception) -> ValueError:
    return _damaged(path, DamagedError(f"does not hold what a dictionary does{missing(error)}"))


def _header(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    if metadata.get("kind") != KIND:
        raise ValueError(
            f"{path.name!r} is not a SupSAE dictionary. Choose a file made by the Fit node or 'supsae fit'."
        )
    try:
        version, header = int(metadata["format_version"]), json.loads(metadata["header"])
    except (KeyError, ValueError, RecursionError) as error:
        raise _damaged(path, DamagedError(f"has a damaged header{missing(error)}")) from error
    if not isinstance(header, dict):
        raise _damaged(path, DamagedError("has a header that is no JSON object"))
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
        raise DamagedError(f"does not say of {len(table.categories)} categories whether they are 'identified'")
    if not all(isinstance(header[key], dict) for key in ("provenance", "report")):
        raise DamagedError("has no JSON objects as 'provenance' and 'report'")
    return Header(
        table=table,
        family=family_from_json(header["family"]),
        parts=tuple(header["parts"]),
        identified=tuple(bool(one) for one in header["identified"]),
        slider=tuple((number(s, "slider"), number(a, "slider")) for s, a in header["slider"]),
        provenance=header["provenance"],
        report=readable(header["report"]),
        operators=tuple(header.get("operators", ())),
        streams=tuple(header.get("streams", ())),
        centres=tuple(number(one, "centres") for one in header.get("centres", ())),
        tolerance=number(header.get("tolerance", Dictionary.tolerance), "tolerance"),
        sliders=maps_from_json(header.get("sliders", {}), [str(concept) for concept in table.concepts]),
    )


def _member(header: Mapping[str, Any]) -> MemberHeader:
    """Read what a file says of a member; it has none itself."""
    found, names = _parsed(header), header["names"]
    if not isinstance(names, list) or len(names) != len(found.table):
        raise DamagedError(f"does not say what each of {len(found.table)} concepts of a member is called")
    if not all(name is None or isinstance(name, str) for name in names):
        raise DamagedError("names concepts of a member by something else than texts")
    return MemberHeader(found, tuple(names))


def _united(header: Header, tensors: Mapping[str, Tensor]) -> Dictionary:
    """Rebuild a combined dictionary of its members."""
    some = []
    for place, (said, names) in enumerate(header.members):
        start = f"{place}/"
        own = {key[len(start) :]: tensor for key, tensor in tensors.items() if key.startswith(start)}
        member = _build(said, own)
        check_dictionary(member)
        some.append(Spelled(member, names))
    if any(one.dictionary.family != header.family for one in some):
        raise DamagedError("has members of other text encoders than its own")
    try:
        made = unite(some)
    except (TableError, StopIteration) as error:
        raise DamagedError("has members whose concepts make no table") from error
    if made.table != header.table or set(header.streams) != set(made.streams):
        raise DamagedError("has members that do not make what it says it holds")
    own = {"slider": header.slider, "sliders": header.sliders, "tolerance": header.tolerance}
    return replace(made, provenance=header.provenance, report=header.report, **own)


def _build(header: Header, tensors: Mapping[str, Tensor]) -> Dictionary:
    if header.members:
        return _united(header, tensors)

    def held(kind: type[_Held], name: str) -> _Held:
        there = (f.name for f in fields(kind) if f.name not in OPTIONAL or f"{name}.{f.name}" in tensors)
        return kind(**{one: _unpacked(tensors[f"{name}.{one}"]) for one in there})

    def levels(name: str) -> tuple[Codes, ...]:
        return tuple(held(Codes, f"{name}#{bucket}") for bucket in range(len(header.centres)))

    def operator(name: str) -> Operator:
        start = f"{name}.{OPERATOR}."
        return operator_from({key[len(start) :]: _unpacked(x) for key, x in tensors.items() if key.startswith(start)})

    parts = {name: held(Part, name) for name in header.parts}
    streams = {name: levels(name) for name in header.streams}
    operators = {name: operator(name) for name in header.operators}
    return Dictionary(**{**vars(header), "parts": parts, "operators": operators, "streams": streams, "members": ()})


def _packed(tensor: Tensor) -> Tensor:
    """Return a copy in half precision where that loses nothing: fitting rounds codes and decoder to it."""
    half = tensor.half()
    return (half if tensor.is_floating_point() and torch.equal(half.float(), tensor) else tensor).clone().contiguous()


def _unpacked(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor
