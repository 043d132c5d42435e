"""Factors on the strengths of edits, written as a list such as ``0, 0.5, 1``, or as a range: ``0 to 1 in 24``."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Sequence

from .edits import STRENGTHS, AnyEdit, Keep, edit_name, scaled

MOST, MOST_FRAMES = 16, 120
"""Factors of one list, and of one from here to here: every one is a picture."""
LETTERS = 2000
"""Of a list at most."""
STEP = 1e-4
"""Least step from one frame to the next: no picture tells less."""


def parse_factors(text: str) -> tuple[float, ...]:
    """Return the factors in the order written.

    Raises:
        ValueError: naming what cannot be read, what stands twice, or how many there are.
    """
    if len(text) > LETTERS:
        raise ValueError(
            f"The list of strengths has {len(text)} letters. Write at most {MOST} numbers, or 0 to 1 in 24."
        )
    words = text.split()
    if len(words) == 5 and [words[1].lower(), words[3].lower()] == ["to", "in"]:
        return _frames(words[0], words[2], words[4])
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


def _frames(first: str, last: str, count: str) -> tuple[float, ...]:
    low, high = _number(first), _number(last)
    frames = int(count) if count.isdecimal() and len(count) <= len(str(MOST_FRAMES)) else 0
    step = (high - low) / max(frames - 1, 1)
    if not 2 <= frames <= MOST_FRAMES or abs(step) < STEP:
        raise ValueError(
            f"From {low:g} to {high:g} in {reprlib.repr(count)} pictures cannot be made. Write two different strengths "
            f"and a number from 2 to {MOST_FRAMES}, such as 0 to 1 in 24."
        )
    return tuple(round(low + step * index, 6) for index in range(frames))


def _number(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise ValueError(
            f"{reprlib.repr(text)} is no number. Write strengths with commas between them, such as 0, 0.5, 1, or 0 to "
            "1 in 24."
        )
    return found
