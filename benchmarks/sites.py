"""What an edit is worth at each site of the model: ``python benchmarks/sites.py``; writes ``results/sites.json``.

Swaps into unseen pairs, the same for every site, strength 1. The text entering block 0 follows from the prompt's
own dictionary; deeper blocks and the image stream are captured while pictures are sampled, and tried on fewer cases.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import shared
import torch
from tqdm import tqdm

from supsae.evaluation.cases import Case
from supsae.evaluation.intervals import paired_interval
from supsae.evaluation.outcomes import Outcome, judge, shares
from supsae.hosts.diffusers import studio
from supsae.hosts.diffusers.recording import DiffusersPictures
from supsae.hosts.diffusers.steering import steered
from supsae.hosts.diffusers.studio import Studio
from supsae.portraits import captions
from supsae.supsae_core.dictionary.model import Dictionary
from supsae.supsae_core.editing import edits, steer
from supsae.supsae_core.editing.steer import Moves, Where
from supsae.supsae_core.encoders.sites import parse_sites
from supsae.supsae_core.reading import readout
from supsae.training import capture, fit, recording
from supsae.training.recording import SamplingConfig

BASE = "cond, pooled"
PROMPT_SITES = (BASE, "txt@0, pooled")
RECORDED = "txt@1-2, img@0-3"
FEWER_SITES = ("cond", "pooled", "txt@1, pooled", "txt@2, pooled", "img@0", "img@1", "img@2", "img@3")
PICTURES, BATCH = 300, 16


def moves(dictionary: Dictionary, case: Case, cond: torch.Tensor, where: Where) -> Moves:
    """Find the concepts in the rows alone and return what the edit adds; nothing where it is refused."""
    reading = readout.read_conditioning(dictionary, cond)
    try:
        found = edits.resolve_edits(dictionary, list(case.edits), reading.concepts(dictionary))
    except ValueError:
        found = []
    return steer.moves(dictionary, cond, reading, found, where)


def draw(models: Studio, dictionary: Dictionary, drawn: Sequence[Case], where: Where, label: str) -> np.ndarray:
    """Draw the edited pictures; all prompts have the same number of rows."""
    conds, pooled = models.host.encode([case.prompt.text for case in drawn])
    made = []
    for start in tqdm(range(0, len(drawn), BATCH), desc=label):
        some = range(start, min(start + BATCH, len(drawn)))
        steps = [moves(dictionary, drawn[i], conds[i], where) for i in some]
        with steered(models.transformer, dictionary, steps, where):
            seeds = [drawn[i].seed for i in some]
            made.append(
                studio.draw_portraits(models, [conds[i] for i in some], [pooled[i] for i in some], seeds, batch=BATCH)
            )
    return np.concatenate(made)


def read(models: Studio, dictionary: Dictionary, drawn: Sequence[Case], sites: str, work: Path) -> list[dict[str, str]]:
    """Read the edited pictures; readings are kept."""
    file = work / f"{sites}-{len(drawn)}.json"
    if not file.exists():
        pictures = draw(models, dictionary, drawn, Where(parse_sites(sites)), sites)
        file.write_text(json.dumps(studio.read_portraits(models, pictures)), encoding="utf-8")
    return json.loads(file.read_text(encoding="utf-8"))


def row(found: Sequence[Outcome], base: Sequence[Outcome]) -> dict[str, object]:
    """Return the scores, and success minus the base's, paired."""
    paired = paired_interval([one.success for one in found], [one.success for one in base])
    both = {name: value._asdict() for name, value in shares(found).items()}
    return {**both, "success_minus_base": paired._asdict(), "cases": len(found)}


def main() -> None:
    """Parse the command line, measure, write and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=512, help="cases at the usual sites")
    parser.add_argument("--fewer", type=int, default=128, help="cases at the other sites")
    parser.add_argument("--work", type=Path, default=Path.home() / ".cache" / "supsae" / "sites", help="readings kept")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("results") / "sites.json")
    args = parser.parse_args()
    models, work = studio.load_studio(), args.work / shared.weights()
    work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        many = shared.captured(models.host, Path(folder) / "many")
        dictionary = fit.fit_dictionary(many)
        drawn = shared.unseen_swaps(many, args.count)
        found = {}
        before = read_plain(models, drawn, work)
        base = judged(drawn, before, read(models, dictionary, drawn, BASE, work))
        for sites in PROMPT_SITES:
            some = judged(drawn, before, read(models, dictionary, drawn, sites, work))
            found[sites] = row(some, base)
        few = drawn[: args.fewer]
        deep = recorded(models, Path(folder) / "pictures")
        for sites in FEWER_SITES:
            some = judged(few, before, read(models, deep, few, sites, work))
            found[sites] = row(some, base[: args.fewer])
        found["no edit"] = row(judged(few, before, before[: args.fewer]), base[: args.fewer])
        found["held-out error of a slot"] = deep.report["streams"]
    args.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for sites, one in found.items():
        if "success" in one:
            print(
                f"| {sites} (n = {one['cases']}) | "
                + " | ".join(f"{one[k]['estimate']:.1%}" for k in ("success", "kept", "both"))
            )
    print(f"wrote {args.out}")


def read_plain(models: Studio, drawn: Sequence[Case], work: Path) -> list[dict[str, str]]:
    """Read the unedited pictures."""
    file = work / f"no edit-{len(drawn)}.json"
    if not file.exists():
        conds, pooled = models.host.encode([case.prompt.text for case in drawn])
        pictures = studio.draw_portraits(models, conds, pooled, [case.seed for case in drawn])
        file.write_text(json.dumps(studio.read_portraits(models, pictures)), encoding="utf-8")
    return json.loads(file.read_text(encoding="utf-8"))


def judged(drawn: Sequence[Case], before: Sequence[dict[str, str]], after: Sequence[dict[str, str]]) -> list[Outcome]:
    """Judge swaps, for which the rewrite's picture does not matter."""
    rows = zip(drawn, before[: len(drawn)], after, strict=True)
    return [judge(was, made, {name: str(value) for name, value in case.wanted.items()}) for case, was, made in rows]


def recorded(models: Studio, folder: Path) -> Dictionary:
    """Capture streams while pictures are sampled, pairs held out as for the prompt's dictionary, and fit."""
    pictures = DiffusersPictures(models.transformer, lambda cond: studio.negative(models, cond))
    how = SamplingConfig(parse_sites(RECORDED), steps=16, cfg=3.0, width=128, height=128)
    drawn = capture.CaptureConfig(prompts=PICTURES, calibration=64, held_out=shared.HELD_OUT)
    plan = recording.plan_activations(captions.table(), models.host, pictures, drawn, how, captions.WORDING)
    with tqdm(total=len(plan.entries) * how.steps, desc="capture") as bar:
        tell = lambda done, _total, _latents: bar.update(done - bar.n) and None  # noqa: E731
        return fit.fit_dictionary(recording.capture_activations(models.host, pictures, folder, plan, sampled=tell))


if __name__ == "__main__":
    main()
