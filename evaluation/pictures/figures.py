"""What the outcomes of many cases come to: shares with their intervals, and paired comparisons."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from einops import reduce

from ...portraits.reader import UNREADABLE
from ...supsae_core.table.concepts import ConceptTable
from ..intervals import failure_ratio, paired_interval, share
from ..outcomes import JudgedCase, Observed, shares

Json = dict[str, Any]
CHANGED = 0.1
"""A pixel belongs to the edit if strength 1 moves it by more than this share of the grey scale."""


def figures(table: ConceptTable, found: Sequence[JudgedCase]) -> Json:
    """Return success, kept and both, as they are and by category, and what else the pictures show.

    ``attribute_kept`` is over single attributes, ``…_said`` over those that the prompt says and ``…_open`` over those
    that it leaves open. ``by_category`` goes by the category edited.
    """
    looks = [one.look for one in found]
    made = {**three(found), "artifacts": share([look.artifact for look in looks]).json()}
    made |= {name: share(kept).json() for name, kept in _attributes(table, found).items()}
    edited: dict[str, list[JudgedCase]] = {}
    for one in found:
        for name in one.case.wanted:
            edited.setdefault(name, []).append(one)
    made["by_category"] = {name: three(some) for name, some in edited.items()}
    made["second_reader"] = three([one._replace(outcome=one.second) for one in found])
    if any(look.let_through < 1 for look in looks):
        made["let_through"] = round(sum(look.let_through for look in looks) / len(looks), 4)
    return made


def three(found: Sequence[JudgedCase]) -> Json:
    """Return success, kept and both."""
    counted = shares([one.outcome for one in found])
    return {name: value.json() for name, value in counted.items()}


def _attributes(table: ConceptTable, found: Sequence[JudgedCase]) -> dict[str, list[bool]]:
    made: dict[str, list[bool]] = {"attribute_kept": [], "attribute_kept_said": [], "attribute_kept_open": []}
    for one in found:
        said = one.case.said(table)
        for name, kept in one.outcome.kept.items():
            made["attribute_kept"].append(kept)
            made["attribute_kept_said" if name in said else "attribute_kept_open"].append(kept)
    return made


def compared(found: Sequence[JudgedCase], others: Sequence[JudgedCase]) -> Json:
    """Return the paired differences, ``found`` − ``others``, and the ratio of their failures (not both)."""
    pairs = [(one.outcome, other.outcome) for one, other in zip(found, others, strict=True)]
    answers = {
        "success": [(one.success, other.success) for one, other in pairs],
        "kept": [(one.all_kept, other.all_kept) for one, other in pairs],
        "both": [(one.both, other.both) for one, other in pairs],
    }
    differences = {name: paired_interval(*zip(*both, strict=True)).json() for name, both in answers.items()}
    return {**differences, "failures": failure_ratio(*zip(*answers["both"], strict=True)).json()}


def interference(found: Sequence[JudgedCase]) -> Json:
    """Return, by category edited, how often every other one changed or could not be read: [changed, cases]."""
    made: dict[str, dict[str, list[int]]] = {}
    for one in found:
        for edited in one.case.wanted:
            for other, kept in one.outcome.kept.items():
                cell = made.setdefault(edited, {}).setdefault(other, [0, 0])
                cell[0] += not kept
                cell[1] += 1
    return made


def agreement(looks: Sequence[Observed]) -> Json:
    """Return how often both readers say the same of what both can read, and what only one of them can."""
    both = [(look.read[name], look.second[name]) for look in looks for name in look.read]
    return {
        "agree": share([a == b for a, b in both if UNREADABLE not in (a, b)]).json(),
        "only_first_reads": share([b == UNREADABLE != a for a, b in both]).json(),
        "only_second_reads": share([a == UNREADABLE != b for a, b in both]).json(),
    }


def largest(rows: Mapping[str, Json], key: str) -> str:
    """Return the name of the row whose estimate is largest; of equal ones the first."""
    return max(rows, key=lambda name: rows[name][key]["estimate"] or 0.0)


def change(pictures: np.ndarray, whole: int) -> list[float]:
    """Return how far pictures (place, case, h, w, 3) of bytes are from those of place 0, inside what ``whole`` changes.

    The mean over these pixels; 0 if it changes none.
    """
    shown = pictures.astype(np.float32) / 255
    moved = reduce(np.abs(shown - shown[0]), "place case h w c -> place case h w", "mean")
    inside = moved[whole] > CHANGED
    return [float((one * inside).sum() / max(inside.sum(), 1)) for one in moved]
