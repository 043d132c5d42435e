"""What the commands do; everything heavy is imported here, and diffusers only where a picture is drawn."""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from shlex import quote

import numpy as np
from tqdm import tqdm

from ..drawing.codes import cosine_picture
from ..evaluation.report.describe import describe
from ..hosts import choose
from ..portraits import captions
from ..supsae_core.capture.activations import activation_bytes
from ..supsae_core.capture.captures import Capture, load_capture, require_folder
from ..supsae_core.capture.merging import merge_captures
from ..supsae_core.capture.plan import text_bytes
from ..supsae_core.dictionary.combine import combine
from ..supsae_core.dictionary.file import load_dictionary, save_dictionary
from ..supsae_core.dictionary.model import Dictionary
from ..supsae_core.encoders import sites
from ..supsae_core.files import replacing, require_writable
from ..supsae_core.host import TextHost, check_host
from ..supsae_core.table import prompts
from ..supsae_core.table.concepts import ConceptTable
from ..supsae_core.table.parsing import load_table
from ..supsae_core.table.prompts import PLAIN, Prompt, Wording
from ..training import capture, distributed, fit
from ..training.capture import CaptureConfig
from ..training.encoding import encode_missing
from ..training.picture_size import picture_size
from ..training.solvers.options import parse_options
from ..training.solvers.table import chosen
from .bars import of_all, onto
from .checking import check
from .editing import edit_portrait
from .evaluate import evaluate, tell
from .inspecting import describe_capture, read_prompt
from .searching import search
from .shipping import ship


def prompts_command(args: argparse.Namespace) -> None:
    """Print prompts and what each mentions."""
    table, wording = _table(args.table)
    if args.count < 1 or not 0 <= args.mention <= 1 or not 0 <= args.held_out <= 0.5:
        raise ValueError("Choose --count of at least 1, --mention in 0 … 1 and --held-out in 0 … 0.5.")
    held_out = prompts.hold_out_pairs(table, args.held_out, args.seed)
    rng = np.random.default_rng(args.seed)
    drawn = [
        prompts.draw_prompt(table, rng, wording=wording, mention=args.mention, held_out=held_out)
        for _ in range(args.count)
    ]
    if args.json:
        print(json.dumps([_prompt_json(table, prompt) for prompt in drawn], ensure_ascii=False, indent=1))
        return
    for number, prompt in enumerate(drawn, 1):
        print(f"{number}. {prompt.text or '(nothing)'}")
        print(f"   says {_names(table, prompt.support(table))}")
    if held_out:
        print(f"{len(held_out)} pairs of concepts are never written together.")


def _prompt_json(table: ConceptTable, prompt: Prompt) -> dict[str, object]:
    mentions = []
    for one in prompt.mentions:
        phrase = table.phrases[one.phrase]
        concept = str(table.concepts[phrase.concept])
        mentions.append({"concept": concept, "phrase": phrase.text, "words": [one.start, one.stop]})
    return {"text": prompt.text, "mentions": mentions}


def capture_command(args: argparse.Namespace) -> None:
    """Encode prompts with a model's text encoders, saying first what it will take; with all ranks, if there are any."""
    require_folder(args.out)
    table, wording = _table(args.table)
    wording = captions.WORDING if args.model is None and args.host is None else wording  # words that the encoders know
    config = CaptureConfig(args.prompts, args.calibration, args.mention, args.held_out, args.seed, args.rewrites)
    with distributed.group():
        if args.sites is not None:
            _capture_activations(args, table, config, wording)
            return
        host = choose.text_host(args.model, args.host)
        distributed.led(lambda: _begin(args.out, host, table, config, wording))
        with of_all("encode", "prompt") as progress:
            encode_missing(host, load_capture(args.out), progress)
        if distributed.rank() == 0:
            print(f"Wrote the capture {args.out}. {_next(args.out)} --out portraits.safetensors")


def _begin(out: Path, host: TextHost, table: ConceptTable, config: CaptureConfig, wording: Wording) -> None:
    """Draw the prompts of a capture, and begin it or go on with it, saying what it will take."""
    with tqdm(total=1, desc="draw", unit="prompt") as bar:
        plan = capture.plan_text(table, host, config, wording, progress=onto(bar))
    print(
        f"{len(plan.entries)} prompts ({config.prompts} to fit on, {config.calibration} to calibrate on and their "
        f"rewrites) will take {text_bytes(plan) / 1e6:.1f} MB in {out}."
    )
    begun, damaged, others = capture.begin_text(out, plan)
    if damaged:
        print(f"{damaged} of {begun.shards} parts were damaged and are captured anew.")
    done = begun.shards - len(begun.missing())
    if done:
        print(f"{done} of {begun.shards} parts are there already; going on with the rest.")
    if others:
        print(f"{others} other processes work on it; this one takes what they have not begun.")


def _capture_activations(
    args: argparse.Namespace, table: ConceptTable, config: CaptureConfig, wording: Wording
) -> None:
    """Sample pictures of prompts and record blocks, saying first what it will take."""
    if distributed.world() > 1:
        raise ValueError(
            f"Activations are recorded by one process, not by {distributed.world()}. Capture with another --seed in "
            "each, and join the captures: supsae merge."
        )
    width, height = picture_size(args.size)
    wanted = sites.parse_sites(args.sites)
    from ..training import recording  # diffusers takes seconds to import: only once the options can be read

    host, pictures = choose.picture_hosts(args.model)
    how = recording.SamplingConfig(wanted, args.steps, args.cfg, width, height, args.image)
    with tqdm(total=1, desc="draw", unit="prompt") as bar:
        plan = recording.plan_activations(table, host, pictures, config, how, wording, progress=onto(bar))
    need = text_bytes(plan) + activation_bytes(plan)
    print(
        f"{len(plan.entries)} pictures of {args.steps} steps ({config.prompts} to fit on, {config.calibration} to "
        f"calibrate on and their rewrites) will take at most {need / 1e6:.1f} MB in {args.out}."
    )
    with tqdm(total=1, desc="sample", unit="step") as bar:
        told = onto(bar)
        made = recording.capture_activations(
            host, pictures, args.out, plan, sampled=lambda done, total, _: told(done, total)
        )
    print(f"Wrote the capture {made.folder}. {_next(made.folder)} --out blocks.safetensors")


def _next(capture: Path) -> str:
    """Say how a capture is gone on with, as a shell takes it."""
    return f"Next: supsae fit {quote(str(capture))}"


def merge_command(args: argparse.Namespace) -> None:
    """Join two captures, or two dictionaries."""
    files = [source.is_file() for source in args.sources]
    if all(files):
        _combine(args)
        return
    if any(files):
        raise ValueError(
            f"{args.sources[0]} and {args.sources[1]} are a dictionary and a capture. Merge two of a kind."
        )
    one, other = (load_capture(folder) for folder in args.sources)
    made = merge_captures(one, other, args.out)
    print(f"Wrote the capture {made.folder} of {len(made.plan.entries)} prompts. {_next(made.folder)}")


def _combine(args: argparse.Namespace) -> None:
    """Combine two dictionaries, and say what clashed."""
    out = args.out if args.out.suffix else args.out.with_suffix(".safetensors")
    require_writable(out)
    one, other = (load_dictionary(file) for file in args.sources)
    made = combine(one, other, args.clashes)
    print("\n".join([*made.lines, ""]))
    _write(made.dictionary, out)


def fit_command(args: argparse.Namespace) -> None:
    """Fit a dictionary, with all ranks if there are any, print its report, and write the file and its picture."""
    options = parse_options(chosen(args.solver).options, args.options)
    out = args.out if args.out.suffix else args.out.with_suffix(".safetensors")
    with distributed.group():
        distributed.led(lambda: require_writable(out))
        found = load_capture(args.capture)
        with of_all("fit", "step") as progress:
            made = fit.fit_dictionary(found, args.solver, options, progress=progress)
        if distributed.rank() == 0:
            _write(_with_slider(made, found) if args.slider else made, out)


def _write(made: Dictionary, out: Path) -> None:
    """Write a dictionary and its cosine matrix, and print its report."""
    save_dictionary(made, out)
    picture = out.with_suffix(".png")
    with replacing(picture) as part:
        cosine_picture(made).save(part, "PNG")
    print(f"{describe(made)}\n\nWrote the dictionary {out} and its cosine matrix {picture}")


def _with_slider(learnt: Dictionary, found: Capture) -> Dictionary:
    """Scale the slider on Portraits pictures; refuses dictionaries of other encoders."""
    from ..evaluation.pictures import slider
    from ..hosts.diffusers import studio

    models = studio.quickened(studio.load_studio())
    check_host(learnt, models.host)
    with tqdm(total=1, desc="slider", unit="strength") as bar:
        return slider.scaled_slider(models, learnt, found, progress=onto(bar))


def _table(path: Path | None) -> tuple[ConceptTable, Wording]:
    """Return a table and how its prompts are worded; Portraits' own unless a file is given."""
    return (captions.table(), captions.WORDING) if path is None else (load_table(path), PLAIN)


def _names(table: ConceptTable, support: Sequence[int]) -> str:
    return ", ".join(str(table.concepts[one]) for one in support) or "no concept of the table"


def inspect_command(args: argparse.Namespace) -> None:
    """Describe a capture or a dictionary, or read a prompt with the latter."""
    if args.path.is_dir():
        if args.prompt is not None:
            raise ValueError(f"{args.path} is a capture; a prompt is read with a dictionary. {_next(args.path)}")
        print(describe_capture(load_capture(args.path)))
        return
    learnt = load_dictionary(args.path)
    print(describe(learnt) if args.prompt is None else read_prompt(learnt, args.prompt))


def demo_command(args: argparse.Namespace) -> None:
    """Learn, edit and judge, and say where to look and the key numbers."""
    from .demo import DemoConfig, demo

    tell(demo(args.out, DemoConfig(prompts=args.prompts, seed=args.seed)), args.out)
    print(f"dictionary  {args.out / 'portraits.safetensors'}")


def reproduce_command(args: argparse.Namespace) -> None:
    """Repeat the paper's experiment."""
    from .reproducing import reproduce  # diffusers takes seconds to import

    reproduce(args)


COMMANDS: dict[str, Callable[[argparse.Namespace], None]] = {
    "demo": demo_command,
    "check": check,
    "prompts": prompts_command,
    "capture": capture_command,
    "merge": merge_command,
    "fit": fit_command,
    "edit": edit_portrait,
    "eval": evaluate,
    "reproduce": reproduce_command,
    "ship": ship,
    "inspect": inspect_command,
    "search": search,
}
"""Spelling → what it does with the parsed arguments."""
