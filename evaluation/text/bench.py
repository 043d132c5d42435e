"""Judge edits of any text host's rows: captures of several sizes, everyone fitted to each, the same cases for all."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ...portraits import captions
from ...supsae_core.capture.captures import Capture
from ...supsae_core.dictionary.file import load_dictionary, save_dictionary
from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.host import TextHost
from ...supsae_core.table import prompts
from ...supsae_core.table.concepts import ConceptTable
from ...supsae_core.table.prompts import PLAIN, Pair, Wording
from ...training import distributed
from ...training.capture import CaptureConfig, capture_text, plan_text
from ...training.fit import fit_dictionary
from ..cases import World
from ..exchange import learnt
from ..results import Hooks, Results, Section, gathered, led_part
from . import photographs
from .asked import SIZES, Asked, draw_asked
from .figures import categories_read, of_reading, of_splits, profile
from .reconstruction import count_models, reconstruction, too_few
from .rivals import SLOWER, Rival, learns, of_learnt, of_table
from .rows import Measured, measured, truth_of
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
    fitted, seconds = _fitted(captures)
    everyone = _everyone(captures, fitted, host, hooks)
    section = _judged(host, table, asked, fitted, everyone, hooks)
    strange = draw_strange(world, host, SIZES[config.size].swaps, config.seed)
    if strange:
        read = distributed.shared(list(fitted.values()), lambda one: of_synonyms(one, strange))
        section["synonyms"] = dict(zip(map(str, fitted), read, strict=True))
    about = {"host": host.family.name, "encodings": list(sizes), "concepts": len(table), "cases": len(asked)}
    small = too_few(table)
    notes += [small] if small else []
    found = {**about, "fit_seconds": seconds, "chosen": _chosen(fitted), **section, "notes": notes}
    settings = {"size": config.size, "seed": config.seed, "mention": config.mention}
    sections = {"rows": Section(found)}
    if not small:
        models = hooks.part("reconstruct", count_models())
        sections["reconstruction"] = Section(reconstruction(host, table, config.size, config.seed, models))
    return gathered(fitted[sizes[-1]], settings, sections)


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
    plan, tick = plan_text(table, host, drawn, wording, held_out), led_part(hooks, f"encode {count}", 1)
    made = capture_text(host, folder, replace(plan, whole=True))  # some rivals go by position
    tick(1)
    return made


def _fitted(captures: Mapping[int, Capture]) -> tuple[dict[int, Dictionary], dict[str, float]]:
    """Fit a dictionary to every capture, each on one rank as if it were alone; return them, and the seconds of each."""
    seconds = dict[str, float]()
    made = dict[int, Dictionary]()

    def fit(count: int) -> float:
        began = time.perf_counter()
        with distributed.alone():
            made[count] = fit_dictionary(captures[count])
        if distributed.world() > 1:
            save_dictionary(made[count], _told_by(captures[count]))
        return round(time.perf_counter() - began, 1)

    took = distributed.shared(list(captures), fit)
    seconds = {str(count): one for count, one in zip(captures, took, strict=True)}
    if distributed.world() > 1:
        made = distributed.together(lambda: {one: load_dictionary(_told_by(captures[one])) for one in captures})
        distributed.led(lambda: [_told_by(one).unlink() for one in captures.values()])
    return made, seconds


def _everyone(
    captures: Mapping[int, Capture], fitted: Mapping[int, Dictionary], host: TextHost, hooks: Hooks
) -> dict[int, dict[str, Rival]]:
    """Fit everyone else to every capture, each on one rank."""
    asked = {(count, name): learn for count, one in captures.items() for name, learn in learns(one, host).items()}
    asked = dict(sorted(asked.items(), key=lambda one: one[0][1] not in SLOWER))
    tick = hooks.part("fit", len(asked))

    def ticked(learn: Callable[[], Any]) -> Any:
        made = learn()
        tick(1)
        return made

    given = {f"plan {count}": one.plan for count, one in captures.items()} | {"host": host, "family": host.family}
    found = learnt({key: partial(ticked, one) for key, one in asked.items()}, given, "rivals")
    tick(0)
    fixed, made = of_table(next(iter(captures.values())), host), dict[int, dict[str, Rival]]()
    for count, capture in captures.items():
        own = {name: one for (place, name), one in found.items() if place == count}
        made[count] = {**of_learnt(fitted[count], capture, own), **fixed}
    return made


def _told_by(capture: Capture) -> Path:
    """Return the file by which one rank tells the others the dictionary of a capture."""
    return capture.folder / "of-ranks.safetensors"


def _texts(captures: Any) -> frozenset[str]:
    return frozenset(entry.prompt.text for one in captures for entry in one.plan.entries)


def _chosen(fitted: Mapping[int, Dictionary]) -> dict[str, Any]:
    """Return what the fit of edit operators chose, per encoder."""
    return {str(count): one.report.get("operators", {}) for count, one in fitted.items()}


class TriedCase(NamedTuple):
    """What a case came to; all of it is what JSON can say."""

    made: list[list[Measured]]
    """of every capture, what each rival made of it"""
    read: list[list[tuple[bool, bool]]] | None
    """of every capture, what ``categories_read`` tells; None where the case has several edits"""


def _judged(
    host: TextHost, table: ConceptTable, asked: Sequence[Asked], fitted: Mapping[int, Dictionary],
    everyone: Mapping[int, Mapping[str, Rival]], hooks: Hooks,
) -> dict[str, Any]:  # fmt: skip
    """Ask everyone the same, every rank its share of the cases; of each rank one is in memory at a time."""
    tick: Callable[[int], None] = hooks.part("edit", len(asked))

    def judged(one: Asked) -> TriedCase:
        truth = truth_of(host, table, one)
        made = [[measured(truth, rival) for rival in some.values()] for some in everyone.values()]
        several = "edits" in one.split
        read = None if several else [categories_read(learnt, truth.before) for learnt in fitted.values()]
        tick(1)
        return TriedCase(made, read)

    cases = [TriedCase(*one) for one in distributed.shared(asked, judged)]
    tick(0)
    splits, rows, reading = [one.split for one in asked], dict[str, Any](), dict[str, Any]()
    for place, (count, some) in enumerate(everyone.items()):
        found = {name: [Measured(*one.made[place][at]) for one in cases] for at, name in enumerate(some)}
        rows[str(count)] = of_splits(splits, found)
        reading[str(count)] = {
            name: of_reading(_of_kind(cases, splits, place, distracted=distracted))
            for name, distracted in (("plain", False), (DISTRACTED, True))
        }
    swaps = [Measured(*one.made[0][0]) for one, split in zip(cases, splits, strict=True) if "pairs" in split]
    return {"profile": profile(swaps), "rows": rows, "reading": reading}


def _of_kind(
    cases: Sequence[TriedCase], splits: Sequence[str], place: int, *, distracted: bool
) -> Iterator[tuple[bool, bool]]:
    """Yield what was read with one dictionary in cases among distractors, or in the others."""
    for one, split in zip(cases, splits, strict=True):
        if one.read is not None and (split == DISTRACTED) == distracted:
            yield from one.read[place]
