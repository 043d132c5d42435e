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
from ..baselines import position_delta, table
from ..baselines.table import Baseline, ToldBaseline
from .aligned import as_paired
from .asked import Asked
from .trivial import PhraseMeans

OURS, TOLD, LEVELS = "SupSAE", "SupSAE, told where", "SupSAE, levels alone"
REPLACE, SHORTCUT = "replace", "shortcut"
TEMPLATES = ("a picture with {}", "we see {}", "{}")
"""Texts that the position-wise delta encodes every phrase in."""
DELTA = "position-wise delta"
SLOW = ("paper, all dimensions", "TopK auto-encoder")
"""Baselines that need more time than SupSAE."""
BASELINES: dict[str, Callable[..., Baseline]] = {
    name: fit for name, fit in table.BASELINES.items() if name not in (*SLOW, DELTA)
}
"""All others of ``evaluation/baselines`` that learn from a capture's prompts."""
TOLD_BASELINES: dict[str, Callable[..., ToldBaseline]] = dict(table.TOLD)
"""Those that are shown the prompt's words too."""
IN_PLACE = ("poles beside the prompt",)
"""Of them, those that know rows by their numbers."""


class Rival(NamedTuple):
    """One way to edit rows."""

    edit: Callable[[Asked, Encoded, Encoded], Tensor]
    """(case, prompt, rewrite) → rows (L, width); ValueError where it refuses. Of the rewrite only its words are used"""
    in_place: bool = False
    """whether it knows rows by their numbers alone, so that it is held against the rewrite's rows of the same ones"""


def of_table(capture: Capture, host: TextHost) -> dict[str, Rival]:
    """Fit those who learn from the table alone, whatever is captured of it."""
    return {DELTA: by_baseline(position_delta.fit(capture, host, TEMPLATES))}


def of_dictionary(dictionary: Dictionary, capture: Capture) -> dict[str, Rival]:
    """Return SupSAE in three forms and the trivial edits.

    Args:
        capture: that the dictionary was fitted to.
    """
    levels, means = replace(dictionary, operators={}), PhraseMeans.fit(capture)
    return {
        OURS: Rival(lambda asked, before, _: as_paired(apply(dictionary, before.cond, None, asked.case.edits))),
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
        made[name] = by_baseline(fit(capture, host))
    for name, fit in TOLD_BASELINES.items():
        made[name] = by_told(fit(capture, host), name in IN_PLACE)
    return made


def _told(dictionary: Dictionary, asked: Asked, before: Encoded, after: Encoded) -> Tensor:
    """Edit at the true places, without reading."""
    return as_paired(apply(dictionary, before.cond, None, asked.case.edits, known_reading(dictionary, before)))


def by_baseline(baseline: Baseline) -> Rival:
    """Tell a baseline the concepts said before and after."""

    def edit(asked: Asked, before: Encoded, after: Encoded) -> Tensor:
        return baseline.edit(before.cond, before.pooled, asked.case.before, asked.case.after)[0]

    return Rival(edit, in_place=True)


def by_told(baseline: ToldBaseline, in_place: bool) -> Rival:
    """Show a baseline the prompt as well."""

    def edit(asked: Asked, before: Encoded, after: Encoded) -> Tensor:
        return baseline.edit(before, asked.case.before, asked.case.after)[0]

    return Rival(edit, in_place)
