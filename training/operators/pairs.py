"""Prompts beside their rewrites: which phrase changed, and which rows stand for one another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ...supsae_core.capture.captures import Encoded
from ...supsae_core.encoders.layout import Layout
from ...supsae_core.table.prompts import Prompt


class RewritePair(NamedTuple):
    """Two prompts that differ in one phrase."""

    before: Encoded
    after: Encoded
    old: int | None
    """which mention of the first is replaced or removed; None if a phrase is added"""
    new: int | None
    """which mention of the second stands there; None if a phrase is removed"""

    @property
    def root(self) -> str:
        """The prompt that both were drawn from; a prompt and its rewrites belong in one fold."""
        return self.before.entry.root

    @property
    def phrases(self) -> tuple[int | None, int | None]:
        """The phrases that go and come."""
        sides = zip((self.before, self.after), (self.old, self.new), strict=True)
        went, came = (None if at is None else row.entry.prompt.mentions[at].phrase for row, at in sides)
        return went, came


def pairs_of(rows: Iterable[Encoded]) -> Iterator[RewritePair]:
    """Yield every prompt with each of its rewrites, in both directions; rewrites stand behind their prompt."""
    origin: Encoded | None = None
    for row in rows:
        if not row.entry.of:
            origin = row
        elif origin is not None and origin.entry.prompt.text == row.entry.of:
            places = changed_mentions(origin.entry.prompt, row.entry.prompt)
            if places is not None:
                yield RewritePair(origin, row, *places)
                yield RewritePair(row, origin, *reversed(places))


def changed_mentions(one: Prompt, other: Prompt) -> tuple[int | None, int | None] | None:
    """Return which mention of a prompt became which of its rewrite; None where nothing did, or more than one."""
    before, after = ([mention.phrase for mention in prompt.mentions] for prompt in (one, other))
    places = range(min(len(before), len(after)))
    at = next((place for place in places if before[place] != after[place]), len(places))
    if len(before) == len(after):
        return (at, at) if at < len(before) and before[at + 1 :] == after[at + 1 :] else None
    if len(before) == len(after) + 1 and before[at + 1 :] == after[at:]:
        return at, None
    if len(after) == len(before) + 1 and after[at + 1 :] == before[at:]:
        return None, at
    return None


class Aligned(NamedTuple):
    """Rows of a prompt and of its rewrite that stand for one another, and where the change begins."""

    here: list[int]
    there: list[int]
    first: int
    """row of the prompt at which its phrase stands, or before which the new one is added"""


def aligned_rows(pair: RewritePair, before: Layout, after: Layout) -> Aligned:
    """Align two layouts of one encoder: words before and behind the change, and every role in order."""
    old, new = (
        None if at is None else layout.spans[at].rows
        for at, layout in zip((pair.old, pair.new), (before, after), strict=True)
    )
    one, other = _words(before, old), _words(after, new)
    if old is not None:
        first = old[0]
        ahead = sum(row < first for row in one)
    else:
        assert new is not None
        behind = sum(row > new[-1] for row in other)
        ahead = len(one) - min(behind, len(one))
        ends = (*before.roles.end[-1:], *before.roles.after[:1])
        first = one[ahead] if ahead < len(one) else next(iter(ends), one[-1] + 1 if one else 0)
    start = sum(row < new[0] for row in other) if new is not None else sum(row < first for row in other)
    head = min(ahead, start)
    tail = min(len(one) - ahead, len(other) - start)
    here, there = one[:head] + one[len(one) - tail :], other[:head] + other[len(other) - tail :]
    for name, rows in before.roles.filled().items():
        if name != "other":
            found = list(zip(rows, getattr(after.roles, name), strict=False))
            here += [row for row, _ in found]
            there += [row for _, row in found]
    return Aligned(here, there, first)


def _words(layout: Layout, span: tuple[int, ...] | None) -> list[int]:
    """Return the rows of words in order, without a span's."""
    rows = {*layout.roles.other}.union(*(one.rows for one in layout.spans))
    return sorted(rows - set(span or ()))
