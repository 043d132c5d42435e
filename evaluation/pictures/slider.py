"""The slider's scale: a monotone map from slider position to strength along which the picture changes evenly.

Whether a concept shows is a threshold in strength: little happens up to a half, nearly all of it before one. The map
is measured on Portraits pictures (docs/method.md, 14); position 0 is no edit and 1 the effect of writing the word.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...hosts.diffusers import studio
from ...hosts.diffusers.studio import Studio
from ...supsae_core.capture.captures import Capture
from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.host import Progress
from ..cases import Case, answer, make_case, replaced
from .figures import change

STRENGTHS = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
POSITIONS = tuple(i / 8 for i in range(1, 9))
"""Slider positions 0.125 … 1 at which the map has a knot; beyond 1 the strength is the position."""
CASES = 28
"""Swaps drawn at every strength."""


def knots(strengths: Sequence[float], change: Sequence[float]) -> tuple[tuple[float, float], ...]:
    """Return (position, strength) knots such that the change grows in proportion to the position.

    Args:
        change: measured change at each strength; made non-decreasing first.

    The map runs through (1, 1) and goes on as the identity: beyond 1 there is nothing more to write.
    """
    grown = np.maximum.accumulate(np.asarray(change, float))
    grown = grown + 1e-6 * np.asarray(strengths)  # strictly increasing, so that it can be inverted
    whole = float(np.interp(1.0, strengths, grown))
    return (*((p, float(np.interp(p * whole, grown, strengths))) for p in POSITIONS[:-1]), (1.0, 1.0), (2.0, 2.0))


def calibration_cases(capture: Capture, count: int) -> list[Case]:
    """Return the first calibration prompts and their rewrites as swaps to draw."""
    table, entries = capture.plan.table, capture.plan.entries
    before = [entry.prompt for entry in entries if entry.set == "calibration"][:count]
    after = [entry.prompt for entry in entries if entry.set == "rewrite"][:count]
    found = []
    for seed, (prompt, rewrite) in enumerate(zip(before, after, strict=True)):
        changes = replaced(prompt.support(table), rewrite.support(table))
        found.append(replace(make_case(table, prompt, changes, seed), rewrite=rewrite))
    return found


def measure(
    models: Studio, dictionary: Dictionary, cases: Sequence[Case], progress: Progress | None = None
) -> list[float]:
    """Return the mean change of the pictures at each of ``STRENGTHS``, inside what strength 1 changes."""
    straight = replace(dictionary, slider=((1.0, 1.0),))
    conds, pooled = models.host.encode([case.prompt.text for case in cases])
    seeds = [case.seed for case in cases]
    drawn = []
    for index, strength in enumerate(STRENGTHS):
        asked = zip(cases, conds, pooled, strict=True)
        made = [answer(straight, *one, strength) for one in asked]
        rows, vectors, _ = zip(*made, strict=True)
        drawn.append(studio.draw_portraits(models, rows, vectors, seeds))
        if progress:
            progress(index + 1, len(STRENGTHS))
    return change(np.stack(drawn), STRENGTHS.index(1.0))


def scaled_slider(
    models: Studio, dictionary: Dictionary, capture: Capture, *, progress: Progress | None = None
) -> Dictionary:
    """Return the dictionary with its slider scaled on pictures of the capture's calibration prompts."""
    moved = measure(models, dictionary, calibration_cases(capture, CASES), progress)
    report = {**dictionary.report, "slider_change": [round(one, 4) for one in moved]}
    return replace(dictionary, slider=knots(STRENGTHS, moved), report=report)
