"""A family as JSON, so that a capture or a dictionary of a family that nobody else knows can still be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from ...files import missing
from ..base import Encoder, Family, Pooled, RowLayout
from ..chunked import Chunked
from ..padded import Padded
from ..templated import Templated
from . import FAMILIES

LAYOUTS: dict[str, type] = {"chunked": Chunked, "padded": Padded, "templated": Templated}
"""Name of a layout in files → its class."""


def family_to_json(family: Family) -> str | dict[str, Any]:
    """Return the name of a family that every SupSAE knows, or all of another one."""
    if FAMILIES.get(family.name) == family:
        return family.name
    return {
        **asdict(family),
        "encoders": [_encoder_to_json(encoder) for encoder in family.encoders],
        "pooled": [asdict(one) for one in family.pooled],
    }


def family_from_json(data: Any) -> Family:
    """Rebuild what ``family_to_json`` returned.

    Raises:
        ValueError: naming what is unknown or does not fit.
    """
    if isinstance(data, str):
        if data not in FAMILIES:
            raise ValueError(f"text of the family {data!r}; this SupSAE knows {', '.join(FAMILIES)}. Update SupSAE.")
        return FAMILIES[data]
    try:
        encoders = tuple(Encoder(**{**one, "layout": _layout_from_json(one["layout"])}) for one in data["encoders"])
        pooled = tuple(Pooled(**one) for one in data["pooled"])
        family = Family(**{**data, "encoders": encoders, "pooled": pooled})
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"text of a family that is not described in full{missing(error)}.") from error
    if family.name in FAMILIES and family != FAMILIES[family.name]:
        raise ValueError(f"text that claims to be of the family {family.name!r} and is laid out otherwise.")
    return family


def _encoder_to_json(encoder: Encoder) -> dict[str, Any]:
    kind = next(name for name, one in LAYOUTS.items() if type(encoder.layout) is one)
    return {**asdict(encoder), "layout": {"kind": kind, **asdict(encoder.layout)}}  # type: ignore[call-overload]


def _layout_from_json(data: Mapping[str, Any]) -> RowLayout:
    kind = LAYOUTS.get(str(data["kind"]))
    if kind is None:
        raise ValueError(f"text in the layout {data['kind']!r}; this SupSAE knows {', '.join(LAYOUTS)}. Update SupSAE.")
    known = {one.name: one for one in fields(kind)}
    values = {name: value for name, value in data.items() if name != "kind"}
    for name, value in values.items():
        if name not in known or type(value) not in (int, bool) or not 0 <= value < 2**20:
            raise ValueError(f"text in a layout whose {name!r} is {value!r}.")
    return kind(**values)
