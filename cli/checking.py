"""What ``supsae check`` does: whether the pack works with a model, as the node Check Model says it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, version

import numpy as np
from torch import Tensor

from ..evaluation.check.files import write_check
from ..evaluation.check.run import About, Sights, run_check
from ..evaluation.check.trial import TrialConfig, small_table
from ..hosts.choose import text_host
from ..supsae_core.files import require_writable
from ..supsae_core.host import TextHost
from ..supsae_core.table.parsing import load_table
from ..training.picture_size import picture_size
from .bars import hooks

PORTRAIT = 128
"""Pixels of a portrait, whatever is asked."""


def check(args: argparse.Namespace) -> None:
    """Check a model, write the report and print it."""
    config = TrialConfig(args.encodings, args.seed)
    if args.pictures < 0:
        raise ValueError(f"--pictures is {args.pictures}. It must be 0 or above.")
    require_writable(args.out / "check.json")
    opened = _open_host if args.host else _open_portraits if args.model is None else _open_sd3
    host, sights = opened(args)
    table = load_table(args.table) if args.table else small_table(host.family.name == "portraits")
    files = [args.model.name] if args.model else []
    about = About(_program(), files, bool(args.table))
    made = run_check(host, table, config, hooks(), sights, about)
    files = write_check(made, args.out)
    print(made.report(f"Saved in {args.out}: send {files['report'].name}, or {files['results'].name}."))


def _program() -> str:
    try:
        return f"diffusers {version('diffusers')}"
    except PackageNotFoundError:
        return "no diffusers"


def _open_host(args: argparse.Namespace) -> tuple[TextHost, Sights]:
    return text_host(args.model, args.host), Sights()


def _open_portraits(args: argparse.Namespace) -> tuple[TextHost, Sights]:
    from ..hosts.diffusers import studio  # diffusers takes seconds to import

    models = studio.load_studio()

    def draw(conds: Sequence[Tensor], pooled: Sequence[Tensor]) -> np.ndarray:
        seeds = [args.seed] * len(conds)
        return studio.draw_portraits(models, conds, pooled, seeds, steps=args.steps, cfg=args.cfg)

    return models.host, _sights(args, models.host, models.transformer, partial(studio.negative, models), draw)


def _open_sd3(args: argparse.Namespace) -> tuple[TextHost, Sights]:
    from ..hosts.diffusers.pictures import PictureConfig, draw_pictures
    from ..hosts.diffusers.text import DiffusersText, load_pipeline

    width, height = picture_size(args.picture_size)
    how = PictureConfig(width=width, height=height, steps=args.steps, cfg=args.cfg)
    pipeline = load_pipeline(args.model)
    host = DiffusersText(pipeline)

    def draw(conds: Sequence[Tensor], pooled: Sequence[Tensor]) -> np.ndarray:
        return draw_pictures(host, conds, pooled, [args.seed] * len(conds), how)

    return host, _sights(args, host, pipeline.transformer, host.negative, draw)


def _sights(
    args: argparse.Namespace, host: TextHost, transformer: object, negative: Callable, draw: Callable
) -> Sights:
    from ..hosts.diffusers import checking
    from ..hosts.diffusers.recording import DiffusersPictures

    depth = DiffusersPictures(transformer, negative).depth  # type: ignore[arg-type]  # says which models it takes
    trios = partial(checking.draw_trios, host, draw) if args.pictures else None
    blocks = partial(checking.hear_blocks, host, transformer, depth, negative, args.seed)
    return Sights(None, trios, blocks, args.pictures)
