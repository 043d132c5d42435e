"""The whole method once, on Portraits: capture, fit, and a dozen cases through the scoreboard's own code."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from ..evaluation.pictures.parts import Size
from ..evaluation.pictures.renderer import diffusers_renderer
from ..evaluation.pictures.run import EvalConfig, run
from ..evaluation.results import Results
from ..hosts.diffusers import studio
from ..portraits import captions
from ..supsae_core.dictionary.file import save_dictionary
from ..supsae_core.dictionary.model import Dictionary
from ..supsae_core.host import TextHost
from ..training import capture, fit
from ..training.capture import CaptureConfig
from .bars import hooks, onto


@dataclass(frozen=True)
class DemoConfig:
    """How much the demo does."""

    prompts: int = 300
    """prompts to fit on"""
    held_out: float = 0.1
    """share of pairs of concepts that fitting never sees together; the cases are swaps into them"""
    seed: int = 0
    size: Size = Size(headline=12, text=32)
    steps: int = 12
    """of the sampler; with 16 the same cases succeed, and all takes a tenth longer"""


def demo(out: Path, config: DemoConfig = DemoConfig(), *, weights: Path | None = None) -> Results:
    """Learn, edit and judge; what an earlier run left in the folder is replaced.

    Args:
        out: of the capture, the dictionary and the pictures; made if missing.
        weights: folder of the Portraits models, if not the pack's own.

    Raises:
        ValueError: if the settings or the models' files are unfit.
    """
    models = studio.quickened(studio.load_studio(weights))
    for name in ("capture", "pictures"):
        shutil.rmtree(out / name, ignore_errors=True)
    learnt = _learnt(models.host, out, config)
    save_dictionary(learnt, out / "portraits.safetensors")
    renderer = diffusers_renderer(models, weights or studio.WEIGHTS, steps=config.steps)
    asked = EvalConfig("demo", config.seed, ("text", "headline"), config.size)
    return run(learnt, renderer, out, asked, hooks(), models.host)


def _learnt(host: TextHost, out: Path, config: DemoConfig) -> Dictionary:
    asked = CaptureConfig(prompts=config.prompts, held_out=config.held_out, seed=config.seed)
    plan = capture.plan_text(captions.table(), host, asked, captions.WORDING)
    with tqdm(total=1, desc="encode        ", unit="") as bar:
        captured = capture.capture_text(host, out / "capture", plan, progress=onto(bar))
    with tqdm(total=1, desc="fit           ", unit="") as bar:
        return fit.fit_dictionary(captured, progress=onto(bar))
