"""What became of a case: what is seen in its picture, whether the edit shows, and what else is as it was."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..portraits.reader import UNREADABLE
from .cases import Case
from .intervals import Interval, share

Read = Mapping[str, str]
"""Category → value or ``unreadable``."""


class Observed(NamedTuple):
    """What is seen in a picture."""

    read: Read
    second: Read
    """by the second reader"""
    artifact: bool
    let_through: float
    """share of the picture that the lock let the edit change; 1 without a lock"""


class Outcome(NamedTuple):
    """Whether an edit did what it should, by one reader."""

    success: bool
    """every category asked for reads as wanted"""
    kept: dict[str, bool]
    """every other category → whether it reads as in the unedited picture of the same seed"""

    @property
    def all_kept(self) -> bool:
        return all(self.kept.values())

    @property
    def both(self) -> bool:
        return self.success and self.all_kept


class JudgedCase(NamedTuple):
    """A case that was drawn in one way, and what became of it."""

    case: Case
    look: Observed
    outcome: Outcome
    second: Outcome
    """by the second reader, which also reads the unedited picture"""


def judge(before: Read, after: Read, wanted: Read) -> Outcome:
    """Judge one picture by its readings; what is unreadable counts against both."""
    same = {name: value == before[name] != UNREADABLE for name, value in after.items() if name not in wanted}
    return Outcome(all(after[name] == value != UNREADABLE for name, value in wanted.items()), same)


def judge_all(
    cases: Sequence[Case], before: Sequence[Observed], after: Sequence[Observed], rewrite: Sequence[Observed]
) -> list[JudgedCase]:
    """Judge every picture against the unedited one; after a removal what the rewrite's picture shows is wanted."""
    found = []
    for case, was, made, words in zip(cases, before, after, rewrite, strict=True):
        first = judge(was.read, made.read, _wanted(case, words.read))
        second = judge(was.second, made.second, _wanted(case, words.second))
        found.append(JudgedCase(case, made, first, second))
    return found


def _wanted(case: Case, rewrite: Read) -> dict[str, str]:
    return {category: value or rewrite[category] for category, value in case.wanted.items()}


def shares(outcomes: Sequence[Outcome]) -> dict[str, Interval]:
    """Return how often the edit shows, how often all else is kept, and how often both."""
    return {
        "success": share([one.success for one in outcomes]),
        "kept": share([one.all_kept for one in outcomes]),
        "both": share([one.both for one in outcomes]),
    }


def total_variation(one: Sequence[str], other: Sequence[str]) -> float:
    """Return half the summed difference of the two lists' value frequencies, 0 … 1."""
    a, b = Counter(one), Counter(other)
    return sum(abs(a[value] / len(one) - b[value] / len(other)) for value in {*a, *b}) / 2
