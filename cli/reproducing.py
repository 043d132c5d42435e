"""What ``supsae reproduce`` does: the paper's experiment on Portraits, or on a model of one's own."""

import argparse
from typing import Any

from ..evaluation.baselines.paper import PUBLISHED
from ..evaluation.reproduction import painters
from ..evaluation.reproduction.asked import TABLE, ReproduceConfig
from ..evaluation.reproduction.run import run
from ..evaluation.reproduction.told import lines
from ..hosts.diffusers.pictures import PictureConfig
from ..portraits import captions
from ..supsae_core.table.parsing import load_table
from ..training import distributed
from ..training.picture_size import picture_size
from .bars import hooks


def reproduce(args: argparse.Namespace) -> None:
    """Run the experiment, saying first what it will take; print the figures and where the pictures are."""
    if args.clip and not args.model:
        raise ValueError("--clip reads the pictures of --model; Portraits has an exact reader. Leave one of them out.")
    with distributed.group():
        found = _run(args)
        if distributed.rank() == 0:
            print("\n".join(lines(found)))
            print(f"results     {args.out / 'results.json'}\npictures    {args.out / 'sheet.png'}")


def _run(args: argparse.Namespace) -> dict[str, Any]:
    """Run it with all ranks, if there are any."""
    config = ReproduceConfig(args.prompts, args.calibration, swaps=args.swaps, category=args.category, seed=args.seed)
    own = captions.table() if args.model is None else load_table(TABLE)
    table = load_table(args.table) if args.table else own
    if args.model is None:
        painter = painters.portraits()
    else:
        width, height = picture_size(args.picture_size)
        drawn = PictureConfig(width=width, height=height, steps=args.steps, cfg=args.cfg)
        painter = painters.sd3(args.model, args.clip, drawn, table)
    return run(painter, table, config, PUBLISHED, args.out, hooks())
