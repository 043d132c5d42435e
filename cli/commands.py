"""What the commands do; everything heavy is imported here, and diffusers only where a picture is drawn."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ..drawing.codes import cosine_picture
from ..evaluation.reading import check_encoder, describe_capture, read_prompt
from ..evaluation.report.describe import describe
from ..hosts import choose
from ..hosts.embedded import PortraitsText
from ..portraits import captions
from ..portraits.paths import DICTIONARY
from ..supsae_core.capture.activations import activation_bytes
from ..supsae_core.capture.captures import Capture, load_capture, start_capture
from ..supsae_core.capture.merging import merge_captures
from ..supsae_core.capture.plan import text_bytes
from ..supsae_core.dictionary.file import load_dictionary, save_dictionary
from ..supsae_core.dictionary.model import Dictionary
from ..supsae_core.editing import edits
from ..supsae_core.editing.apply import Edited, apply
from ..supsae_core.editing.edits import Change, Edit
from ..supsae_core.encoders import sites
from ..supsae_core.host import Progress
from ..supsae_core.reading import readout
from ..supsae_core.table import prompts
from ..supsae_core.table.concepts import ConceptTable
from ..supsae_core.table.parsing import load_table
from ..supsae_core.table.prompts import PLAIN, Prompt, Wording
from ..training import capture as capturing
from ..training import fit as fitting
from ..training.capture import CaptureConfig
from ..training.picture_size import picture_size
from ..training.solvers.options import parse_options
from ..training.solvers.table import chosen

PICTURES = (".png", ".jpg", ".jpeg", ".webp")
SPELLING = re.compile(r"\s*(\w+)\s+(.+?)\s*(?:@\s*(\S+)\s*)?", re.DOTALL)


# --- prompts, capture, fit -----------------------------------------------------------------------------------------


def draw_prompts(args: argparse.Namespace) -> None:
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
    mentions = [
        {
            "concept": str(table.concepts[table.phrases[mention.phrase].concept]),
            "phrase": table.phrases[mention.phrase].text,
            "words": [mention.start, mention.stop],
        }
        for mention in prompt.mentions
    ]
    return {"text": prompt.text, "mentions": mentions}


def capture(args: argparse.Namespace) -> None:
    """Encode prompts with a model's text encoders, saying first what it will take."""
    table, wording = _table(args.table)
    wording = captions.WORDING if args.model is None and args.host is None else wording  # words that the encoders know
    config = CaptureConfig(args.prompts, args.calibration, args.mention, args.held_out, args.seed)
    if args.sites is not None:
        _capture_activations(args, table, config, wording)
        return
    host = choose.text_host(args.model, args.host)
    plan = capturing.plan(table, host, config, wording)
    print(
        f"{len(plan.entries)} prompts ({config.prompts} to fit on, {config.calibration} to calibrate on and their "
        f"rewrites) will take {text_bytes(plan) / 1e6:.1f} MB in {args.out}."
    )
    begun = start_capture(args.out, plan)
    done = begun.shards - len(begun.missing())
    if done:
        print(f"{done} of {begun.shards} parts are there already; going on with the rest.")
    with tqdm(total=1, desc="encode", unit="prompt") as bar:
        made = capturing.run(host, args.out, plan, progress=_onto(bar))
    print(f"Wrote the capture {made.folder}. Next: supsae fit {made.folder} --out portraits.safetensors")


def _capture_activations(
    args: argparse.Namespace, table: ConceptTable, config: CaptureConfig, wording: Wording
) -> None:
    """Sample pictures of prompts and record blocks, saying first what it will take."""
    width, height = picture_size(args.size)
    wanted = sites.parse(args.sites)
    from ..training import recording  # diffusers takes seconds to import: only once the options can be read

    host, pictures = choose.picture_hosts(args.model)
    how = recording.SamplingConfig(wanted, args.steps, args.cfg, width, height, args.image)
    plan = recording.plan(table, host, pictures, config, how, wording)
    need = text_bytes(plan) + activation_bytes(plan)
    print(
        f"{len(plan.entries)} pictures of {args.steps} steps ({config.prompts} to fit on, {config.calibration} to "
        f"calibrate on and their rewrites) will take at most {need / 1e6:.1f} MB in {args.out}."
    )
    with tqdm(total=1, desc="sample", unit="step") as bar:
        told = _onto(bar)
        made = recording.run(host, pictures, args.out, plan, sampled=lambda done, total, _: told(done, total))
    print(f"Wrote the capture {made.folder}. Next: supsae fit {made.folder} --out blocks.safetensors")


def merge(args: argparse.Namespace) -> None:
    """Join two captures."""
    one, other = (load_capture(folder) for folder in args.captures)
    made = merge_captures(one, other, args.out)
    print(f"Wrote the capture {made.folder} of {len(made.plan.entries)} prompts. Next: supsae fit {made.folder}")


def fit(args: argparse.Namespace) -> None:
    """Fit a dictionary, print its report, and write the file and its cosine matrix."""
    options = parse_options(chosen(args.solver).options, args.options)
    out = args.out if args.out.suffix else args.out.with_suffix(".safetensors")
    found = load_capture(args.capture)
    with tqdm(total=1, desc="fit", unit="step") as bar:
        made = fitting.fit_dictionary(found, args.solver, options, progress=_onto(bar))
    if args.slider:
        made = _with_slider(made, found)
    save_dictionary(made, out)
    picture = out.with_suffix(".png")
    cosine_picture(made).save(picture)
    print(f"{describe(made)}\n\nWrote the dictionary {out} and its cosine matrix {picture}")


def _with_slider(learnt: Dictionary, found: Capture) -> Dictionary:
    """Scale the slider on Portraits pictures; refuses dictionaries of other encoders."""
    from ..evaluation.pictures import slider
    from ..hosts.diffusers import studio

    models = studio.load_studio()
    check_encoder(learnt, models.host)
    with tqdm(total=1, desc="slider", unit="strength") as bar:
        return slider.scaled_slider(models, learnt, found, progress=_onto(bar))


def _table(path: Path | None) -> tuple[ConceptTable, Wording]:
    """Return a table and how its prompts are worded; Portraits' own unless a file is given."""
    return (captions.table(), captions.WORDING) if path is None else (load_table(path), PLAIN)


def _onto(bar: tqdm) -> Progress:
    def progress(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)

    return progress


def _names(table: ConceptTable, support: Sequence[int]) -> str:
    return ", ".join(str(table.concepts[one]) for one in support) or "no concept of the table"


# --- edit ----------------------------------------------------------------------------------------------------------


def edit(args: argparse.Namespace) -> None:
    """Draw a portrait before and after edits, side by side, and say what was found and what changed."""
    wanted = [parse_edit(text) for text in args.edits]
    if args.out.suffix.lower() not in PICTURES:
        raise ValueError(f"The picture {str(args.out)!r} must end in one of {', '.join(PICTURES)}.")
    learnt, host = load_dictionary(args.dictionary or DICTIONARY), PortraitsText()
    check_encoder(learnt, host)
    (cond,), (pooled,) = host.encode([args.prompt])
    made = apply(learnt, cond, pooled, wanted)
    assert made.pooled is not None
    print(f"The prompt says {readout.describe_reading(learnt, made.reading)}.")
    print("\n".join(_change_lines(learnt, wanted, made)))
    from ..drawing import sheet
    from ..hosts.diffusers import (
        studio,  # diffusers takes seconds to import: only once the edit is known to be possible
    )

    models = studio.load_studio()
    with tqdm(total=2, desc="draw", unit="picture") as bar:
        pictures = studio.draw_portraits(
            models, [cond, made.cond], [pooled, made.pooled], [args.seed] * 2,
            steps=args.steps, cfg=args.cfg, batch=1, progress=_onto(bar),
        )  # fmt: skip
    print(_difference(*studio.read_portraits(models, pictures)))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    captions_below = [f"before, seed {args.seed}", "after: " + "; ".join(" ".join(text.split()) for text in args.edits)]
    sheet.side_by_side(list(pictures), captions_below).save(args.out)
    print(f"Wrote {args.out}")


def parse_edit(text: str) -> Edit:
    """Read an edit's spelling, ``swap hair: red`` or ``swap hair: red @ 0.5``.

    Raises:
        ValueError: naming the text received and how one is written.
    """
    match = SPELLING.fullmatch(text)
    try:
        strength = float(match[3]) if match and match[3] else 1.0
    except ValueError:
        match, strength = None, 1.0
    if not match:
        raise ValueError(
            f"The edit {text!r} cannot be read. Write 'swap hair: red', or 'swap hair: red @ 0.5' for half."
        )
    return edits.make_edit(match[1].casefold(), match[2], strength)


def _change_lines(learnt: Dictionary, wanted: Sequence[Edit], made: Edited) -> list[str]:
    """Say what each edit came to; changes carry applied strengths, so the slider's are taken from the edits."""
    lines = []
    for edit in wanted:
        category = learnt.table.concepts[learnt.table.index(edit.concept)].category
        members = learnt.table.categories[category]
        own = [change for change in made.changes if change.old in members or change.new in members]
        lines += [f"Changed: {_change(learnt, change)}{_at(edit)}" for change in own]
        lines += (
            [] if own else [f"Nothing to change for {edit.concept!r}: said already, or at a strength without effect."]
        )
    return lines


def _change(learnt: Dictionary, change: Change) -> str:
    old, new = (None if one is None else str(learnt.table.concepts[one]) for one in (change.old, change.new))
    if change.scale:
        return f"{old} scaled"
    return f"{old} to {new}" if old and new else f"{new} added" if new else f"{old} removed"


def _at(edit: Edit) -> str:
    return "" if edit.strength == 1 else f", strength {edit.strength:g}"


def _difference(before: dict[str, str], after: dict[str, str]) -> str:
    moved = [f"{name} from {before[name]} to {value}" for name, value in after.items() if value != before[name]]
    return (
        f"In the pictures the reader sees {', '.join(moved)}; the rest as before."
        if moved
        else ("The reader sees the same values in both pictures.")
    )


# --- inspect, demo -------------------------------------------------------------------------------------------------


def inspect(args: argparse.Namespace) -> None:
    """Describe a capture or a dictionary, or read a prompt with the latter."""
    if args.path.is_dir():
        if args.prompt is not None:
            raise ValueError(
                f"{args.path} is a capture; a prompt is read with a dictionary. Fit one: supsae fit {args.path}"
            )
        print(describe_capture(load_capture(args.path)))
        return
    learnt = load_dictionary(args.path)
    print(describe(learnt) if args.prompt is None else read_prompt(learnt, args.prompt))


def demo(args: argparse.Namespace) -> None:
    """Run the demo and print where to look and the key numbers."""
    from ..evaluation.report import demo_report
    from . import demo as showing

    made = showing.run(args.out, showing.DemoConfig(prompts=args.prompts, cases=args.cases, seed=args.seed))
    print(demo_report.summary(made))


def evaluate(args: argparse.Namespace) -> None:
    """Judge a dictionary, the one that ships unless another is named."""
    from . import evaluate as eval_command

    eval_command.evaluate(args, DICTIONARY)


COMMANDS: dict[str, Callable[[argparse.Namespace], None]] = {
    "demo": demo,
    "prompts": draw_prompts,
    "capture": capture,
    "merge": merge,
    "fit": fit,
    "edit": edit,
    "eval": evaluate,
    "inspect": inspect,
}
"""Spelling → what it does with the parsed arguments."""
