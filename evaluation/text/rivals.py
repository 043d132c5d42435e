"""Everyone who edits rows of text, learnt from one capture: SupSAE in three forms, trivial edits, and the baselines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from torch import Tensor

from ...supsae_core.capture.captures import Capture, Encoded
from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.editing.apply import apply
from ...supsae_core.host import TextHost
from ...training.calibration import known_reading
from ..baselines import flattened_ridge, mean_difference, paper, position_delta
from ..baselines.table import Baseline
from .asked import Asked
from .trivial import PhraseMeans

OURS, TOLD, LEVELS = "SupSAE", "SupSAE, told where", "SupSAE, levels alone"
REPLACE, SHORTCUT = "replace", "shortcut"
TEMPLATES = ("a picture with {}", "we see {}", "{}")
"""Texts that the position-wise delta encodes every phrase in."""
BASELINES: dict[str, Callable[..., Baseline]] = {
    "flattened ridge": flattened_ridge.fit,
    "broadcast mean difference": mean_difference.fit,
    "paper": paper.fit,
}
"""Those of ``evaluation/baselines`` that need no more time than SupSAE."""
DELTA = "position-wise delta"


class Rival(NamedTuple):
    """One way to edit rows."""

    edit: Callable[[Asked, Encoded, Encoded], Tensor]
    """(case, prompt, rewrite) → rows (L, width); ValueError where it refuses. Of the rewrite only its words are used"""
    in_place: bool = False
    """whether it knows rows by their numbers alone, so that it is held against the rewrite's rows of the same ones"""


def of_table(capture: Capture, host: TextHost) -> dict[str, Rival]:
    """Fit those who learn from the table alone, whatever is captured of it."""
    return {DELTA: _by_baseline(position_delta.fit(capture, host, TEMPLATES))}


def of_dictionary(dictionary: Dictionary, capture: Capture) -> dict[str, Rival]:
    """Return SupSAE in three forms and the trivial edits.

    Args:
        capture: that the dictionary was fitted to.
    """
    levels, means = replace(dictionary, operators={}), PhraseMeans.fit(capture)
    return {
        OURS: Rival(lambda asked, before, _: apply(dictionary, before.cond, None, asked.case.edits).cond),
        TOLD: Rival(partial(_told, dictionary)),
        LEVELS: Rival(partial(_told, levels)),
        REPLACE: Rival(partial(means.edit, kept=False)),
        SHORTCUT: Rival(partial(means.edit, kept=True)),
    }


def rivals(dictionary: Dictionary, capture: Capture, host: TextHost) -> dict[str, Rival]:
    """Fit everyone else to a capture.

    Args:
        dictionary: fitted to it.
    """
    made = of_dictionary(dictionary, capture)
    for name, fit in BASELINES.items():
        made[name] = _by_baseline(fit(capture, host))
    return made


def _told(dictionary: Dictionary, asked: Asked, before: Encoded, after: Encoded) -> Tensor:
    """Edit at the true places, without reading."""
    return apply(dictionary, before.cond, None, asked.case.edits, known_reading(dictionary, before)).cond


def _by_baseline(baseline: Baseline) -> Rival:
    def edit(asked: Asked, before: Encoded, after: Encoded) -> Tensor:
        return baseline.edit(before.cond, before.pooled, asked.case.before, asked.case.after)[0]

    return Rival(edit, in_place=True)
