"""What edits are worth on Portraits: ``python benchmarks/edits.py``; writes ``benchmarks/results/edits.json``.

The same cases and seeds for every method: no edit, prompt rewrite, this project's dictionary (1500 prompts and 50), and
the paper's flattened model. Cases are drawn apart from all prompts that were fitted or calibrated on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from supsae.portraits import captions
from supsae.supsae_core.captures import Capture
from supsae.supsae_core.dictionary import Dictionary
from supsae.supsae_core.edits import Add, Edit, Remove, Swap
from supsae.supsae_core.prompts import Pair
from supsae.training import calibration, capture, cases, evaluate, fit, paper, studio
from supsae.training.cases import Case
from supsae.training.studio import Studio

SEED = 4711
PROMPTS, FEW, CALIBRATION, HELD_OUT = 1500, 50, 256, 0.12
Method = Callable[[Case, Tensor, Tensor], tuple[Tensor, Tensor]]


def captured(models: Studio, folder: Path, count: int, calibration: int) -> tuple[Capture, float]:
    """Capture ``count`` prompts of Portraits; return the capture and the seconds it took."""
    began = time.perf_counter()
    config = capture.CaptureConfig(prompts=count, calibration=calibration, held_out=HELD_OUT)
    plan = capture.plan(captions.table(), models.host, config, captions.WORDING)
    return capture.run(models.host, folder, plan), time.perf_counter() - began


def by_dictionary(dictionary: Dictionary) -> Method:
    """Edit from the rows alone, the prompt's text unseen."""
    return lambda case, cond, pooled: cases.answer(dictionary, case, cond, pooled)[:2]


def by_paper(model: paper.Flattened) -> Method:
    """Flip the paper's mask; it is told the true support, since it cannot read one."""
    table = captions.table()

    def edit(case: Case, cond: Tensor, pooled: Tensor) -> tuple[Tensor, Tensor]:
        if tuple(cond.shape) != model.shape:
            return cond, pooled
        return model.edit(cond, pooled, case.prompt.support(table), case.rewrite.support(table))

    return edit


def run(models: Studio, drawn: Sequence[Case], methods: dict[str, Method], label: str, work: Path) -> dict[str, object]:
    """Draw and judge every case with every method; readings are kept: the unedited pictures and rewrites are shared."""
    conds, pooled = models.host.encode([case.prompt.text for case in drawn])
    written, written_pooled = models.host.encode([case.rewrite.text for case in drawn])
    seeds = [case.seed for case in drawn]

    def read(rows: Sequence[Tensor], vectors: Sequence[Tensor], name: str) -> list[dict[str, str]]:
        file = work / f"{label}-{name}-{len(drawn)}.json"
        if not file.exists():
            with tqdm(total=len(drawn), desc=f"{label}: {name}") as bar:
                pictures = studio.draw(
                    models, rows, vectors, seeds, progress=lambda done, _: bar.update(done - bar.n) and None
                )
            file.write_text(json.dumps(studio.read(models, pictures)), encoding="utf-8")
        return json.loads(file.read_text(encoding="utf-8"))

    before, rewrite = read(conds, pooled, "no edit"), read(written, written_pooled, "rewrite")
    outcomes = {
        "no edit": evaluate.judge_all(drawn, before, before, rewrite),
        "prompt rewrite": evaluate.judge_all(drawn, before, rewrite, rewrite),
    }
    for name, method in methods.items():
        made = [method(case, c, p) for case, c, p in zip(drawn, conds, pooled, strict=True)]
        after = read([c for c, _ in made], [p for _, p in made], name)
        outcomes[name] = evaluate.judge_all(drawn, before, after, rewrite)
    ceiling = outcomes["prompt rewrite"]
    return {name: _row(found, ceiling) for name, found in outcomes.items()} | {"cases": len(drawn)}


def _row(found: Sequence[evaluate.Outcome], ceiling: Sequence[evaluate.Outcome]) -> dict[str, object]:
    scored = evaluate.score(found)
    paired = evaluate.paired_interval([one.success for one in found], [one.success for one in ceiling])
    return {
        "success": scored.success._asdict(),
        "kept": scored.kept._asdict(),
        "both": scored.both._asdict(),
        "success_minus_rewrite": paired._asdict(),
        "kept_each": {name: value.estimate for name, value in scored.attributes.items()},
    }


def text_side(models: Studio, dictionary: Dictionary, drawn: Sequence[Case]) -> dict[str, float]:
    """Locate accuracy (concept and exact span per category), and how many no-ops are the very same tensors."""
    conds, pooled = models.host.encode([case.prompt.text for case in drawn])
    rows = cases.encoded(models.host, drawn, conds, pooled)
    same = [cases.untouched(dictionary, *one) for one in zip(drawn, conds, pooled, strict=True)]
    return {"locate": calibration.locate_accuracy(dictionary, rows), "no_op_same": sum(same) / len(same)}


PARTS: dict[str, tuple[type[Edit], str, int]] = {
    "swap, unseen pairs": (Swap, "unseen", 1),
    "swap, seen pairs": (Swap, "seen", 8),
    "remove": (Remove, "any", 8),
    "add, unseen pairs": (Add, "unseen", 8),
}
"""Part → edit, kind of pairs, and what divides the number of cases; rivals run in the first part alone."""


def main() -> None:
    """Parse the command line, measure part by part, write after each, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=512, help="swaps into unseen pairs; an eighth of it for the rest")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="measure these; others are kept")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS), help="measure these")
    parser.add_argument("--work", type=Path, default=Path.home() / ".cache" / "supsae" / "edits", help="readings kept")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("results") / "edits.json")
    args = parser.parse_args()
    torch.manual_seed(0)
    models = studio.load()
    with tempfile.TemporaryDirectory() as folder:
        for name, found in measure(models, Path(folder), args.work / weights(), args.count, args.parts, args.methods):
            args.out.parent.mkdir(parents=True, exist_ok=True)
            there = json.loads(args.out.read_text(encoding="utf-8")) if args.out.exists() else {}
            merged = {**there, name: {**there.get(name, {}), **found}}
            args.out.write_text(json.dumps(merged, indent=1) + "\n", encoding="utf-8")
    print(table(json.loads(args.out.read_text(encoding="utf-8"))))
    print(f"wrote {args.out}")


def weights() -> str:
    """Return what tells these weights from others, so that no reading of other pictures is taken over."""
    files = sorted(file for file in studio.WEIGHTS.rglob("*.safetensors") if file.parent.name != "supsae")
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]


def measure(
    models: Studio, folder: Path, work: Path, count: int, parts: Sequence[str], wanted: Sequence[str]
) -> Iterator[tuple[str, dict[str, object]]]:
    """Fit the methods, then yield the results of one part after the other."""
    work.mkdir(parents=True, exist_ok=True)
    many, seconds = captured(models, folder / "many", PROMPTS, CALIBRATION)
    began = time.perf_counter()
    dictionary = fit.fit(many)
    times = {"capture": seconds, "fit": time.perf_counter() - began, "solve": dictionary.report["solve_seconds"]}
    for index, name in enumerate(PARTS):
        if name not in parts:
            continue
        drawn = drawn_cases(many, name, count)
        if not index and "dictionary" in wanted:
            yield "seconds", {key: round(value, 1) for key, value in times.items()}
            yield "text", text_side(models, dictionary, drawn)
        some = [one for one in wanted if one == "dictionary" or not index]
        chosen = {one: METHODS[one](models, folder, many, dictionary) for one in some}
        yield name, run(models, drawn, chosen, name, work)


def drawn_cases(many: Capture, name: str, count: int) -> list[Case]:
    """Draw the cases of one part, apart from all prompts of the capture; the same ones every time."""
    kind, pairs, share = PARTS[name]
    held_out: frozenset[Pair] = frozenset(frozenset(pair) for pair in many.plan.held_out)
    return cases.draw_cases(
        kind, captions.table(), count // share, np.random.default_rng((SEED, list(PARTS).index(name))),
        held_out=held_out, pairs=pairs, wording=captions.WORDING, longest=captions.LONGEST,
        apart_from={entry.prompt.text for entry in many.plan.entries},
    )  # fmt: skip


def few(models: Studio, folder: Path, many: Capture, dictionary: Dictionary) -> Method:
    """Learn the same concepts from a few prompts."""
    return by_dictionary(fit.fit(captured(models, folder / "few", FEW, CALIBRATION)[0]))


METHODS: dict[str, Callable[[Studio, Path, Capture, Dictionary], Method]] = {
    "dictionary": lambda models, folder, many, dictionary: by_dictionary(dictionary),
    "dictionary, 50 prompts": few,
    "paper": lambda models, folder, many, dictionary: by_paper(paper.fit(many)),
}
"""Method → (models, folder for captures, the capture and the dictionary of all prompts) → how it edits."""


def table(found: dict[str, object]) -> str:
    """Return the results as a Markdown table."""
    lines = ["| cases | method | success | all else kept | both |", "|---|---|---|---|---|"]
    for name, rows in found.items():
        if isinstance(rows, dict) and "cases" in rows:
            for method, row in rows.items():
                if isinstance(row, dict):
                    cells = (f"{row[k]['estimate']:.1%}" for k in ("success", "kept", "both"))
                    lines.append(f"| {name} (n = {rows['cases']}) | {method} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
