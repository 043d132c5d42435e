"""Learn a few concepts from few encodings, which are forgotten, and hold edits against rewritten prompts."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ...portraits import captions
from ...supsae_core.capture.captures import Capture, Encoded
from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.editing.apply import Edited, apply
from ...supsae_core.editing.edits import Add, Remove
from ...supsae_core.editing.outcome import TOOK, read_again
from ...supsae_core.host import TextHost
from ...supsae_core.table.concepts import ConceptTable
from ...supsae_core.table.parsing import table_from_mapping
from ...supsae_core.table.prompts import Wording
from ...training.capture import CaptureConfig, capture_text, plan_text
from ...training.fit import fit_dictionary
from ..cases import Case, World, draw_cases
from ..intervals import Interval, error_interval
from ..results import Hooks, part_progress
from ..text import photographs
from ..text.asked import Asked, Counts, draw_asked
from ..text.bench import wording_of
from ..text.figures import categories_read, of_reading, of_splits
from ..text.rivals import OURS, REPLACE, TOLD, of_dictionary
from ..text.rows import Measured, Truth, encoded, measured, truths

FEWEST, ENCODINGS, MOST = 60, 120, 2000
"""Encodings to learn from: at least, as a rule, at most."""
CALIBRATION = 16
"""Prompts, each with a rewrite, that say what strength 1 means."""
ASKED = Counts(40, 8, 0)
"""Edits that are held against rewrites."""
CATEGORIES, VALUES = ("hair", "clothing", "weather", "place"), 4
"""Of the table of photographs, what is learnt where no table is given: so many of each."""
METHODS = (OURS, TOLD, REPLACE)


@dataclass(frozen=True)
class TrialConfig:
    """What is learnt and asked."""

    encodings: int = ENCODINGS
    """prompts to learn from"""
    seed: int = 0
    mention: float = 0.6
    """chance that a category is mentioned"""

    def __post_init__(self) -> None:
        if not FEWEST <= self.encodings <= MOST:
            raise ValueError(f"A check learns from {FEWEST} to {MOST} encodings, not from {self.encodings}.")


class TrialFit(NamedTuple):
    """What was learnt, and from what."""

    dictionary: Dictionary
    methods: Mapping[str, Any]
    """name → a ``Rival``"""
    encodings: int
    seconds: float
    """of encoding and fitting"""
    world: World


class Trial(NamedTuple):
    """What edits came to."""

    rows: Mapping[str, Any]
    """split → method → figures"""
    pooled: Interval | None
    """error of the pooled vector; None where there is none"""
    reading: Mapping[str, Any]
    """``found`` and ``false``, intervals as JSON"""
    cases: Sequence[Asked]
    took: tuple[int, int]
    """edits that read as asked afterwards, and of how many"""
    notes: Sequence[str]


def small_table(portraits: bool) -> ConceptTable:
    """Return the table that is learnt where none is given."""
    if portraits:
        return captions.table()
    whole = photographs.table().to_json()
    return table_from_mapping({name: dict(list(whole[name].items())[:VALUES]) for name in CATEGORIES})


def wording_for(table: ConceptTable) -> Wording:
    """Return how prompts are worded: as photographs where the table is a part of theirs."""
    whole = photographs.table()
    ours = {phrase.text for phrase in whole.phrases}
    return photographs.WORDING if all(one.text in ours for one in table.phrases) else wording_of(table)


def learn(host: TextHost, table: ConceptTable, config: TrialConfig, hooks: Hooks) -> TrialFit:
    """Encode prompts and fit a dictionary to them; the encodings are forgotten.

    Raises:
        ValueError: if the prompts have no room, or nothing can be learnt of them.
    """
    began, wording = time.perf_counter(), wording_for(table)
    drawn = CaptureConfig(config.encodings, CALIBRATION, config.mention, seed=config.seed)
    plan = plan_text(table, host, drawn, wording)
    count = len(plan.entries)
    with tempfile.TemporaryDirectory() as folder:
        made: Capture = capture_text(host, folder, plan, progress=part_progress(hooks, "encode", count), batch=8)
        dictionary = fit_dictionary(made, progress=part_progress(hooks, "fit", count // 4))
        everyone = of_dictionary(dictionary, made)
    texts = frozenset(entry.prompt.text for entry in plan.entries)
    world = World(table, frozenset(), texts, wording=wording, mention=config.mention)
    some = {name: everyone[name] for name in METHODS}
    return TrialFit(dictionary, some, count, time.perf_counter() - began, world)


def try_edits(host: TextHost, learnt: TrialFit, seed: int, hooks: Hooks) -> Trial:
    """Edit prompts that were not learnt from, and encode their rewrites.

    Raises:
        ValueError: if no edit of the table has room in the encoders.
    """
    asked, notes = draw_asked(learnt.world, host, ASKED, seed)
    if not asked:
        raise ValueError("No edit of this table's prompts has room in the text encoders. Choose shorter phrases.")
    found: dict[str, list[Measured]] = {name: [] for name in learnt.methods}
    seen, pooled, took = list[tuple[bool, bool]](), list[tuple[float, float]](), list[bool]()
    tick: Callable[[int], None] = hooks.part("edit", len(asked))
    for truth in truths(host, learnt.world.table, asked, ranked=0):  # one case is in memory at a time
        for name, one in learnt.methods.items():
            found[name].append(measured(truth, one))
        made = _edited(learnt.dictionary, truth.before, truth.asked.case)
        took.append(_took(learnt.dictionary, made))
        if host.family.pooled:
            pooled.append(_pooled(truth, made))
        seen += categories_read(learnt.dictionary, truth.before)
        tick(1)
    for case in _uncompared(learnt, asked, seed):
        (row,) = encoded(host, [case.prompt])
        took.append(_took(learnt.dictionary, _edited(learnt.dictionary, row, case)))
    rows = of_splits([one.split for one in asked], found)
    vector = error_interval(*zip(*pooled, strict=True)) if pooled else None
    return Trial(rows, vector, of_reading(seen), asked, (sum(took), len(took)), notes)


def _edited(dictionary: Dictionary, row: Encoded, case: Case) -> Edited | None:
    """Return a prompt after a case's edits; None where they are refused."""
    try:
        return apply(dictionary, row.cond, row.pooled if dictionary.family.pooled else None, case.edits)
    except ValueError:
        return None


def _pooled(truth: Truth, made: Edited | None) -> tuple[float, float]:
    """Return what an edit leaves of the pooled vector's change, and that change, as squares."""
    before, after = truth.before.pooled, truth.after.pooled
    now = before if made is None or made.pooled is None else made.pooled
    left, whole = (float((one - after).double().square().sum()) for one in (now, before))
    return left, whole


def _took(dictionary: Dictionary, made: Edited | None) -> bool:
    """Tell whether edited rows read as asked."""
    again = read_again(dictionary, made).outcomes if made else ()
    return bool(again) and all(one.verdict == TOOK for one in again)


def _uncompared(learnt: TrialFit, asked: Sequence[Asked], seed: int) -> list[Case]:
    """Draw adds and removals where none could be held against a rewrite: without pads that has other rows."""
    rng, splits, cases = np.random.default_rng((seed, 22)), {one.split for one in asked}, list[Case]()
    for kind, split in ((Add, "adds"), (Remove, "removals")):
        with suppress(ValueError):  # the table allows none
            cases += [] if split in splits else draw_cases(kind, learnt.world, ASKED.others, rng)
    return cases
