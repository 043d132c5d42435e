"""Calibrate a concept's slider on pictures of one's own: equal steps of the slider, equal steps of the picture.

docs/method.md, 14. The pictures are those of a strength sweep; how far each has gone is the projection of ``evenness``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from einops import rearrange
from torch import Tensor

from ..dictionary.model import Dictionary
from ..dictionary.slider_map import Knot, SliderMap
from .edits import STRENGTHS, AnyEdit, Edit, Scale, spell_edit
from .evenness import Along, along

BETWEEN = 3
"""Positions between 0 and 1 that a calibration needs at least."""
BACK = 0.25
"""Share of its way between 0 and 1 that the typical picture may go backwards."""
ON = 0.01
"""Of the way from 0 to 1, what a step beyond must go further to count as one."""
GRID = tuple(i / 8 for i in range(1, 8))
"""Positions between 0 and 1 at which the map has a knot, as the dictionary's own."""


def require_calibratable(dictionary: Dictionary, edits: Sequence[AnyEdit], positions: Sequence[float]) -> int:
    """Return the concept whose slider a sweep of these edits, their strengths times the positions, can calibrate.

    Raises:
        ValueError: if it is not one edit of one concept at strength 1, or the positions are too few.
    """
    named = [one for one in edits if isinstance(one, Edit)]
    if len(edits) != 1 or not named:
        raise ValueError(
            f"A slider is calibrated with one edit of one concept, not with {len(edits)}: "
            f"{', '.join(map(spell_edit, edits))}. Connect one Concept Edit alone, or do not calibrate."
        )
    if isinstance(named[0], Scale):
        raise ValueError(
            f"{spell_edit(named[0])!r} cannot be calibrated: there the strength is a factor, which no slider map "
            "changes. Choose swap, add or remove."
        )
    if named[0].strength != 1:
        raise ValueError(
            f"The numbers of the sweep are positions of the slider only where the edit has strength 1, and "
            f"{spell_edit(named[0])!r} has not. Set it to 1 in Concept Edit."
        )
    _check_positions(sorted(positions))
    return dictionary.table.index(named[0].concept)


def calibrated(dictionary: Dictionary, concept: int, pictures: Tensor, positions: Sequence[float]) -> Dictionary:
    """Return the dictionary with a concept's slider calibrated; what it was calibrated to before is replaced.

    Args:
        pictures: (n, B, H, W, 3) in 0 … 1, drawn with this dictionary.
        positions: n of the concept's slider.

    Raises:
        ValueError: if the pictures cannot tell; says why.
    """
    made = slider_map(dictionary, concept, pictures, positions)
    return replace(dictionary, sliders={**dictionary.sliders, str(dictionary.table.concepts[concept]): made})


def slider_map(dictionary: Dictionary, concept: int, pictures: Tensor, positions: Sequence[float]) -> SliderMap:
    """Make the map such that at position p between 0 and 1 the mean picture has gone p of its way to that at 1.

    How far a picture has gone is held between 0 and 1, so that none weighs more than another, averaged over the
    pictures and made non-decreasing by least squares; the map is its inverse. Both ends stay what they were, and so
    does what lies beyond: pictures go little further there, however strong the edit.

    **Safe** is a position beyond while, of every step on the way to it from 0 downwards or from 1 upwards, most
    pictures go on the same way by more than ``ON``, and stay no farther beside it than they are somewhere between 0
    and 1. Where nothing was drawn nothing is safe.

    Raises:
        ValueError: as ``calibrated``.
    """
    order = sorted(range(len(positions)), key=positions.__getitem__)
    at = [float(positions[i]) for i in order]
    _check_positions(at)
    zero, one = at.index(0), at.index(1)
    ways = _ways(rearrange(pictures[order].double(), "n b h w c -> b n (h w c)"), zero, one)
    inside = slice(zero, one + 1)
    _check_forward([way.gone[inside] for way in ways])
    gone = isotonic(torch.stack([way.gone[inside].clamp(0, 1) for way in ways]).mean(0).tolist())
    applied = [dictionary.strength(position, concept) for position in at[inside]]
    made = [(dictionary.strength(position), _inverse(position, gone, applied)) for position in GRID]
    low, high = (at[_safe(ways, inside, out)] for out in (range(zero, -1, -1), range(one, len(at))))
    return SliderMap(_with_ends(dictionary, made), low, high)


def _check_positions(at: Sequence[float]) -> None:
    between = sum(0 < one < 1 for one in at)
    if not {0.0, 1.0} <= set(at) or len(set(at)) < len(at) or between < BETWEEN:
        raise ValueError(
            f"A slider is calibrated from 0, 1 and at least {BETWEEN} strengths between them, not from "
            f"{', '.join(f'{one:g}' for one in at)}. Write for example 0, 0.2, 0.4, 0.5, 0.6, 0.8, 1, 1.25."
        )


def _ways(rows: Tensor, zero: int, one: int) -> list[Along]:
    """Return where rows (B, n, N) are on their own ways; a picture that position 1 does not change tells nothing."""
    found = [along(own, own[zero], own[one]) for own in rows if not torch.equal(own[zero], own[one])]
    if not found:
        raise ValueError("Strength 1 changes nothing in any picture, so there is no way to measure. Take another edit.")
    return found


def _check_forward(gone: Sequence[Tensor]) -> None:
    steps = torch.stack(list(gone)).diff()
    back = float((steps.clamp(max=0).abs().sum(1) / steps.abs().sum(1)).median())
    if back > BACK:
        raise ValueError(
            f"Pictures do not go one way from strength 0 to 1: {back:.0%} of what they go is back again, and at most "
            f"{BACK:.0%} may be. No map makes that even. Take another seed, or another edit."
        )


def isotonic(values: Sequence[float]) -> list[float]:
    """Return the non-decreasing values nearest to some by least squares: neighbours that fall share their mean."""
    blocks: list[tuple[float, int]] = []
    for value in values:
        blocks.append((value, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (last, m), (mean, n) = blocks.pop(), blocks.pop()
            blocks.append(((mean * n + last * m) / (n + m), n + m))
    return [mean for mean, count in blocks for _ in range(count)]


def _inverse(wanted: float, gone: Sequence[float], applied: Sequence[float]) -> float:
    """Return the strength at which so much of 1 is gone; a plateau is crossed as if it rose a little."""
    rising = [one + 1e-9 * i for i, one in enumerate(gone)]
    i = next(i for i, one in enumerate(rising) if one >= wanted)
    share = (wanted - rising[i - 1]) / (rising[i] - rising[i - 1])
    return applied[i - 1] + share * (applied[i] - applied[i - 1])


def _with_ends(dictionary: Dictionary, made: Sequence[Knot]) -> tuple[Knot, ...]:
    """Return the knots that rise, and those from which on the dictionary's own map is left as it is."""
    least, one, most = (dictionary.strength(end) for end in (STRENGTHS[0], 1.0, STRENGTHS[1]))
    found = [(least, least), (0.0, 0.0)]
    for x, y in [*made, (one, one), (most, most)]:
        if found[-1][0] < x and found[-1][1] < y and (x >= one or y < one):
            found.append((x, y))
    return tuple(knot for knot in found if knot != (0.0, 0.0))


def _safe(ways: Sequence[Along], inside: slice, out: range) -> int:
    """Return the number of the farthest position of ``out`` that is safe, its first one at least."""
    widest = [float(way.off[inside].max()) for way in ways]
    for here, there in zip(out, out[1:], strict=False):
        on = [out.step * float(way.gone[there] - way.gone[here]) for way in ways]
        kept = [float(way.off[there]) <= wide for way, wide in zip(ways, widest, strict=True)]
        good = sum(forward > ON and near for forward, near in zip(on, kept, strict=True))
        if 2 * good <= len(ways):
            return here
    return out[-1]
