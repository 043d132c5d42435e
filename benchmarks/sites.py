"""What an edit is worth at each site of the model: ``python benchmarks/sites.py``; writes ``results/sites.json``.

Swaps into unseen pairs, the same for every site, strength 1. The text in the blocks is carried beside, of the edited
prompt and, to see what can be had there at all, of the rewritten one. The image stream is captured while pictures are
sampled, and tried on fewer cases.
"""

import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import shared
import torch
import writing
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
PROMPT_SITES = (BASE, "txt@0, pooled", "txt@1, pooled", "txt@2, pooled")
REWRITTEN_SITES = ("txt@0, pooled", "txt@1, pooled", "txt@2, pooled")
RECORDED = "img@0-3"
FEWER_SITES = ("cond", "pooled", "img@0", "img@1", "img@2", "img@3")
PICTURES, BATCH = 300, 16
Readings = list[dict[str, str]]
"""Of pictures: category → value or ``unreadable``."""


def moves(dictionary: Dictionary, case: Case, cond: torch.Tensor, where: Where) -> Moves:
    """Find the concepts in the rows alone and return what the edit adds; nothing where it is refused."""
    reading = readout.read_conditioning(dictionary, cond)
    try:
        found = edits.resolve_edits(dictionary, list(case.edits), reading.concepts(dictionary))
    except ValueError:
        found = []
    return steer.moves(dictionary, cond, reading, found, where)


def rewritten(models: Studio, case: Case, cond: torch.Tensor, pooled: torch.Tensor) -> Moves:
    """Return what the prompt rewrite adds, row by row; nothing where it needs another number of rows."""
    (other,), (vector,) = models.host.encode([case.rewrite.text])
    step = other - cond if other.shape == cond.shape else torch.zeros_like(cond)
    return Moves(step, vector - pooled, {})


def draw(
    models: Studio, dictionary: Dictionary, drawn: Sequence[Case], where: Where, label: str, rewrite: bool = False
) -> np.ndarray:
    """Draw the edited pictures, or those of the rewrites at the same places."""
    conds, pooled = models.host.encode([case.prompt.text for case in drawn])
    made = []
    for start in tqdm(range(0, len(drawn), BATCH), desc=label):
        some = slice(start, start + BATCH)
        if rewrite:
            rows = zip(drawn[some], conds[some], pooled[some], strict=True)
            steps = [rewritten(models, *one) for one in rows]
        else:
            steps = [moves(dictionary, *one, where) for one in zip(drawn[some], conds[some], strict=True)]
        seeds = [case.seed for case in drawn[some]]
        with steered(models.transformer, dictionary, steps, where):
            made.append(studio.draw_portraits(models, conds[some], pooled[some], seeds, batch=BATCH))
    return np.concatenate(made)


def plain(models: Studio, drawn: Sequence[Case]) -> np.ndarray:
    """Draw the unedited pictures."""
    conds, pooled = models.host.encode([case.prompt.text for case in drawn])
    return studio.draw_portraits(models, conds, pooled, [case.seed for case in drawn])


def row(found: Sequence[Outcome], base: Sequence[Outcome]) -> dict[str, object]:
    """Return the scores, and success minus the base's, paired."""
    pairs = [(one.success, other.success) for one, other in zip(found, base, strict=True)]
    both = {name: value._asdict() for name, value in shares(found).items()}
    return {**both, "success_minus_base": paired_interval(*zip(*pairs, strict=True))._asdict(), "cases": len(found)}


def judged(drawn: Sequence[Case], before: Readings, after: Readings) -> list[Outcome]:
    """Judge swaps, for which the rewrite's picture does not matter."""
    made = []
    for case, was, now in zip(drawn, before[: len(drawn)], after, strict=True):
        made.append(judge(was, now, {name: str(value) for name, value in case.wanted.items()}))
    return made


def measure(models: Studio, count: int, fewer: int, work: Path) -> dict[str, dict[str, object]]:
    """Return site → scores, and what the streams leave unexplained; readings are kept in ``work``."""

    def read(name: str, some: Sequence[Case], make: Callable[[], np.ndarray]) -> Readings:
        file = work / f"{name}-{len(some)}.json"
        if not file.exists():
            file.write_text(json.dumps(studio.read_portraits(models, make())), encoding="utf-8")
        return json.loads(file.read_text(encoding="utf-8"))

    def edited(learnt: Dictionary, some: Sequence[Case], sites: str, rewrite: bool = False) -> list[Outcome]:
        where, name = Where(parse_sites(sites)), f"{'rewrite, ' if rewrite else ''}{sites}"
        return judged(some, before, read(name, some, lambda: draw(models, learnt, some, where, name, rewrite)))

    with tempfile.TemporaryDirectory() as folder:
        many = shared.captured(models.host, Path(folder) / "many")
        dictionary, drawn = fit.fit_dictionary(many), shared.unseen_swaps(many, count)
        before, few = read("no edit", drawn, lambda: plain(models, drawn)), drawn[:fewer]
        base = edited(dictionary, drawn, BASE)
        found = {sites: row(edited(dictionary, drawn, sites), base) for sites in PROMPT_SITES}
        for sites in REWRITTEN_SITES:
            found[f"rewrite, {sites}"] = row(edited(dictionary, drawn, sites, rewrite=True), base)
        deep = recorded(models, Path(folder) / "pictures")
        found |= {sites: row(edited(deep, few, sites), base[:fewer]) for sites in FEWER_SITES}
    found["no edit"] = row(judged(few, before, before[:fewer]), base[:fewer])
    return {**found, "held-out error of a slot": deep.report["streams"]}


def recorded(models: Studio, folder: Path) -> Dictionary:
    """Capture streams while pictures are sampled, pairs held out as for the prompt's dictionary, and fit."""
    pictures = DiffusersPictures(models.transformer, lambda cond: studio.negative(models, cond))
    how = SamplingConfig(parse_sites(RECORDED), steps=16, cfg=3.0, width=128, height=128)
    drawn = capture.CaptureConfig(prompts=PICTURES, calibration=64, held_out=shared.HELD_OUT)
    plan = recording.plan_activations(captions.table(), models.host, pictures, drawn, how, captions.WORDING)
    with tqdm(total=len(plan.entries) * how.steps, desc="capture") as bar:
        tell = lambda done, _total, _latents: bar.update(done - bar.n) and None  # noqa: E731
        return fit.fit_dictionary(recording.capture_activations(models.host, pictures, folder, plan, sampled=tell))


def main() -> None:
    """Parse the command line, measure, write and print."""
    parser = writing.parser(__file__, __doc__)
    parser.add_argument("--count", type=int, default=512, help="cases at the usual sites")
    parser.add_argument("--fewer", type=int, default=128, help="cases at the other sites")
    parser.add_argument("--work", type=Path, default=Path.home() / ".cache" / "supsae" / "sites", help="readings kept")
    args = parser.parse_args()
    work = args.work / shared.weights()
    work.mkdir(parents=True, exist_ok=True)
    writing.write(measure(studio.quickened(studio.load_studio()), args.count, args.fewer, work), args.out)


if __name__ == "__main__":
    main()
