"""The parts of the scoreboard: what each draws, and the section of results it makes of that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..outcomes import paired_interval, share, total_variation, variation_interval
from ..text.text import TextConfig, text_metrics
from . import tasks as drawn
from .bench import ADAPTER, Bench, Example, Way, examples
from .figures import Judged, compared, figures, interference, interval_json, largest, rounded
from .methods import NO_EDIT, OURS, REWRITE, STRENGTHS
from .tasks import MOST, Task

PAPER = "paper, all dimensions"
"""The better of its two settings on Portraits: the paper keeps the 1000 dimensions of the largest range."""
POSITIONS = tuple(i / 4 for i in range(7))
"""Slider positions 0 … 1.5 of the strength curve."""
SPLITS = ("seen tuples", "unseen tuples", "shuffled", "unmentioned", "paraphrased company", "paraphrased itself")
"""Beside the headline's."""
CONCEPTS = ("hair: red", "hat: crown", "expression: smile")
"""What low-rank adapters are trained for."""
CHANGED = 0.1
"""A pixel belongs to the edit if position 1 moves it by more than this share of the grey scale."""
SHOWN = 12
"""Examples of a part, at most."""


@dataclass(frozen=True)
class Size:
    """How many tasks each part asks; 0 leaves a part out."""

    headline: int
    """swaps into unseen pairs: no edit, rewrite and SupSAE, with and without the lock"""
    rivals: int
    """of these, for everyone else"""
    calibration: int
    """of the calibration prompts, to choose every method's best strength on"""
    split: int
    several: int
    """prompts with 1 … 5 edits each"""
    curve: int
    """tasks drawn at every slider position"""
    removal: int
    adapter: int
    """for each concept that has a low-rank adapter"""
    text: int
    """prompts that are read and decoded without a picture"""


SIZES = {
    "quick": Size(headline=40, rivals=0, calibration=0, split=0, several=0, curve=8, removal=24, adapter=0, text=64),
    "medium": Size(
        headline=256, rivals=64, calibration=0, split=64, several=32, curve=28, removal=128, adapter=0, text=256
    ),
    "full": Size(
        headline=1024, rivals=192, calibration=40, split=128, several=96, curve=64, removal=384, adapter=24, text=512
    ),
}
"""Size of a run → how many tasks each part asks."""


class Section(NamedTuple):
    """What a part found."""

    json: dict[str, Any]
    examples: list[Example]


def headline(bench: Bench, size: Size) -> Section:
    """Swap into unseen pairs, everyone, with and without the lock, all at strength 1."""
    tasks = drawn.draw(bench.headline, bench.world, size.headline, bench.seed)
    core = [Way(name, lock) for lock in (False, True) for name in (REWRITE, OURS)]
    found, pictures = bench.judge(tasks, core)
    rows = {str(way): _row(bench, way, found) for way in found}
    others = [Way(name, lock) for name in bench.methods.edits for lock in (False, True) if name != OURS]
    shown, shown_in = [Way(NO_EDIT), *core], found
    if size.rivals and others:
        some, more = bench.judge(tasks[: size.rivals], [*core, *others])
        rows |= {str(way): _row(bench, way, some) for way in others}
        shown_in, pictures = some, more
        shown += [way for way in others if not way.lock]
    matrix = {str(way): interference(found[way]) for way in core}
    made = {"split": bench.headline, "rows": rows, "interference": matrix}
    return Section(made, examples(shown_in, pictures, SHOWN, shown))


def _row(bench: Bench, way: Way, found: Mapping[Way, Judged], ours: Way | None = None) -> dict[str, Any]:
    """Return a way's figures, and what they are beside the rewrite's with and without the lock, and beside SupSAE's."""
    one, ours = found[way], ours or Way(OURS, way.lock)
    others = {"minus_rewrite": Way(REWRITE), "minus_rewrite_lock": Way(REWRITE, lock=True), "minus_ours": ours}
    beside = {name: compared(one, found[other]) for name, other in others.items() if other in found and other != way}
    settings = {"method": way.method, "lock": way.lock, "strength": way.strength, "count": len(one.tasks)}
    return {**settings, **figures(bench.world.table, one), **beside}


def best_strength(bench: Bench, size: Size) -> Section:
    """Choose every method's best strength on the calibration prompts, and swap into unseen pairs with it."""
    known = drawn.draw(
        "any pairs" if not bench.world.held_out else "unseen tuples", bench.world, size.calibration, bench.seed + 1
    )
    names = list(bench.methods.edits)
    ways = {name: [Way(name, strength=one) for one in STRENGTHS] for name in names}
    found, _ = bench.judge(known, [way for some in ways.values() for way in some])
    tried = {
        name: {f"{way.strength:g}": figures(bench.world.table, found[way]) for way in some}
        for name, some in ways.items()
    }
    best = {name: float(largest(rows, "both")) for name, rows in tried.items()}
    tasks = drawn.draw(bench.headline, bench.world, max(size.headline, size.rivals), bench.seed)[: size.rivals]
    chosen = [Way(name, strength=best[name]) for name in names]
    tested, _ = bench.judge(tasks, chosen)
    rows = {str(way): _row(bench, way, tested, Way(OURS, strength=best[OURS])) for way in chosen}
    kept = {
        name: {at: {key: row[key] for key in ("success", "kept", "both")} for at, row in some.items()}
        for name, some in tried.items()
    }
    return Section({"tried": kept, "best": best, "rows": rows}, [])


def splits(bench: Bench, size: Size) -> Section:
    """Ask SupSAE, the rewrite and the paper's model in every split."""
    ways = [Way(name) for name in (REWRITE, OURS, PAPER) if name in (REWRITE, *bench.methods.edits)]
    made = {}
    for name in SPLITS:
        tasks = drawn.draw(name, bench.world, size.split, bench.seed)
        found, _ = bench.judge(tasks, ways)
        made[name] = {str(way): _row(bench, way, found) for way in ways}
    return Section(made, [])


def several(bench: Bench, size: Size) -> Section:
    """Make 1 … 5 edits of the same prompts at once."""
    tasks = drawn.several(bench.world, size.several, np.random.default_rng((bench.seed, 100)))
    ways = [Way(REWRITE), Way(OURS)]
    made, shown = {}, []
    for index in range(MOST):
        some = [nested[index] for nested in tasks]
        found, pictures = bench.judge(some, ways)
        made[str(index + 1)] = {str(way): _row(bench, way, found) for way in ways}
        shown = examples(found, pictures, 4, [Way(NO_EDIT), *ways])
    return Section(made, shown)


def strength(bench: Bench, size: Size) -> Section:
    """Move the slider from 0 to 1.5, and measure what changes inside that which position 1 changes."""
    tasks = drawn.draw(bench.headline, bench.world, max(size.headline, size.curve), bench.seed)[: size.curve]
    ways = [Way(OURS, strength=one) if one else Way(NO_EDIT) for one in POSITIONS]
    found, pictures = bench.judge(tasks, ways)
    stacks = np.stack([[one.pixels for one in pictures[way]] for way in ways]).astype(np.float32) / 255
    moved = np.abs(stacks - stacks[0]).mean(-1)
    inside = moved[POSITIONS.index(1.0)] > CHANGED
    change = [float((one * inside).sum() / max(inside.sum(), 1)) for one in moved]
    whole = change[POSITIONS.index(1.0)] or 1.0
    steps = np.diff(change) / whole
    made = {
        "count": len(tasks),
        "positions": list(POSITIONS),
        "change": [round(one / whole, 4) for one in change],
        "success": [interval_json(share([o.success for o in found[way].outcomes])) for way in ways],
        "monotone": bool((steps >= 0).all()),
        "largest_step": round(float(np.abs(steps).max()), 4),
        "untouched_at_0": all(_untouched(bench, task) for task in tasks),
    }
    return Section(made, examples(found, pictures, 6, ways))


def _untouched(bench: Bench, task: Task) -> bool:
    """Tell whether an edit at strength 0 returns the very same tensors."""
    cond, pooled = bench.methods.rows(NO_EDIT, task).make()
    made = bench.methods.edits[OURS].edit(task, cond, pooled, 0.0)
    return made[0] is cond and made[1] is pooled


def removal(bench: Bench, size: Size) -> Section:
    """Remove a concept, held against the same prompts with the words deleted."""
    tasks = drawn.draw("removal", bench.world, size.removal, bench.seed)
    found, pictures = bench.judge(tasks, [Way(OURS)])
    ours, deleted = found[Way(OURS)], found[Way(REWRITE)]
    still = {
        name: [_shows_removed(t, look.read) for t, look in zip(tasks, one.looks, strict=True)]
        for name, one in (("SupSAE", ours), ("deleted", deleted))
    }
    made = {
        "rows": {str(way): _row(bench, way, found) for way in (Way(NO_EDIT), Way(REWRITE), Way(OURS))},
        "still_shown": {name: interval_json(share(values)) for name, values in still.items()},
        "still_shown_difference": interval_json(paired_interval(still["SupSAE"], still["deleted"])),
        "total_variation": _variations(tasks, ours, deleted),
    }
    return Section(made, examples(found, pictures, SHOWN, [Way(NO_EDIT), Way(REWRITE), Way(OURS)]))


def _shows_removed(task: Task, read) -> bool:
    category, value = task.edits[0].concept.split(": ", 1)
    return read[category] == value


def _variations(tasks: list[Task], ours: Judged, deleted: Judged) -> dict[str, Any]:
    """Return, per category, how far the values drawn are from those drawn with the words deleted; and over all."""
    groups = {}
    for category in dict.fromkeys(name for task in tasks for name in task.wanted):
        here = [index for index, task in enumerate(tasks) if category in task.wanted]
        groups[category] = tuple([one.looks[i].read[category] for i in here] for one in (ours, deleted))
    each = {name: round(total_variation(*values), 4) for name, values in groups.items()}
    return {**each, "mean": interval_json(variation_interval(list(groups.values())))}


def adapters(bench: Bench, size: Size) -> Section:
    """Swap into the concepts that a low-rank adapter was trained for, seen or unseen beside one another."""
    concepts = list(bench.adapters)
    tasks = [task for name in concepts for task in _wanting(bench, name, size.adapter, 200)]
    tuning = [task for name in concepts for task in _wanting(bench, name, size.adapter // 2, 300)]
    tried, _ = bench.judge(tuning, [Way(ADAPTER, strength=one) for one in STRENGTHS])
    by_strength = {
        f"{way.strength:g}": figures(bench.world.table, one) for way, one in tried.items() if way.method == ADAPTER
    }
    best = Way(ADAPTER, strength=float(largest(by_strength, "both")))
    ways = [Way(name, lock) for lock in (False, True) for name in (REWRITE, OURS, ADAPTER)]
    found, pictures = bench.judge(tasks, [*ways, best])
    rows = {str(way): _row(bench, way, found) for way in found}
    return Section({"concepts": concepts, "rows": rows}, examples(found, pictures, SHOWN, [Way(NO_EDIT), *ways[:3]]))


def _wanting(bench: Bench, concept: str, count: int, salt: int) -> list[Task]:
    rng = np.random.default_rng((bench.seed, salt, bench.world.table.index(concept)))
    return drawn.wanting(bench.world, concept, count, rng)


def text(bench: Bench, size: Size) -> Section:
    """Read and decode fresh prompts, without a picture."""
    config = TextConfig(prompts=size.text, seed=bench.seed)
    told = bench.told or (lambda count: None)
    found = text_metrics(bench.dictionary, bench.methods.host, config, progress=lambda *_: told(0))
    return Section(rounded(found.json()), [])


class Part(NamedTuple):
    """One part of the scoreboard."""

    run: Callable[[Bench, Size], Section]
    tasks: Callable[[Size], int]
    """what it asks; 0 leaves it out"""
    pictures: Callable[[Size, int], int]
    """(size, number of rivals) → pictures that it looks at, at most; many were drawn for another part before"""


PARTS: dict[str, Part] = {
    "text": Part(text, lambda n: n.text, lambda n, rivals: 0),
    "headline": Part(headline, lambda n: n.headline, lambda n, rivals: 5 * n.headline + (5 + 2 * rivals) * n.rivals),
    "removal": Part(removal, lambda n: n.removal, lambda n, rivals: 3 * n.removal),
    "strength": Part(strength, lambda n: n.curve, lambda n, rivals: (2 + len(POSITIONS)) * n.curve),
    "several": Part(several, lambda n: n.several, lambda n, rivals: 3 * MOST * n.several),
    "splits": Part(splits, lambda n: n.split, lambda n, rivals: 4 * len(SPLITS) * n.split),
    "best_strength": Part(
        best_strength,
        lambda n: n.calibration,
        lambda n, rivals: (2 + (rivals + 1) * len(STRENGTHS)) * n.calibration + (rivals + 3) * n.rivals,
    ),
    "adapters": Part(
        adapters,
        lambda n: n.adapter,
        lambda n, rivals: len(CONCEPTS) * (8 * n.adapter + (2 + len(STRENGTHS)) * (n.adapter // 2)),
    ),
}
"""Part → what makes its section of the results, in the order they run."""
