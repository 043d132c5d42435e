"""When and where a row of a mix acts: in a part of sampling, inside a mask; sampling is cut where that changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

from .between import Between
from .edits import AnyEdit, Keep, Scale, Weigh
from .windows import Percent, Window

FADES = 4
"""Into how many steps a ramp is cut where strengths cannot glide."""


@dataclass(frozen=True)
class When:
    """When, and where in the picture, an edit acts."""

    window: Window = Window()
    inside: bool = False
    """only inside a mask"""


ALWAYS = When()


class TimeStretch(NamedTuple):
    """A part of sampling in which nothing changes."""

    start: Percent
    end: Percent
    edits: tuple[tuple[AnyEdit, AnyEdit], ...]
    """(what was asked, as strongly as it acts here)"""


def stretches(
    edits: Sequence[AnyEdit], whens: Mapping[AnyEdit, When], first: Percent = 0.0, last: Percent = 1.0
) -> list[TimeStretch]:
    """Cut sampling from ``first`` to ``last`` where an edit begins, ends or fades; at least one stretch.

    Args:
        whens: of edits that do not act always.
    """
    windows = [whens.get(one, ALWAYS).window for one in edits]
    inner = {edge for window in windows for edge in _edges(window) if first < edge < last}
    found: list[TimeStretch] = []
    for start, end in pairwise(sorted({first, last} | inner)):
        middle = (start + end) / 2
        weights = [window.weight(1 - middle, lambda percent: 1 - percent) for window in windows]
        some = tuple((one, here) for one, weight in zip(edits, weights, strict=True) if (here := faded(one, weight)))
        if found and found[-1].edits == some:
            found[-1] = found[-1]._replace(end=end)
        else:
            found.append(TimeStretch(start, end, some))
    return found


def faded(edit: AnyEdit, weight: float) -> AnyEdit | None:
    """Return an edit as it is part of the way, weight 0 … 1; None where there is nothing left of it.

    What lies between two concepts has no half way: it is made from the middle of a ramp on.
    """
    if isinstance(edit, Keep) or weight == 1:
        return edit
    if isinstance(edit, Between):
        return edit if weight >= 0.5 else None
    if not weight:
        return None
    still = 1.0 if isinstance(edit, Scale | Weigh) else 0.0
    return replace(edit, strength=still + (edit.strength - still) * weight)


def _edges(window: Window) -> list[Percent]:
    steps = [window.ramp * step / FADES for step in range(FADES + 1)] if window.ramp else [0.0]
    fade_in = [window.start + step for step in steps] if window.start > 0 else []
    fade_out = [window.end - step for step in steps] if window.end < 1 else []
    return [*fade_in, *fade_out]
