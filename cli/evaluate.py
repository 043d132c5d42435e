"""What ``supsae eval`` does: Portraits against exact truth, or another model by its text side and a proxy."""

import argparse
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from ..evaluation.pictures.parts import PARTS, SIZES
from ..evaluation.report.files import summary, write
from ..evaluation.results import Results
from ..evaluation.text import photographs
from ..evaluation.text.bench import BenchConfig, run_bench
from ..evaluation.text.cases import TextConfig
from ..evaluation.text.run import open_model, run_text
from ..hosts.choose import text_host
from ..hosts.embedded import PortraitsText
from ..portraits import captions
from ..portraits.paths import DICTIONARY
from ..supsae_core.dictionary.file import load_dictionary
from ..supsae_core.dictionary.model import Dictionary
from ..supsae_core.files import require_writable
from ..supsae_core.table.parsing import load_table
from ..training import distributed
from ..training.picture_size import picture_size
from .bars import hooks


def evaluate(args: argparse.Namespace) -> None:
    """Judge a dictionary, the one that ships unless another is named, saying first what it will take.

    Ranks share the cases, and what they find is what one process finds.
    """
    if args.size not in SIZES:
        raise ValueError(f"--size is {args.size!r}. Choose one of: {', '.join(SIZES)}.")
    if args.table and not args.text:
        raise ValueError("--table names the concepts of --text; otherwise a dictionary has its own. Add --text.")
    with distributed.group():
        found = _judged(args)
        distributed.led(lambda: tell(found, args.out))


def _judged(args: argparse.Namespace) -> Results:
    """Judge with all ranks, if there are any, and return on each what all have found."""
    if args.text:
        return _by_rows(args)
    learnt = load_dictionary(args.dictionary or DICTIONARY)
    judge = _by_text if args.model or args.host or args.clip or args.no_pictures else _by_pictures
    return judge(args, learnt)


def tell(found: Results, out: Path) -> Mapping[str, Path]:
    """Write what was found, print the key figures and where the rest is, and return the files."""
    files = write(found, out)
    print(summary(found.results))
    for name, path in files.items():
        print(f"{name:<12}{path}")
    return files


def _by_pictures(args: argparse.Namespace, learnt: Dictionary) -> Results:
    from ..evaluation.pictures import run

    config = run.EvalConfig(args.size, args.seed, tuple(args.parts or PARTS))
    run.require_portraits(learnt)
    distributed.led(lambda: require_writable(args.out / "results.json"))
    from ..evaluation.pictures import adapters  # and diffusers, which takes seconds: only once it is known to be needed
    from ..evaluation.pictures.renderer import diffusers_renderer
    from ..hosts.diffusers import studio

    models = studio.quickened(studio.load_studio())
    train = partial(adapters.trained, models, args.out / "adapters")
    return run.run(learnt, diffusers_renderer(models), args.out, config, hooks(), models.host, train)


def _by_rows(args: argparse.Namespace) -> Results:
    if args.dictionary or args.clip:
        raise ValueError("--text fits dictionaries itself and draws no picture. Leave the dictionary and --clip out.")
    host, own = text_host(args.model, args.host), captions.table()
    is_portraits = host.family == PortraitsText.family
    table = load_table(args.table) if args.table else own if is_portraits else photographs.table()
    mention = BenchConfig.mention if args.mention is None else args.mention
    distributed.led(lambda: require_writable(args.out / "results.json"))
    return run_bench(host, table, BenchConfig(args.size, args.seed, mention), args.out / "captures", hooks())


def _by_text(args: argparse.Namespace, learnt: Dictionary) -> Results:
    if args.clip and not args.model:
        raise ValueError("Portraits' pictures are judged by exact truth, not by CLIP. Leave it out, or name a --model.")
    mention = TextConfig.mention if args.mention is None else args.mention
    config = TextConfig(prompts=SIZES[args.size].text, seed=args.seed, mention=mention)
    if args.host or not args.model:
        return run_text(learnt, text_host(args.model, args.host), config, hooks())
    from ..hosts.diffusers.pictures import PictureConfig

    width, height = picture_size(args.picture_size)
    drawing = PictureConfig(args.pictures, width, height, args.steps, args.cfg)
    host, judges = open_model(args.model, args.clip, drawing)
    return run_text(learnt, host, config, hooks(), judges)
