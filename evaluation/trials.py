"""What a run of edits found: every case with its pictures, readings and verdicts, and the numbers they come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..supsae_core.dictionary.model import Dictionary
from ..supsae_core.editing.edits import ACTIONS
from ..supsae_core.version import __version__
from .cases import Case
from .outcomes import Interval, Outcome, Read, Score, paired_interval, score, share

METHODS = ("before", "edited", "rewrite")
"""The three pictures of a case: the prompt as it is, SupSAE's edit of its conditioning, and the prompt rewritten."""


class Trial(NamedTuple):
    """One case and what came of it; the mappings go by method."""

    case: Case
    refused: str
    """why the edit was refused, or empty"""
    pictures: Mapping[str, np.ndarray]
    """(h, w, 3) bytes"""
    read: Mapping[str, Read]
    outcomes: Mapping[str, Outcome]
    """of every method but ``before``"""

    @property
    def action(self) -> str:
        """The edit's spelling, a key of ``ACTIONS``."""
        return next(name for name, edit in ACTIONS.items() if type(self.case.edit) is edit)


class Results(NamedTuple):
    """All that a report tells."""

    settings: Mapping[str, Any]
    """what the run was told: prompts, cases, held_out, seed, steps, cfg"""
    dictionary: Dictionary
    trials: list[Trial]
    located: float
    """share of (case, category) whose concept and exact words were found in the rows"""
    untouched: int
    """cases in which strength 0 returned the very same tensors"""
    seconds: Mapping[str, float]
    """step → what it took"""
    files: Mapping[str, Path]


class Group(NamedTuple):
    """The numbers of all trials with one kind of edit."""

    action: str
    scores: Mapping[str, Score]
    """method → score"""
    success: Interval
    """edited − rewrite, paired"""
    both: Interval
    """edited − rewrite, paired"""
    still: Mapping[str, Interval] | None
    """of removals: method → how often the picture still shows the value whose words are gone"""


def groups(trials: Sequence[Trial]) -> list[Group]:
    """Sum trials up by kind of edit, in the order of ``ACTIONS``; kinds without trials are left out."""
    by_action = {name: [trial for trial in trials if trial.action == name] for name in ACTIONS}
    return [_group(name, some) for name, some in by_action.items() if some]


def _group(action: str, trials: Sequence[Trial]) -> Group:
    outcomes = {method: [trial.outcomes[method] for trial in trials] for method in METHODS[1:]}
    edited, rewrite = outcomes["edited"], outcomes["rewrite"]
    still = {method: share([_still(trial, method) for trial in trials]) for method in METHODS}
    return Group(
        action,
        {method: score(some) for method, some in outcomes.items()},
        paired_interval([one.success for one in edited], [one.success for one in rewrite]),
        paired_interval([one.both for one in edited], [one.both for one in rewrite]),
        still if action == "remove" else None,
    )


def _still(trial: Trial, method: str) -> bool:
    return trial.read[method][trial.case.category] == trial.case.old


def numbers(results: Results) -> dict[str, Any]:
    """Return every number of a report, and every case, as JSON."""
    return {
        "format_version": 1,
        "tool": f"supsae {__version__}",
        "settings": dict(results.settings),
        "seconds": {name: round(value, 2) for name, value in results.seconds.items()},
        "located": results.located,
        "untouched": results.untouched,
        "groups": [_group_json(group) for group in groups(results.trials)],
        "cases": [_trial_json(trial) for trial in results.trials],
    }


def _group_json(group: Group) -> dict[str, Any]:
    made: dict[str, Any] = {"action": group.action}
    for method, one in group.scores.items():
        attributes = {name: value._asdict() for name, value in one.attributes.items()}
        shares = {name: getattr(one, name)._asdict() for name in ("success", "kept", "both")}
        made[method] = {**shares, "attributes": attributes}
    made["difference"] = {"success": group.success._asdict(), "both": group.both._asdict()}
    if group.still:
        made["still_shown"] = {method: one._asdict() for method, one in group.still.items()}
    return made


def _trial_json(trial: Trial) -> dict[str, Any]:
    return {
        "prompt": trial.case.prompt.text,
        "rewrite": trial.case.rewrite.text,
        "edit": f"{trial.action} {trial.case.edit.concept}",
        "seed": trial.case.seed,
        "refused": trial.refused,
        "read": {method: dict(read) for method, read in trial.read.items()},
        "success": {method: one.success for method, one in trial.outcomes.items()},
        "changed_besides": {
            method: [name for name, kept in one.kept.items() if not kept] for method, one in trial.outcomes.items()
        },
    }
