"""What the verdicts on a method's pictures come to: shares with their intervals, and paired comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, NamedTuple

from ...supsae_core.table.concepts import ConceptTable
from ..outcomes import Interval, Outcome, Read, failure_ratio, judge, paired_interval, share
from .tasks import Task

Json = dict[str, Any]


class Look(NamedTuple):
    """What is seen in a picture."""

    read: Read
    second: Read
    """by the second reader"""
    artifact: bool
    let_through: float
    """share of the picture that the lock let the edit change; 1 without a lock"""


class Judged(NamedTuple):
    """A method's pictures of a list of tasks, judged."""

    tasks: Sequence[Task]
    looks: Sequence[Look]
    outcomes: Sequence[Outcome]
    second: Sequence[Outcome]
    """the same by the second reader, which also reads the unedited pictures"""


def judged(tasks: Sequence[Task], before: Sequence[Look], after: Sequence[Look], rewrite: Sequence[Look]) -> Judged:
    """Judge every picture against the unedited one; a removal wants what the rewrite's picture shows."""
    rows = list(zip(tasks, before, after, rewrite, strict=True))
    first = [judge(b.read, a.read, _wanted(t, r.read)) for t, b, a, r in rows]
    second = [judge(b.second, a.second, _wanted(t, r.second)) for t, b, a, r in rows]
    return Judged(tasks, after, first, second)


def _wanted(task: Task, rewrite: Read) -> dict[str, str]:
    return {category: value or rewrite[category] for category, value in task.wanted.items()}


def figures(table: ConceptTable, one: Judged) -> Json:
    """Return success, kept and both, as they are and by category, and what else the pictures show.

    ``attribute_kept`` is over single attributes, ``…_said`` over those that the prompt says and ``…_open`` over those
    that it leaves open. ``by_category`` goes by the category edited.
    """
    found = {**_three(one.outcomes), "artifacts": interval_json(share([look.artifact for look in one.looks]))}
    found |= {name: interval_json(share(kept)) for name, kept in _attributes(table, one).items()}
    found["by_category"] = {
        name: _three([o for t, o in zip(one.tasks, one.outcomes, strict=True) if name in t.wanted])
        for name in dict.fromkeys(name for task in one.tasks for name in task.wanted)
    }
    found["second_reader"] = _three(one.second)
    if any(look.let_through < 1 for look in one.looks):
        found["let_through"] = round(sum(look.let_through for look in one.looks) / len(one.looks), 4)
    return found


def _three(outcomes: Sequence[Outcome]) -> Json:
    return {
        "success": interval_json(share([one.success for one in outcomes])),
        "kept": interval_json(share([one.all_kept for one in outcomes])),
        "both": interval_json(share([one.both for one in outcomes])),
    }


def _attributes(table: ConceptTable, one: Judged) -> dict[str, list[bool]]:
    made: dict[str, list[bool]] = {"attribute_kept": [], "attribute_kept_said": [], "attribute_kept_open": []}
    for task, outcome in zip(one.tasks, one.outcomes, strict=True):
        said = {table.concepts[index].category for index in task.before}
        for name, kept in outcome.kept.items():
            made["attribute_kept"].append(kept)
            made["attribute_kept_said" if name in said else "attribute_kept_open"].append(kept)
    return made


def compared(one: Judged, other: Judged) -> Json:
    """Return the paired differences, ``one`` − ``other``, and the ratio of their failures (not both)."""
    pairs = {
        name: ([getattr(o, attribute) for o in one.outcomes], [getattr(o, attribute) for o in other.outcomes])
        for name, attribute in (("success", "success"), ("kept", "all_kept"), ("both", "both"))
    }
    differences = {name: interval_json(paired_interval(*some)) for name, some in pairs.items()}
    return {**differences, "failures": interval_json(failure_ratio(*pairs["both"]))}


def interference(one: Judged) -> Json:
    """Return, by category edited, how often every other one changed or could not be read: [changed, cases]."""
    made: dict[str, dict[str, list[int]]] = {}
    for task, outcome in zip(one.tasks, one.outcomes, strict=True):
        for edited in task.wanted:
            for other, kept in outcome.kept.items():
                cell = made.setdefault(edited, {}).setdefault(other, [0, 0])
                cell[0] += not kept
                cell[1] += 1
    return made


def agreement(looks: Sequence[Look]) -> Json:
    """Return how often both readers say the same of what both can read, and what only one of them can."""
    both = [(look.read[name], look.second[name]) for look in looks for name in look.read]
    readable = [a == b for a, b in both if "unreadable" not in (a, b)]
    return {
        "agree": interval_json(share(readable)),
        "only_first_reads": interval_json(share([b == "unreadable" != a for a, b in both])),
        "only_second_reads": interval_json(share([a == "unreadable" != b for a, b in both])),
    }


def interval_json(interval: Interval) -> Json:
    """Round to what is printed; what is no number, such as a share of nothing, is null."""
    made = {name: round(value, 4) for name, value in zip(("estimate", "low", "high"), interval[:3], strict=True)}
    return {**{name: value if isfinite(value) else None for name, value in made.items()}, "count": interval.count}


def rounded(value: Any) -> Any:
    """Round every number of nested lists and objects to four places."""
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(one) for one in value]
    return round(value, 4) if isinstance(value, float) else value


def largest(rows: Mapping[str, Json], key: str) -> str:
    """Return the name of the row whose estimate is largest; of equal ones the first."""
    return max(rows, key=lambda name: rows[name][key]["estimate"] or 0.0)
