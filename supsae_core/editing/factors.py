"""Factors on the strengths of edits, written as a list such as ``0, 0.5, 1``."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .edits import STRENGTHS, AnyEdit, Keep, edit_name, scaled

MOST = 16
"""Factors of one list: every one is a picture."""


def parse_factors(text: str) -> tuple[float, ...]:
    """Return the factors in the order written.

    Raises:
        ValueError: naming what cannot be read, what stands twice, or how many there are.
    """
    found = tuple(_number(part.strip()) for part in text.split(","))
    if len(set(found)) < len(found):
        twice = next(one for index, one in enumerate(found) if one in found[:index])
        raise ValueError(f"The strength {twice:g} stands in the list twice. Write each once.")
    if len(found) > MOST:
        raise ValueError(f"These are {len(found)} strengths, and each is a picture. Write at most {MOST}.")
    return found


def multiplied(edits: Sequence[AnyEdit], factor: float) -> tuple[AnyEdit, ...]:
    """Return edits with their strengths times a factor.

    Raises:
        ValueError: if a strength leaves its range.
    """
    made = tuple(scaled(one, factor) for one in edits)
    low, high = STRENGTHS
    for one in made:
        if not isinstance(one, Keep) and not low <= one.strength <= high:
            raise ValueError(
                f"{factor:g} times the strength of {edit_name(one)!r} is {one.strength:g}, outside {low:g} … {high:g}. "
                "Write smaller numbers, or lower the strength in Concept Edit."
            )
    return made


def _number(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise ValueError(f"{text!r} is no number. Write strengths with commas between them, such as 0, 0.5, 1.")
    return found
