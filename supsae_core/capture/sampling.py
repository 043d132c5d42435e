"""What a capture of activations records while it samples pictures, and how these are sampled: a part of its plan."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from ..encoders.base import Family
from ..encoders.fingerprints import SAME, distance
from ..encoders.sites import Site, parse_sites
from ..encoders.streams import IMAGE, PIXELS, name_of
from ..files import number, whole_number

ROUNDING = 1e-4
"""Largest difference of noise levels that are the same, computed by two hosts."""


@dataclass(frozen=True)
class Sampling:
    """Everything that decides what is recorded, apart from the prompts."""

    sites: tuple[Site, ...]
    """``txt@i`` and ``img@i``"""
    steps: int
    cfg: float
    width: int
    """of the pictures, in pixels"""
    height: int
    image: str
    """reduction of the image stream, one of ``streams.IMAGE``"""
    buckets: int
    """runs of steps that are summed up apart"""
    sigmas: tuple[float, ...]
    """noise level of every step"""
    hidden: int
    """width of the streams"""
    fingerprint: Mapping[str, tuple[float, ...]]
    """site → projected activations for the probe prompts: which model this is"""

    def __post_init__(self) -> None:
        foreign = [str(site) for site in self.sites if site.kind not in ("txt", "img")]
        if foreign or not self.sites:
            raise ValueError(
                f"Activations are captured at txt@i and img@i, not at {', '.join(foreign) or 'no site'}. cond and "
                "pooled are in every capture."
            )
        if self.image not in IMAGE:
            raise ValueError(f"There is no reduction {self.image!r} of the image stream. Choose {', '.join(IMAGE)}.")
        if not 1 <= self.buckets <= self.steps or len(self.sigmas) != self.steps:
            raise ValueError(
                f"{self.steps} steps at {len(self.sigmas)} noise levels cannot be divided into {self.buckets} buckets. "
                "Take more steps or fewer buckets."
            )
        if min(self.width, self.height) < PIXELS or self.width % PIXELS or self.height % PIXELS:
            raise ValueError(
                f"A picture of {self.width} × {self.height} does not fit SD3. Width and height are multiples of "
                f"{PIXELS}."
            )

    @property
    def tokens(self) -> int:
        """Number of image tokens."""
        return (self.width // PIXELS) * (self.height // PIXELS)

    @property
    def runs(self) -> tuple[range, ...]:
        """The steps of every bucket: neighbours, as equally many as can be."""
        return tuple(range(int(run[0]), int(run[-1]) + 1) for run in np.array_split(range(self.steps), self.buckets))

    @property
    def centres(self) -> tuple[float, ...]:
        """Mean noise level of every bucket."""
        return tuple(math.fsum(self.sigmas[step] for step in run) / len(run) for run in self.runs)

    def parts(self, family: Family) -> dict[str, Site]:
        """Return what is summed up, name → site: of a text stream the rows of every segment of the family."""
        made: dict[str, Site] = {}
        for site in self.sites:
            kinds = list(family.segments) if site.kind == "txt" else [self.image]
            made |= {name_of(site, rows): site for rows in kinds}
        return made

    def to_json(self) -> dict[str, Any]:
        """Return what ``from_json`` reads."""
        return {**asdict(self), "sites": [str(site) for site in self.sites]}


def from_json(data: Mapping[str, Any]) -> Sampling:
    """Rebuild what ``Sampling.to_json`` returned."""
    return Sampling(
        **{
            **data,
            **{name: whole_number(data[name], name) for name in ("steps", "width", "height", "buckets", "hidden")},
            "cfg": number(data["cfg"], "cfg"),
            "sites": tuple(parse_sites(", ".join(data["sites"]))),
            "sigmas": tuple(number(one, "sigmas") for one in data["sigmas"]),
            "fingerprint": fingerprint_from_json(data["fingerprint"]),
        }
    )


def fingerprint_from_json(data: Mapping[str, Sequence[Any]]) -> dict[str, tuple[float, ...]]:
    """Rebuild a fingerprint: site → numbers."""
    return {site: tuple(number(one, "fingerprint") for one in values) for site, values in data.items()}


def difference(one: Sampling | None, other: Sampling | None) -> str:
    """Say what two differ in, or nothing; noise levels and fingerprints agree up to rounding."""
    if one is None or other is None:
        return "" if one is other else "kind, with or without activations"
    if distance(one.fingerprint, other.fingerprint) > SAME or one.hidden != other.hidden:
        return "model, or other sites"
    if not _close(one.sigmas, other.sigmas):
        return "number of steps, or other noise levels"
    alike = replace(other, fingerprint=one.fingerprint, sigmas=one.sigmas)
    return "" if one == alike else "way of sampling"


def _close(one: Sequence[float], other: Sequence[float]) -> bool:
    return len(one) == len(other) and all(abs(a - b) <= ROUNDING for a, b in zip(one, other, strict=True))
