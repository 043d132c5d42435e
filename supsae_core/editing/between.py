"""A slider between two concepts of one category, such as sad and happy, through the middle of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..dictionary.model import Dictionary
from .change import Change, Edit, require_unmentioned

ENDS = 1.5
"""Positions reach from here below 0 to here above."""


@dataclass(frozen=True)
class Between(Edit):
    """Say one concept at −1 and another at 1; in the middle lies neither, beyond the ends more of the one that is said.

    ``concept`` is the lower end and ``strength`` the position.
    """

    other: str = ""
    """the upper end, of the same category"""


def resolve_between(
    dictionary: Dictionary, ends: tuple[int, int], others: Sequence[int], position: float
) -> list[Change]:
    """Return the changes that bring the concepts of the category that are said to a position between two others."""
    low, high = ends
    if others:
        return [change for old in others for change in _from(dictionary, old, low, high, position)]
    if not position:
        return []
    end = high if position > 0 else low
    require_unmentioned(dictionary, end, "add")
    return [Change(None, end, dictionary.strength(abs(position), end))]


def _from(dictionary: Dictionary, old: int, low: int, high: int, position: float) -> list[Change]:
    """Return how a concept that is said gets to a position."""
    if old in (low, high):
        beyond = position * (1 if old == high else -1) - 1  # behind the end that is said already
        if beyond >= 0:
            return [Change(old, None, beyond, scale=True)] if beyond else []
        other = low if old == high else high
        return [Change(old, other, dictionary.strength(-beyond / 2, other))]
    end = high if position > 0 else low
    return [Change(old, end, dictionary.strength(abs(position), end))] if position else []
