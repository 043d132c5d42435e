"""What ``supsae eval`` does: Portraits against exact truth, or another model by its text side and proxies."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from tqdm import tqdm

from ..evaluation.pictures.parts import PARTS, SIZES
from ..evaluation.report import text_report
from ..evaluation.text import text_run
from ..evaluation.text.swaps import TextConfig
from ..hosts.diffusers.pictures import PictureConfig
from ..hosts.embedded import PortraitsText
from ..supsae_core.dictionary.file import load_dictionary
from ..supsae_core.dictionary.model import Dictionary
from ..training.picture_size import picture_size


def evaluate(args: argparse.Namespace, shipped: Path) -> None:
    """Judge a dictionary, saying first what it will take."""
    if args.size not in SIZES:
        raise ValueError(f"--size is {args.size!r}. Choose one of: {', '.join(SIZES)}.")
    learnt = load_dictionary(args.dictionary or shipped)
    if args.model or args.clip or args.lpips or args.no_pictures:
        _by_text(args, learnt)
    else:
        _by_pictures(args, learnt)


def _by_pictures(args: argparse.Namespace, learnt: Dictionary) -> None:
    from ..evaluation.pictures import adapters, run
    from ..evaluation.pictures.painter import diffusers_painter
    from ..evaluation.report import files
    from ..hosts.diffusers import studio  # diffusers takes seconds to import

    config = run.EvalConfig(args.size, args.seed, tuple(args.parts or PARTS))
    run.require_portraits(learnt)
    models = studio.load_studio()
    hooks = run.Hooks(tqdm.write, _bar)
    train = partial(adapters.trained, models, args.out / "adapters")
    found = run.run(learnt, diffusers_painter(models), args.out, config, hooks, models.host, train)
    where = files.write(found, args.out)
    print(files.summary(found))
    _say_where(where)


def _bar(name: str, total: int) -> Callable[[int], None]:
    bar = tqdm(total=total or None, desc=f"{name:<14}", unit="")

    def told(count: int) -> None:
        bar.update(count)

    return told


def _by_text(args: argparse.Namespace, learnt: Dictionary) -> None:
    if not args.model and (args.clip or args.lpips):
        raise ValueError(
            "Portraits' pictures are judged by exact truth, not by CLIP or LPIPS. Leave them out, or name a --model."
        )
    config = TextConfig(prompts=SIZES[args.size].text, seed=args.seed, mention=args.mention)
    if args.model:
        width, height = picture_size(args.picture_size)
        drawing = PictureConfig(args.pictures, width, height, args.steps, args.cfg)
        host, judges = text_run.open_model(args.model, args.clip, args.lpips, drawing)
    else:
        host, judges = PortraitsText(), None
    print(text_run.cost(config, judges))
    bars: dict[str, tqdm] = {}

    def progress(what: str, done: int, total: int) -> None:
        bar = bars.setdefault(what, tqdm(total=total, desc=what))
        bar.update(done - bar.n)

    found = text_run.run_text(learnt, host, args.out, config, judges=judges, progress=progress)
    for bar in bars.values():
        bar.close()
    print(text_report.summary(found.metrics, found.proxies))
    _say_where(found.files)


def _say_where(files: Mapping[str, Path]) -> None:
    for name, path in files.items():
        print(f"{name:<12}{path}")
