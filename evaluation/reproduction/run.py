"""Run the paper's experiment: capture, fit, draw every case in every way, read and count; goes on where it stopped."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from ...supsae_core.capture.plan import text_bytes
from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.files import DamagedError, alone_in, read_json, replacing, write_json, write_text
from ...supsae_core.table.concepts import ConceptTable
from ...supsae_core.table.prompts import Prompt
from ...training import distributed
from ...training.capture import capture_text
from ..baselines.paper import PaperConfig
from ..cases import Case, answer
from ..outcomes import Outcome, judge
from ..results import Hooks, part_progress
from .asked import Experiment, ReproduceConfig, draw_experiment
from .drawn import Pictures, Rows
from .models import Fits, Informed, fitted
from .painters import Painter
from .told import SHOWN, Became, contact_sheet, figures, weak

OURS, REWRITE = "SupSAE", "prompt rewrite"
TRIED = 4
"""Prompts encoded to tell how long it will take."""
SHARD_COPIES, SHARD = 8, 64
"""Of the rows of so many prompts, the copies that fitting holds in memory at most."""


def run(
    painter: Painter, table: ConceptTable, config: ReproduceConfig, published: PaperConfig, folder: Path, hooks: Hooks
) -> dict[str, Any]:
    """Run all of it and write ``results.json`` and ``sheet.png``; what is there of an interrupted run is kept.

    Args:
        painter: the model, and who reads its pictures.
        table: concepts; every prompt says one of each category.
        config: how much is asked.
        published: settings of the paper's model.
        folder: made if missing.
        hooks: told what is done.

    Raises:
        BusyError: if another process works in the folder.
        ValueError: if the table is too small, or the folder holds another experiment.
    """
    with distributed.one_has(partial(alone_in, folder)):
        return _run(painter, table, config, published, folder, hooks)


def _run(
    painter: Painter, table: ConceptTable, config: ReproduceConfig, published: PaperConfig, folder: Path, hooks: Hooks
) -> dict[str, Any]:
    experiment = draw_experiment(table, painter.host, config)
    settings = json.loads(json.dumps({**asdict(config), "paper": asdict(published), "table": table.to_json()}))
    distributed.led(lambda: _claim(folder, settings))
    hooks.say(_cost(painter, experiment, folder))
    encoded = part_progress(hooks, "encode", len(experiment.plan.entries))
    capture = capture_text(painter.host, folder / "capture", experiment.plan, progress=encoded)
    models = fitted(capture, published, folder, hooks)
    drawn = Pictures(painter, folder / "pictures")
    qualified = _qualified(drawn, table, experiment, hooks)
    became = _became(drawn, models, experiment, hooks)
    found = {"settings": settings, "read": painter.about, "qualified": qualified, "weak": weak(qualified)}
    found |= figures(became, table, qualified)
    distributed.led(lambda: _write(folder, found, became, drawn))
    return found


def _write(folder: Path, found: Mapping[str, Any], became: Sequence[Became], drawn: Pictures) -> None:
    """Write the figures and the sheet."""
    write_text(folder / "results.json", json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    ways = ("before", *became[0].ways)
    shown = [[drawn.load(_name(index, way)) for way in ways] for index in range(min(SHOWN, len(became)))]
    with replacing(folder / "sheet.png") as part:
        contact_sheet(became, shown, drawn.painter.about).save(part, "PNG")


def _claim(folder: Path, settings: Mapping[str, Any]) -> None:
    """Note what the folder is for.

    Raises:
        ValueError: if it is for another experiment.
    """
    note = folder / "experiment.json"
    folder.mkdir(parents=True, exist_ok=True)
    if note.exists() and _noted(note) != settings:
        raise ValueError(
            f"{folder} holds an experiment with other settings. Choose another --out, or the settings of that one."
        )
    write_json(note, settings)


def _noted(note: Path) -> Any:
    try:
        return read_json(note)
    except DamagedError as error:
        raise ValueError(f"{note} {error}. Choose another --out, or delete that folder.") from error


def _cost(painter: Painter, experiment: Experiment, folder: Path) -> str:
    """Say what it will take, by a few prompts and one picture."""
    began = time.perf_counter()
    conds, pooled = painter.host.encode([entry.prompt.text for entry in experiment.plan.entries[:TRIED]])
    encoding = (time.perf_counter() - began) / len(conds)
    began = time.perf_counter()
    painter.draw(conds[:1], pooled[:1], [0])
    drawing = time.perf_counter() - began
    pictures = 5 * len(experiment.cases) + len(experiment.qualifying)
    minutes = (encoding * len(experiment.plan.entries) + drawing * pictures) / 60
    memory = SHARD_COPIES * SHARD * conds[0].numel() * conds[0].element_size()
    return (
        f"{len(experiment.plan.entries)} prompts to encode and {pictures} pictures to draw: about {minutes:.0f} "
        f"minutes if all is to be done, and some for the fits. Memory: {painter.weights / 1e9:.2f} GB of weights, "
        f"{memory / 1e9:.2f} GB to fit. Disk: {text_bytes(experiment.plan) / 1e9:.2f} GB in {folder}. "
        "What is stopped goes on when it is run again."
    )


def _qualified(drawn: Pictures, table: ConceptTable, experiment: Experiment, hooks: Hooks) -> dict[str, dict[str, int]]:
    """Return concept → how many of its own pictures show it, of how many; empty where nobody reads."""
    names = [f"alone-{number:03d}" for number in range(len(experiment.qualifying))]
    rows = [partial(_encoded, drawn.painter, prompt) for _, prompt in experiment.qualifying]
    drawn.draw(names, rows, range(len(names)), hooks.part("qualify", len(names)))
    found: dict[str, dict[str, int]] = {}
    for (concept, _), said in zip(experiment.qualifying, drawn.read(names) or [], strict=False):
        one = found.setdefault(str(table.concepts[concept]), {"shown": 0, "of": 0})
        one["shown"] += said[table.concepts[concept].category] == table.concepts[concept].name
        one["of"] += 1
    return found


def _became(drawn: Pictures, models: Fits, experiment: Experiment, hooks: Hooks) -> list[Became]:
    """Draw every case in every way, from the same noise, and read it."""
    cases, encode = experiment.cases, partial(_encoded, drawn.painter)
    made: dict[str, Callable[[Case], Rows]] = {"before": lambda case: encode(case.prompt)}
    made |= {name: partial(_told, encode, model) for name, model in models.told.items()}
    made |= {OURS: partial(_ours, encode, models.ours), REWRITE: lambda case: encode(case.rewrite)}
    tick, seen = hooks.part("draw", len(made) * len(cases)), dict[str, list[Mapping[str, str]] | None]()
    for way, make in made.items():
        names = [_name(index, way) for index in range(len(cases))]
        drawn.draw(names, [partial(make, case) for case in cases], [case.seed for case in cases], tick)
        seen[way] = drawn.read(names)
    ways = [way for way in made if way != "before"]
    return [
        Became(case, {way: _outcome(case, seen["before"], seen[way], index) for way in ways})
        for index, case in enumerate(cases)
    ]


def _encoded(painter: Painter, prompt: Prompt) -> Rows:
    conds, pooled = painter.host.encode([prompt.text])
    return conds[0], pooled[0]


def _told(encode: Callable[[Prompt], Rows], model: Informed, case: Case) -> Rows:
    return model.edit(*encode(case.prompt), case.before, case.after)


def _ours(encode: Callable[[Prompt], Rows], dictionary: Dictionary, case: Case) -> Rows:
    made = answer(dictionary, case, *encode(case.prompt))
    return made.cond, made.pooled


def _outcome(
    case: Case, before: list[Mapping[str, str]] | None, after: list[Mapping[str, str]] | None, index: int
) -> Outcome | None:
    if before is None or after is None:
        return None
    return judge(before[index], after[index], {name: value for name, value in case.wanted.items() if value is not None})


def _name(index: int, way: str) -> str:
    return f"{index:03d}-{way.replace(', ', '-').replace(' ', '-').replace(chr(39), '')}"
