"""The whole method once, on Portraits: draw prompts, capture, fit, edit, draw pictures, read them, and tell."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from ..drawing.codes import cosine_picture
from ..evaluation import cases, trials
from ..evaluation import outcomes as evaluate
from ..evaluation.cases import Case
from ..evaluation.report import demo_page, demo_report
from ..evaluation.trials import METHODS, Results, Trial
from ..hosts.diffusers import studio
from ..hosts.diffusers.studio import Studio
from ..portraits import captions
from ..supsae_core.capture.plan import TextPlan
from ..supsae_core.dictionary.file import save_dictionary
from ..supsae_core.dictionary.model import Dictionary
from ..supsae_core.editing.edits import Add, Edit, Remove, Swap
from ..supsae_core.host import Progress
from ..training import calibration, capture, fit
from ..training.capture import CaptureConfig

STEPS: dict[str, float] = {
    "load the models": 5,
    "write prompts and encode them": 3,
    "fit the dictionary": 6,
    "edit": 4,
    "draw pictures": 75,
    "read the pictures": 3,
    "write the report": 4,
}
"""Step → its share of the progress bar in percent, as two cores take it."""


@dataclass(frozen=True)
class DemoConfig:
    """How much the demo does."""

    prompts: int = 300
    """prompts to fit on"""
    cases: int = 64
    """edits to judge; a tenth of them remove, a tenth add, the others swap"""
    held_out: float = 0.1
    """share of pairs of concepts that fitting never sees together"""
    seed: int = 0
    steps: int = 16
    """of the sampler"""
    cfg: float = 3.0

    def __post_init__(self) -> None:
        if self.cases < 3:
            raise ValueError(f"The demo needs at least 3 cases, one of each kind of edit, not {self.cases}.")


class Steps:
    """One bar over all steps; remembers what each took."""

    def __init__(self, steps: Mapping[str, float], *, show: bool = True) -> None:
        self._shares, self.seconds = steps, dict[str, float]()
        self._bar = tqdm(
            total=100,
            disable=not show,
            bar_format="{desc:<32}{percentage:3.0f}% |{bar}| {elapsed} (about {remaining} left)",
        )

    @contextmanager
    def step(self, name: str) -> Iterator[Progress]:
        """Run a step; yields what to call with (done, total)."""
        began, start = time.perf_counter(), sum(list(self._shares.values())[: list(self._shares).index(name)])

        def to(done: int, total: int) -> None:
            self._bar.n = start + self._shares[name] * done / max(total, 1)
            self._bar.refresh()

        number = list(self._shares).index(name) + 1
        self._bar.set_description_str(f"{number}/{len(self._shares)} {name}")
        yield to
        to(1, 1)
        self.seconds[name] = time.perf_counter() - began

    def close(self) -> None:
        """Leave the bar as it stands."""
        self._bar.close()


def run(out: Path, config: DemoConfig = DemoConfig(), *, weights: Path | None = None, show: bool = True) -> Results:
    """Run the demo and write its folder.

    Args:
        out: made if missing; what an earlier run left there is replaced.
        config: how much to do.
        weights: folder of the Portraits models, if not the pack's own.
        show: show the progress bar.

    Raises:
        ValueError: if the settings or the models' files are unfit.
    """
    progress = Steps(STEPS, show=show)
    try:
        return _run(out, config, weights, progress)
    finally:
        progress.close()


def _run(out: Path, config: DemoConfig, weights: Path | None, progress: Steps) -> Results:
    files = {
        "page": out / "index.html",
        "sheet": out / "contact_sheet.png",
        "dictionary": out / "portraits.safetensors",
        "numbers": out / "numbers.json",
        "capture": out / "capture",
    }
    with progress.step("load the models"):
        models = studio.load_studio(weights)
    with progress.step("write prompts and encode them") as tick:
        _clear(files["capture"])
        plan = capture.plan(captions.table(), models.host, _capture_config(config), captions.WORDING)
        captured = capture.run(models.host, files["capture"], plan, progress=tick)
    with progress.step("fit the dictionary") as tick:
        learnt = fit.fit_dictionary(captured, progress=tick)
        save_dictionary(learnt, files["dictionary"])
    with progress.step("edit") as tick:
        asked = draw_cases(config, plan)
        edited = _Edited.of(models, learnt, asked, tick)
    with progress.step("draw pictures") as tick:
        pictures = _draw(models, edited, asked, config, tick)
    with progress.step("read the pictures"):
        found = _judged(models, asked, edited, pictures)
    made = Results(asdict(config), learnt, found, edited.located, edited.untouched, progress.seconds, files)
    with progress.step("write the report"):
        demo_report.contact_sheet(made).save(files["sheet"])
        files["page"].write_text(demo_page.page(made, cosine_picture(learnt)), encoding="utf-8")
        files["numbers"].write_text(json.dumps(trials.numbers(made), indent=1, ensure_ascii=False), encoding="utf-8")
    return made


def _clear(folder: Path) -> None:
    """Drop an earlier run's capture, so that this one does what it says it did."""
    if (folder / "capture.json").exists():
        shutil.rmtree(folder)


def _capture_config(config: DemoConfig) -> CaptureConfig:
    return CaptureConfig(prompts=config.prompts, held_out=config.held_out, seed=config.seed)


def draw_cases(config: DemoConfig, plan: TextPlan) -> list[Case]:
    """Draw swaps into held-out pairs, then removals, then additions; one seed gives one list."""
    rng = np.random.default_rng((config.seed, 3))  # 1 and 2 are the capture's
    few = max(1, config.cases // 10)
    kinds: list[tuple[type[Edit], int, str]] = [
        (Swap, config.cases - 2 * few, "unseen"),
        (Remove, few, "any"),
        (Add, few, "any"),
    ]
    held_out = frozenset(frozenset(pair) for pair in plan.held_out)
    seen = frozenset(entry.prompt.text for entry in plan.entries)
    return [
        case
        for edit, count, pairs in kinds
        for case in cases.draw_cases(
            edit, plan.table, count, rng,
            held_out=held_out, pairs=pairs, wording=captions.WORDING, longest=captions.LONGEST, apart_from=seen,
        )
    ]  # fmt: skip


class _Edited(NamedTuple):
    """The conditionings of all cases, by method."""

    conds: dict[str, list[torch.Tensor]]
    pooled: dict[str, list[torch.Tensor]]
    refused: list[str]
    located: float
    untouched: int

    @classmethod
    def of(cls, models: Studio, learnt: Dictionary, asked: list[Case], tick: Progress) -> _Edited:
        conds, pooled = {}, {}
        conds["before"], pooled["before"] = models.host.encode([case.prompt.text for case in asked])
        conds["rewrite"], pooled["rewrite"] = models.host.encode([case.rewrite.text for case in asked])
        tick(1, 4)
        rows = list(zip(asked, conds["before"], pooled["before"], strict=True))
        answers = [cases.answer(learnt, *row) for row in rows]
        conds["edited"], pooled["edited"] = [one.cond for one in answers], [one.pooled for one in answers]
        tick(2, 4)
        untouched = sum(cases.untouched(learnt, *row) for row in rows)
        tick(3, 4)
        seen = cases.encoded(models.host, asked, conds["before"], pooled["before"])
        located = calibration.locate_accuracy(learnt, seen)
        return cls(conds, pooled, [one.refused for one in answers], located, untouched)


def _draw(
    models: Studio, edited: _Edited, asked: list[Case], config: DemoConfig, tick: Progress
) -> dict[str, np.ndarray]:
    """Draw all pictures, every case's three from the same noise."""
    made = studio.draw_portraits(
        models,
        [cond for method in METHODS for cond in edited.conds[method]],
        [vector for method in METHODS for vector in edited.pooled[method]],
        [case.seed for case in asked] * len(METHODS),
        steps=config.steps,
        cfg=config.cfg,
        progress=tick,
    )
    return dict(zip(METHODS, np.split(made, len(METHODS)), strict=True))


def _judged(models: Studio, asked: list[Case], edited: _Edited, pictures: dict[str, np.ndarray]) -> list[Trial]:
    read = {method: studio.read_portraits(models, pictures[method]) for method in METHODS}
    outcomes = {
        method: evaluate.judge_all(asked, read["before"], read[method], read["rewrite"]) for method in METHODS[1:]
    }
    return [
        Trial(
            case,
            edited.refused[i],
            {method: pictures[method][i] for method in METHODS},
            {method: read[method][i] for method in METHODS},
            {method: outcomes[method][i] for method in outcomes},
        )
        for i, case in enumerate(asked)
    ]
