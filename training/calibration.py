"""Calibrate a dictionary on prompts and their rewrites: thresholds to read with, gains to edit with.

See docs/method.md, 10 and 13.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..supsae_core.capture.captures import Encoded
from ..supsae_core.dictionary.model import POOLED, Dictionary
from ..supsae_core.editing.apply import apply
from ..supsae_core.editing.edits import Swap, expected
from ..supsae_core.editing.outcome import TOOK, read_again
from ..supsae_core.encoders.layout import Layout
from ..supsae_core.reading.readout import Reading, read_conditioning, reading_of_prompt
from ..supsae_core.table import foreign
from ..supsae_core.table.prompts import other_words
from . import distributed
from .thresholds import with_cuts, with_tolerance

Mentioned = set[tuple[int, tuple[int, ...]]]
"""(concept, rows) of mentions."""
JUDGED = 16
"""Swaps in prompts kept aside, at most, that are read again."""
GAIN_RANGE = (0.8, 1.25)
"""A calibration outside means that the concept was poorly learnt (docs/method.md, 13)."""


def calibrate(dictionary: Dictionary, rows: Sequence[Encoded]) -> tuple[Dictionary, dict[str, Any]]:
    """Set thresholds and gains from the calibration prompts and their rewrites; report what they say."""
    known = [row for row in rows if row.entry.set == "calibration"]
    rewrites = [row for row in rows if row.entry.set == "rewrite"]
    dictionary = with_tolerance(with_cuts(dictionary, known), known)
    again = [read(dictionary, row) for row in rewrites]  # not the prompts that the thresholds were chosen on
    pairs = list(zip(known, rewrites, strict=True))
    gains, spread = _gains(dictionary, pairs)
    parts = {name: replace(part, gains=gains[name]) for name, part in dictionary.parts.items()}
    low, high = GAIN_RANGE
    overall = torch.stack(list(gains.values())).mean(0)
    named = zip(dictionary.table.concepts, overall.tolist(), strict=True)
    poorly = [str(concept) for concept, gain in named if not low <= gain <= high]
    report = {
        "locate": locate_accuracy(dictionary, again),
        "reading": reading_rates(dictionary, again),
        "found": found_rates(dictionary, again),
        "calibration": {name: {"mean": float(gain.mean()), "spread": spread[name]} for name, gain in gains.items()},
        "poorly_learnt": poorly,
    }
    made = replace(dictionary, parts=parts)
    taken = edits_taken(made, distributed.share_of(pairs[:: -(-len(pairs) // JUDGED)]))
    tried = torch.tensor([sum(taken), len(taken)], dtype=torch.float64)
    distributed.all_reduce(tried)
    report["edits"] = {"took": float(tried[0] / tried[1].clamp(min=1)), "count": float(tried[1])}
    return made, report


def edits_taken(dictionary: Dictionary, pairs: Sequence[tuple[Encoded, Encoded]]) -> list[bool]:
    """Swap in prompts kept aside, read from their rows alone, and tell of each whether it reads as asked afterwards."""
    found = []
    for before, after in pairs:
        swap = Swap(str(dictionary.table.concepts[swapped(dictionary, before, after)]))
        try:
            reading = read_conditioning(dictionary, before.cond, expected(dictionary.table, [swap]))
            made = apply(dictionary, before.cond, before.pooled, [swap], reading)
        except ValueError:  # no room, never captured, or nothing to be found in the rows
            found.append(False)
            continue
        again = read_again(dictionary, made)
        found.append(bool(again.outcomes) and all(one.verdict == TOOK for one in again.outcomes))
    return found


def known_reading(dictionary: Dictionary, row: Encoded) -> Reading:
    """Return the layout of a captured prompt as if it had been read without a fault."""
    return reading_of_prompt(dictionary, row.cond, row.entry.prompt, row.entry.counts)


class ReadRow(NamedTuple):
    """A captured prompt as it was read from its rows alone."""

    row: Encoded
    truth: Reading
    seen: Reading | None
    """None if too little was learnt to find even the end of the text"""

    def both(self, dictionary: Dictionary, members: Sequence[int]) -> tuple[Mentioned, Mentioned]:
        """Return the mentions of some concepts: what is said and what was read."""
        seen = set[tuple[int, tuple[int, ...]]]() if self.seen is None else _rows_of(dictionary, self.seen, members)
        return _rows_of(dictionary, self.truth, members), seen


def read(dictionary: Dictionary, row: Encoded) -> ReadRow:
    """Read a captured prompt."""
    truth = known_reading(dictionary, row)
    try:
        return ReadRow(row, truth, read_conditioning(dictionary, row.cond))
    except ValueError:
        return ReadRow(row, truth, None)


def locate_accuracy(dictionary: Dictionary, rows: Sequence[ReadRow]) -> float:
    """Return the share of (prompt, category) read right: concept and exact span, or unmentioned where it is."""
    found = list(chain.from_iterable(located(dictionary, row) for row in rows))
    return sum(one.exact for one in found) / max(len(found), 1)


def reading_rates(dictionary: Dictionary, rows: Sequence[ReadRow]) -> dict[str, float]:
    """Return shares of mentions found at their very words, in plain prompts and in those that share the table's words.

    With what is read where it is not said (``false``), as a share of all mentions, and the ``tolerance`` of weights.
    """
    every, said, found, false = range(len(dictionary.table)), [0, 0], [0, 0], 0
    for row in rows:
        truth, seen = row.both(dictionary, every)
        near = int(foreign.shares(dictionary.table, other_words(row.row.entry.prompt)))
        said[near] += len(truth)
        found[near] += len(truth & seen)
        false += len(seen - truth)
    names = [name for name, count in zip(("plain", "sharing"), said, strict=True) if count]
    shares = [some / count for some, count in zip(found, said, strict=True) if count]
    made = dict(zip(names, shares, strict=True))
    return {**made, "false": false / max(sum(said), 1), "tolerance": dictionary.tolerance}


def found_rates(dictionary: Dictionary, rows: Sequence[ReadRow]) -> dict[str, float]:
    """Return the share of a concept's mentions that is found, of those that are missed at all, worst first."""
    said, missed = Counter[int](), Counter[int]()
    for row in rows:
        truth, seen = row.both(dictionary, range(len(dictionary.table)))
        said.update(concept for concept, _ in truth)
        missed.update(concept for concept, _ in truth - seen)
    found = {str(dictionary.table.concepts[one]): 1 - count / said[one] for one, count in missed.items()}
    return dict(sorted(found.items(), key=lambda one: one[1]))


class Located(NamedTuple):
    """How a category of a prompt was read from its rows alone; read as unmentioned is right where it is."""

    exact: bool
    """concept and span are right"""
    named: bool
    """the concept is right, wherever it was found"""


def located(dictionary: Dictionary, row: ReadRow) -> list[Located]:
    """Hold what was read in a prompt's rows against its layout, category by category."""
    found = []
    for members in dictionary.table.categories.values():
        truth, seen = row.both(dictionary, members)
        named = {concept for concept, _ in seen} == {concept for concept, _ in truth}
        found.append(Located(row.seen is not None and seen == truth, row.seen is not None and named))
    return found


def _rows_of(dictionary: Dictionary, reading: Reading, members: Sequence[int]) -> Mentioned:
    """Return (concept, rows) of every mention of some concepts."""
    phrases = dictionary.table.phrases
    found = {(phrases[one.phrase].concept, one.rows) for one in reading.found}
    return {one for one in found if one[0] in members}


def _gains(
    dictionary: Dictionary, pairs: Sequence[tuple[Encoded, Encoded]]
) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Return per part the gains (K,), ⟨Δ, Δ_word⟩ / ‖Δ‖² over the calibration swaps, shrunk to the part's mean."""
    sums = {name: torch.zeros(2, len(dictionary.table)) for name in dictionary.parts}
    for before, after in distributed.share_of(pairs):
        new = swapped(dictionary, before, after)
        try:
            moved, word = moves(dictionary, before, after, new)
        except ValueError:  # never captured, or the prompt leaves no room for a longer phrase
            continue
        for name in dictionary.parts:
            sums[name][0, new] += (moved[name] * word[name]).sum()
            sums[name][1, new] += moved[name].square().sum()
    distributed.all_reduce(*sums.values())
    gains = {name: shrunk_gain(dot, norm) for name, (dot, norm) in sums.items()}
    return gains, {name: float(gain.std()) if len(gain) > 1 else 0.0 for name, gain in gains.items()}


def shrunk_gain(dot: Tensor, norm: Tensor) -> Tensor:
    """Return the gains (K,) of sums over swaps of ⟨Δ, Δ_word⟩ (K,) and ‖Δ‖² (K,), drawn towards their mean.

    They are drawn by the weight of one typical swap (docs/method.md, 13).
    """
    mean = dot.sum() / norm.sum().clamp(min=1e-12)
    typical = norm[norm > 0].mean() if bool((norm > 0).any()) else norm.new_tensor(1.0)
    return (dot + mean * typical) / (norm + typical)  # one typical swap's weight of prior


def swapped(dictionary: Dictionary, before: Encoded, after: Encoded) -> int:
    """Return the concept that a rewrite says instead of another."""
    supports = [row.entry.prompt.support(dictionary.table) for row in (before, after)]
    return next(new for old, new in zip(*supports, strict=True) if old != new)


def moves(
    dictionary: Dictionary, before: Encoded, after: Encoded, new: int
) -> tuple[Mapping[str, Tensor], Mapping[str, Tensor]]:
    """Return, per part, the change (rows, d) that a swap makes and its rewrite's, on rows that stand for one another.

    Args:
        dictionary: thresholds set, gains not.

    Raises:
        ValueError: if the concept was never captured, or the prompt leaves no room for a longer phrase.
    """
    reading, target = known_reading(dictionary, before), known_reading(dictionary, after)
    made = apply(dictionary, before.cond, before.pooled, [Swap(str(dictionary.table.concepts[new]))], reading)
    moved, word = dict[str, Tensor](), dict[str, Tensor]()
    if POOLED in dictionary.parts:
        assert made.pooled is not None
        moved[POOLED], word[POOLED] = made.pooled - before.pooled, after.pooled - before.pooled
    now = {old: row for row, old in enumerate(made.before)}
    for encoder in dictionary.family.encoders:
        here, there = paired_rows(reading.layouts[encoder.name], target.layouts[encoder.name])
        kept = [(old, new) for old, new in zip(here, there, strict=True) if old in now]  # pads may have gone for words
        here, there = [old for old, _ in kept], [new for _, new in kept]
        columns = slice(encoder.first, encoder.last)
        moved[encoder.name] = made.cond[[now[old] for old in here], columns] - before.cond[here, columns]
        word[encoder.name] = after.cond[there, columns] - before.cond[here, columns]
    return moved, word


def paired_rows(one: Layout, other: Layout) -> tuple[list[int], list[int]]:
    """Pair the rows of a prompt and its rewrite: span with span, role with role, in order, as far as both go."""
    here, there = [], []
    for a, b in [
        *((s.rows, t.rows) for s, t in zip(one.spans, other.spans, strict=True)),
        *zip(one.roles, other.roles, strict=True),
    ]:
        for i, j in zip(a, b, strict=False):
            here.append(i)
            there.append(j)
    return here, there
