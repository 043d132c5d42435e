"""Who stands where in captured prompts: rows are typed by content once a fit, and known by the text from then on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from ..encoders.base import Rows
from ..encoders.layout import Layout
from ..encoders.placing import layout_of, rows_of
from .captures import Encoded
from .plan import Entry, TextPlan

RECENT = 4096
"""Layouts that are kept, of some 10 kB: a fit goes over its prompts three times. Of more prompts each is laid out anew,
but for its rewrites, which are next to it."""


class Typed:
    """The rows of prompts, each typed the first time it is asked for. Built per fit and dropped."""

    def __init__(self, plan: TextPlan) -> None:
        self._plan = plan
        self._known, self._same = dict[str, Rows](), dict[tuple[object, ...], Rows]()
        self._recent = dict[tuple[object, ...], Mapping[str, Layout]]()

    def rows(self, row: Encoded) -> Rows:
        """Return the rows of a prompt, whose conditioning is looked at only if it was not seen before."""
        text = row.entry.prompt.text
        if text not in self._known:
            self._know(text, rows_of(row.cond, self._plan.family))
        return self._known[text]

    def _know(self, text: str, found: Rows) -> None:
        key = (found.total, *found.own.items())  # most prompts are typed alike: one copy serves them
        self._known[text] = self._same.setdefault(key, found)

    def numbers(self, entries: Iterable[Entry]) -> Tensor:
        """Return (n, 1 + 2 · encoders): a prompt's rows, then where those of each encoder begin and end; 0 if not seen.

        ``learn`` is the inverse.
        """
        names = [encoder.name for encoder in self._plan.family.encoders]
        nothing = Rows(dict.fromkeys(names, range(0)), 0)
        known = [self._known.get(entry.prompt.text, nothing) for entry in entries]
        return torch.tensor([[one.total, *(x for name in names for x in _ends(one.own[name]))] for one in known])

    def learn(self, entries: Iterable[Entry], numbers: Tensor) -> None:
        """Take over what another has seen."""
        names = [encoder.name for encoder in self._plan.family.encoders]
        for entry, (total, *ends) in zip(entries, numbers.tolist(), strict=True):
            own = {name: range(*ends[2 * at : 2 * at + 2]) for at, name in enumerate(names)}
            self._know(entry.prompt.text, Rows(own, total))

    def layouts(self, row: Encoded) -> Mapping[str, Layout]:
        """Return encoder → who stands where; an encoder that says nothing is left out."""
        self.rows(row)
        return self.layouts_of(row.entry)

    def layouts_of(self, entry: Entry) -> Mapping[str, Layout]:
        """Return the same of a prompt that was seen before."""
        plan, rows = self._plan, self._known[entry.prompt.text]
        key = (entry.prompt, *entry.counts.items())
        if key not in self._recent:
            while len(self._recent) >= RECENT:
                del self._recent[next(iter(self._recent))]
            self._recent[key] = layout_of(plan.family, plan.table, entry.prompt, entry.counts, rows)
        return self._recent[key]


def _ends(rows: range) -> tuple[int, int]:
    return rows.start, rows.stop
