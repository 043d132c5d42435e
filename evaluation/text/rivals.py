"""Everyone who edits rows of text, learnt from one capture: SupSAE in three forms, trivial edits, and the baselines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

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
SLOWER = ("sparse direction", "paper")
"""Baselines that take longest to learn: ranks begin with them."""
MEANS = "phrase means"
"""What the trivial edits learn."""


class Rival(NamedTuple):
    """One way to edit rows."""

    edit: Callable[[Asked, Encoded, Encoded], Tensor]
    """(case, prompt, rewrite) → rows (L, width); ValueError where it refuses. Of the rewrite only its words are used"""
    in_place: bool = False
    """whether it knows rows by their numbers alone, so that it is held against the rewrite's rows of the same ones"""


def of_table(capture: Capture, host: TextHost) -> dict[str, Rival]:
    """Fit those who learn from the table alone, whatever is captured of it."""
    return {DELTA: by_baseline(position_delta.fit(capture, host, TEMPLATES))}


def of_dictionary(dictionary: Dictionary, capture: Capture, means: PhraseMeans | None = None) -> dict[str, Rival]:
    """Return SupSAE in three forms and the trivial edits.

    Args:
        capture: that the dictionary was fitted to.
        means: of its phrases, if they are learnt already.
    """
    levels, means = replace(dictionary, operators={}), means or PhraseMeans.fit(capture)
    return {
        OURS: Rival(lambda asked, before, _: as_paired(apply(dictionary, before.cond, None, asked.case.edits))),
        TOLD: Rival(partial(_told, dictionary)),
        LEVELS: Rival(partial(_told, levels)),
        REPLACE: Rival(partial(means.edit, kept=False)),
        SHORTCUT: Rival(partial(means.edit, kept=True)),
    }


def learns(capture: Capture, host: TextHost) -> dict[str, Callable[[], Any]]:
    """Return what everyone else learns from a capture, the slowest first."""
    every = {**BASELINES, **TOLD_BASELINES}
    some = sorted(every, key=lambda name: name not in SLOWER)
    return {**{name: partial(every[name], capture, host) for name in some}, MEANS: partial(PhraseMeans.fit, capture)}


def rivals(dictionary: Dictionary, capture: Capture, host: TextHost) -> dict[str, Rival]:
    """Fit everyone else to a capture.

    Args:
        dictionary: fitted to it.
    """
    return of_learnt(dictionary, capture, {name: learn() for name, learn in learns(capture, host).items()})


def of_learnt(dictionary: Dictionary, capture: Capture, learnt: Mapping[str, Any]) -> dict[str, Rival]:
    """Return everyone else, given what came of ``learns``; arguments else as of ``rivals``."""
    made = of_dictionary(dictionary, capture, learnt[MEANS])
    made |= {name: by_baseline(learnt[name]) for name in BASELINES}
    return made | {name: by_told(learnt[name], name in IN_PLACE) for name in TOLD_BASELINES}


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
