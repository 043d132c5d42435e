"""Judge edits of any text host's rows: captures of several sizes, everyone fitted to each, the same cases for all."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...portraits import captions
from ...supsae_core.capture.captures import Capture, Encoded
from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.host import TextHost
from ...supsae_core.table import prompts
from ...supsae_core.table.concepts import ConceptTable
from ...supsae_core.table.prompts import PLAIN, Pair, Wording
from ...training.capture import CaptureConfig, capture_text, plan_text
from ...training.fit import fit_dictionary
from ..cases import World
from ..results import Hooks, Results, Section, gathered
from . import photographs
from .asked import SIZES, Asked, draw_asked
from .figures import of_reading, of_splits, profile
from .reconstruction import count_models, reconstruction
from .rivals import Rival, of_table, rivals
from .rows import Measured, measured, truths
from .synonyms import draw_strange, of_synonyms

ENCODINGS = {"quick": (150, 300), "medium": (150, 300, 750), "full": (50, 150, 300, 750, 1500)}
"""Size of a run → numbers of encodings, prompts and their rewrites together, that everyone learns from."""
HELD_OUT = 0.1
"""Share of pairs of concepts that nobody learns from."""
DISTRACTED = "among distractors"


@dataclass(frozen=True)
class BenchConfig:
    """What is captured and asked."""

    size: str = "full"
    """a key of ``ENCODINGS``"""
    seed: int = 0
    mention: float = 0.6
    """chance that a category is mentioned"""


def run_bench(host: TextHost, table: ConceptTable, config: BenchConfig, folder: Path, hooks: Hooks) -> Results:
    """Capture, fit and judge; captures stay in a folder, so that a run goes on where it stopped.

    Raises:
        ValueError: if nothing can be captured or asked of the table.
    """
    sizes, wording = ENCODINGS[config.size], wording_of(table)
    held_out = prompts.hold_out_pairs(table, HELD_OUT, config.seed)
    hooks.say(
        f"This fits dictionaries and rivals to {', '.join(map(str, sizes))} encodings of {len(table)} concepts by "
        f"{host.family.name!r}, and judges them on the same edits."
    )
    captures = {
        count: _captured(host, table, wording, held_out, config, folder / f"{config.seed}-{count}", count, hooks)
        for count in sizes
    }
    world = World(table, held_out, _texts(captures.values()), wording=wording, mention=config.mention)
    asked, notes = draw_asked(world, host, SIZES[config.size], config.seed)
    if not asked:
        raise ValueError("No edit of this table's prompts has room in the text encoders. Choose a lower mention rate.")
    fixed, tick = of_table(captures[sizes[0]], host), hooks.part("fit", len(sizes))
    fitted, everyone, seconds = dict[int, Dictionary](), dict[int, dict[str, Rival]](), dict[str, float]()
    for count, capture in captures.items():
        began = time.perf_counter()
        fitted[count] = fit_dictionary(capture)
        seconds[str(count)] = round(time.perf_counter() - began, 1)
        everyone[count] = {**rivals(fitted[count], capture, host), **fixed}
        tick(1)
    section = _judged(host, table, asked, fitted, everyone, hooks)
    strange = draw_strange(world, host, SIZES[config.size].swaps, config.seed)
    if strange:
        section["synonyms"] = {str(count): of_synonyms(one, strange) for count, one in fitted.items()}
    about = {"host": host.family.name, "encodings": list(sizes), "concepts": len(table), "cases": len(asked)}
    found = {**about, "fit_seconds": seconds, "chosen": _chosen(fitted), **section, "notes": notes}
    settings = {"size": config.size, "seed": config.seed, "mention": config.mention}
    models = hooks.part("reconstruct", count_models())
    paper = Section(reconstruction(host, table, config.size, config.seed, models))
    return gathered(fitted[sizes[-1]], settings, {"rows": Section(found), "reconstruction": paper})


def wording_of(table: ConceptTable) -> Wording:
    """Return how prompts of a table are worded: photographs and Portraits in their own ways."""
    if table == captions.table():
        return captions.WORDING
    return photographs.WORDING if table == photographs.table() else PLAIN


def _captured(
    host: TextHost, table: ConceptTable, wording: Wording, held_out: frozenset[Pair], config: BenchConfig,
    folder: Path, count: int, hooks: Hooks,
) -> Capture:  # fmt: skip
    drawn = CaptureConfig(prompts=count, mention=config.mention, seed=config.seed)
    plan, tick = plan_text(table, host, drawn, wording, held_out), hooks.part(f"encode {count}", 1)
    made = capture_text(host, folder, replace(plan, whole=True))  # some rivals go by position
    tick(1)
    return made


def _texts(captures: Any) -> frozenset[str]:
    return frozenset(entry.prompt.text for one in captures for entry in one.plan.entries)


def _chosen(fitted: Mapping[int, Dictionary]) -> dict[str, Any]:
    """Return what the fit of edit operators chose, per encoder."""
    return {str(count): one.report.get("operators", {}) for count, one in fitted.items()}


def _judged(
    host: TextHost, table: ConceptTable, asked: Sequence[Asked], fitted: Mapping[int, Dictionary],
    everyone: Mapping[int, Mapping[str, Rival]], hooks: Hooks,
) -> dict[str, Any]:  # fmt: skip
    """Ask everyone the same; one case is in memory at a time, but for its rows to read."""
    found: dict[int, dict[str, list[Measured]]] = {
        count: {name: [] for name in some} for count, some in everyone.items()
    }
    seen: dict[bool, list[Encoded]] = {False: [], True: []}
    tick: Callable[[int], None] = hooks.part("edit", len(asked))
    for truth in truths(host, table, asked):
        for count, some in everyone.items():
            for name, rival in some.items():
                found[count][name].append(measured(truth, rival))
        if "edits" not in truth.asked.split:
            seen[truth.asked.split == DISTRACTED].append(truth.before)
        tick(1)
    splits = [one.split for one in asked]
    reading = {}
    for count, one in fitted.items():
        reading[str(count)] = {"plain": of_reading(one, seen[False]), DISTRACTED: of_reading(one, seen[True])}
    first = next(iter(next(iter(found.values())).values()))
    swaps = [one for one, split in zip(first, splits, strict=True) if "pairs" in split]
    rows = {str(count): of_splits(splits, some) for count, some in found.items()}
    return {"profile": profile(swaps), "rows": rows, "reading": reading}
