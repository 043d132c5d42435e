"""What the lock is worth on Portraits: ``python benchmarks/lock.py``; writes ``benchmarks/results/lock.json``.

The cases and seeds of the first part of ``edits.py``: swaps into pairs of concepts never seen together, free wording,
strength 1. Prompt rewrite and dictionary, each without and with the lock, all held to the same unedited runs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import edits
import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from supsae.portraits import captions
from supsae.supsae_core.edits import Swap
from supsae.supsae_core.lock import LockConfig
from supsae.training import cases, evaluate, fit, locked, studio
from supsae.training.cases import Case
from supsae.training.evaluate import Outcome, Read
from supsae.training.studio import Studio

COLUMNS = (
    "method", "success", "all else kept", "both", "an attribute kept", "failures ÷ rewrite's", "failures − rewrite's",
)  # fmt: skip
DRAWS = 10_000
"""Resamplings behind the interval of a ratio."""
Rows = tuple[list[Tensor], list[Tensor]]


class Bench:
    """The cases, and what was read of their pictures; readings are kept in a folder, so that a run goes on."""

    def __init__(self, models: Studio, drawn: Sequence[Case], config: LockConfig, work: Path) -> None:
        self.models, self.drawn, self.config, self.work = models, drawn, config, work
        self.plain: Rows = models.host.encode([case.prompt.text for case in drawn])

    @cached_property
    def reference(self) -> locked.Reference:
        """The unedited pictures and their runs, drawn when a method without readings needs them."""
        return self._drawn("no edit", lambda told: locked.reference(self.models, *self.plain, self.seeds, told))

    @property
    def seeds(self) -> list[int]:
        return [case.seed for case in self.drawn]

    def free(self, rows: Rows, name: str) -> list[Read]:
        """Read pictures drawn as they are."""
        return self._read(name, lambda told: studio.draw(self.models, *rows, self.seeds, progress=told))

    def before(self) -> list[Read]:
        """Read the unedited pictures."""
        return self._read("no edit", lambda told: self.reference.pictures)

    def held(self, rows: Rows, name: str) -> tuple[list[Read], list[Read], float]:
        """Read pictures drawn under the lock and their composites; return the mean share of the picture let through."""
        file = self._file(f"{name}, area")
        if not file.exists():
            reference = self.reference
            made = self._drawn(
                name, lambda told: locked.draw(self.models, *rows, reference, self.config, progress=told)
            )
            self._read(name, lambda told: made.pictures)
            self._read(f"{name}, composite", lambda told: made.composites)
            file.write_text(json.dumps(float(made.masks.float().mean())), encoding="utf-8")
        known = (self._read(one, lambda told: np.zeros(0)) for one in (name, f"{name}, composite"))
        return *known, json.loads(file.read_text(encoding="utf-8"))

    def _read(self, name: str, draw: Callable) -> list[Read]:
        file = self._file(name)
        if not file.exists():
            read = studio.read(self.models, self._drawn(name, draw))
            file.write_text(json.dumps(read), encoding="utf-8")
        return json.loads(file.read_text(encoding="utf-8"))

    def _drawn(self, name: str, draw: Callable[[locked.Progress], Any]) -> Any:
        with tqdm(total=len(self.drawn), desc=name) as bar:
            return draw(lambda done, _: bar.update(done - bar.n) and None)

    def _file(self, name: str) -> Path:
        return self.work / f"{name}-{len(self.drawn)}.json"


def measure(bench: Bench, rows: dict[str, Rows]) -> dict[str, object]:
    """Judge every method with and without the lock."""
    before, drawn = bench.before(), bench.drawn
    judged = {"no edit": evaluate.judge_all(drawn, before, before, before)}
    areas = {}
    for name, own in rows.items():
        judged[name] = evaluate.judge_all(drawn, before, bench.free(own, name), before)
        under, composite, areas[f"{name} + lock"] = bench.held(own, f"{name} + lock")
        judged[f"{name} + lock"] = evaluate.judge_all(drawn, before, under, before)
        judged[f"{name} + lock, composite"] = evaluate.judge_all(drawn, before, composite, before)
    rewrite = judged["prompt rewrite"]
    made = {name: row(outcomes, rewrite) for name, outcomes in judged.items()}
    return {"cases": len(drawn), "lock": asdict(bench.config), "let through": areas, "methods": made}


def row(found: Sequence[Outcome], rewrite: Sequence[Outcome]) -> dict[str, object]:
    """Return the numbers of one method; failures are 1 − both, held against the rewrite's without the lock."""
    scored = evaluate.score(found)
    both, other = ([one.both for one in some] for some in (found, rewrite))
    each = [kept for one in found for kept in one.kept.values()]
    return {
        "success": scored.success._asdict(),
        "kept": scored.kept._asdict(),
        "both": scored.both._asdict(),
        "kept_attribute": evaluate.share(each)._asdict(),
        "kept_each": {name: value._asdict() for name, value in scored.attributes.items()},
        "failures_minus_rewrite": evaluate.paired_interval(
            [not one for one in both], [not one for one in other]
        )._asdict(),
        "failures_of_rewrite": ratio(np.array(both), np.array(other)),
    }


def ratio(both: np.ndarray, other: np.ndarray) -> dict[str, float]:
    """Return one's failures ÷ the other's over the same cases, with the 95 % interval of resampled cases."""
    chosen = np.random.default_rng(0).integers(len(both), size=(DRAWS, len(both)))
    low, high = np.quantile((~both)[chosen].mean(1) / (~other)[chosen].mean(1), [0.025, 0.975])
    return {"estimate": float((~both).mean() / (~other).mean()), "low": float(low), "high": float(high)}


def main() -> None:
    """Parse the command line, measure, write and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=512, help="cases")
    parser.add_argument("--work", type=Path, default=Path.home() / ".cache" / "supsae" / "lock", help="readings kept")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("results") / "lock.json")
    args = parser.parse_args()
    torch.manual_seed(0)
    models, config = studio.load(), LockConfig()
    with tempfile.TemporaryDirectory() as folder:
        many, _ = edits.captured(models, Path(folder), edits.PROMPTS, edits.CALIBRATION)
        dictionary, plan = fit.fit(many), many.plan
    drawn = cases.draw_cases(
        Swap, captions.table(), args.count, np.random.default_rng((edits.SEED, 0)),
        held_out=frozenset(frozenset(pair) for pair in plan.held_out), pairs="unseen", wording=captions.WORDING,
        longest=captions.LONGEST, apart_from={entry.prompt.text for entry in plan.entries},
    )  # fmt: skip
    work = args.work / f"{edits.weights()}-{hashlib.sha256(repr(config).encode()).hexdigest()[:8]}"
    work.mkdir(parents=True, exist_ok=True)
    bench = Bench(models, drawn, config, work)
    answers = [cases.answer(dictionary, *one)[:2] for one in zip(drawn, *bench.plain, strict=True)]
    rows: dict[str, Rows] = {
        "prompt rewrite": models.host.encode([case.rewrite.text for case in drawn]),
        "dictionary": ([cond for cond, _ in answers], [pooled for _, pooled in answers]),
    }
    found = measure(bench, rows)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(table(found))
    print(f"wrote {args.out}")


def table(found: dict) -> str:
    """Return the results as a Markdown table."""
    lines = [
        f"n = {found['cases']}; {found['lock']}; let through: {found['let through']}",
        "",
        f"| {' | '.join(COLUMNS)} |",
        "|---" * len(COLUMNS) + "|",
    ]
    for method, row in found["methods"].items():
        shares = [_percent(row[key]) for key in ("success", "kept", "both", "kept_attribute")]
        of = row["failures_of_rewrite"]
        ratio = f"{of['estimate']:.2f} ({of['low']:.2f} … {of['high']:.2f})"
        lines.append("| " + " | ".join([method, *shares, ratio, _percent(row["failures_minus_rewrite"])]) + " |")
    return "\n".join(lines)


def _percent(value: dict[str, float]) -> str:
    return f"{value['estimate']:.1%} ({value['low']:.1%} … {value['high']:.1%})"


if __name__ == "__main__":
    main()
