"""What each part of the method is worth: ``python benchmarks/ablations.py``; writes ``results/ablations.json``.

On Portraits' frozen text encoders, no picture drawn: swaps into pairs of concepts never seen together, on prompts apart
from all that were fitted or calibrated on. A variant differs from the default of as many prompts in one thing.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import shared
import text_measures as text
import torch
from text_measures import Task, Variant
from torch import Tensor
from variants import ALL, FAMILIES, Family, Fit

from supsae.evaluation import cases
from supsae.evaluation.pictures import figures
from supsae.evaluation.report import files
from supsae.hosts.diffusers import studio
from supsae.portraits import captions
from supsae.supsae_core.capture.captures import Capture, Encoded
from supsae.supsae_core.capture.plan import Entry
from supsae.supsae_core.dictionary.model import Dictionary
from supsae.supsae_core.encoders.layout import ROLES
from supsae.supsae_core.host import TextHost
from supsae.supsae_core.table import prompts
from supsae.supsae_core.table.prompts import Mention, Prompt
from supsae.training import calibration

SEED = 90210
READ = 128
"""Rewrites that are read."""
SEVERAL = (3, 5)
"""Swaps at once, at least and at most."""


# --- tasks -----------------------------------------------------------------------------------------------------------


class Bench:
    """A capture and the tasks on prompts apart from it."""

    def __init__(self, host: TextHost, made: Capture, count: int) -> None:
        self.host, self.capture, self.rows = host, made, list(made.read())
        self.fits: dict[int, Fit] = {}
        found = self.fit(ALL).default.dictionary
        held_out = frozenset(frozenset(pair) for pair in made.plan.held_out)
        drawn = shared.unseen_swaps(made, count, SEED)
        self.cases = drawn
        plain = [(case.prompt, case.rewrite) for case in drawn]
        worded = [tuple(paraphrased(found, case, one) for one in pair) for case, pair in zip(drawn, plain, strict=True)]
        rng = np.random.default_rng((SEED, 1))
        many = [several(found, rng, held_out) for _ in range(count // 2)]
        self.sets = {
            "unseen": self._tasks(found, plain),
            "several": self._tasks(found, many),
            "paraphrase": self._tasks(found, [pair for pair in worded if None not in pair]),
        }

    @cached_property
    def means(self) -> dict[str, text.Means]:
        """Of the fit to all prompts."""
        parts, sums = self.fit(ALL).default.dictionary.parts, self.fit(ALL).statistics
        return {name: text.Means(sums[name].total().mean_token.float(), part.bias) for name, part in parts.items()}

    def fit(self, size: int) -> Fit:
        if size not in self.fits:
            self.fits[size] = Fit(self.capture, self.rows, size)
        return self.fits[size]

    def _tasks(self, found: Dictionary, pairs: Sequence[tuple[Prompt, Prompt]]) -> list[Task]:
        before, after = (self._encoded([pair[side] for pair in pairs]) for side in (0, 1))
        return [text.task(found, *both) for both in zip(before, after, strict=True)]

    def _encoded(self, some: Sequence[Prompt]) -> list[Encoded]:
        conds, pooled = self.host.encode([prompt.text for prompt in some])
        entries = [Entry(prompt, "test", self.host.counts(prompt.words)) for prompt in some]
        return [Encoded(*row) for row in zip(entries, conds, pooled, strict=True)]


def several(found: Dictionary, rng: np.random.Generator, held_out: frozenset[prompts.Pair]) -> tuple[Prompt, Prompt]:
    """Draw a prompt and its rewrite with several swaps."""
    low, high = SEVERAL
    while True:
        prompt = prompts.draw_prompt(found.table, rng, wording=captions.WORDING, held_out=held_out)
        support = rng.permutation(prompt.support(found.table))[:high].tolist()
        rewrite = prompt
        for old in support:
            members = found.table.categories[found.table.concepts[old].category]
            rewrite = prompts.rewrite(
                found.table, rewrite, old, int(rng.choice([one for one in members if one != old]))
            )
        if len(support) >= low and max(prompts.length(one.text) for one in (prompt, rewrite)) <= captions.LONGEST:
            return prompt, rewrite


def paraphrased(found: Dictionary, case: cases.Case, prompt: Prompt) -> Prompt | None:
    """Say another concept of the prompt in words that are not in the table; None if there are none for any."""
    table = found.table
    for mention in prompt.mentions:
        concept = table.concepts[table.phrases[mention.phrase].concept]
        if concept.category != case.category and str(concept) in captions.PARAPHRASES:
            last = prompt.words[mention.stop - 1]
            words = (captions.PARAPHRASES[str(concept)][0] + last[len(prompts.trim(last)) :]).split()
            return _replaced(prompt, mention, words)
    return None


def _replaced(prompt: Prompt, gone: Mention, words: Sequence[str]) -> Prompt:
    shift = len(words) - (gone.stop - gone.start)
    mentions = [
        replace(one, start=one.start + shift, stop=one.stop + shift) if one.start > gone.start else one
        for one in prompt.mentions
        if one != gone
    ]
    return Prompt((*prompt.words[: gone.start], *words, *prompt.words[gone.stop :]), tuple(mentions))


# --- measures --------------------------------------------------------------------------------------------------------


def measure(bench: Bench, variant: Variant, family: Family, size: int) -> dict[str, Tensor]:
    """Return name → (n, 2) sums over a case whose ratio is the measure."""
    found: dict[str, Tensor] = {}
    for name in family.sets:
        tasks, label = bench.sets[name], "" if name == "unseen" else f", {name}"
        for key, sums in _undone(variant, tasks).items():
            found[f"undone {key}{label}"] = sums
    tasks = bench.sets["unseen"]
    sides = {"": [(one.before, one.reading) for one in tasks], ", unseen pairs": [(o.after, o.target) for o in tasks]}
    for label, rows in sides.items():
        sums = text.errors(variant, rows, bench.means)
        for part, name in enumerate(variant.dictionary.parts):
            found[f"fvu_slot {name}{label}"] = sums[:, part, :2]
            found[f"fvu_token {name}{label}"] = sums[:, part, ::2]
    if size in family.reads:
        dictionary, _ = calibration.calibrate(variant.dictionary, bench.fit(ALL).known)
        found["located"] = text.located(replace(variant, dictionary=dictionary), tasks[:READ])
    return found


def _undone(variant: Variant, tasks: Sequence[Task]) -> dict[str, Tensor]:
    sums = text.moved(variant, tasks)[..., :2]
    names = text.cells(variant.dictionary)
    chosen = {
        "spans": [i for i, (_, kind) in enumerate(names) if kind in text.SPANS],
        "roles": [i for i, (_, kind) in enumerate(names) if kind in ROLES],
        **{" ".join(dict.fromkeys(one)): [i] for i, one in enumerate(names)},
    }
    return {name: sums[:, some].sum(1) for name, some in chosen.items()}


def compared(bench: Bench, name: str) -> dict[str, Any]:
    """Return the results of a family: variant, number of prompts → measure → estimate, interval, and the difference."""
    family, found, defaults = FAMILIES[name], {}, {}
    for size in family.sizes:
        base = family.against or size
        if base not in defaults:
            defaults[base] = measure(bench, bench.fit(base).default, family, base)
            found[f"default, {base} prompts"] = {key: {"value": text.ratio(x)} for key, x in defaults[base].items()}
        for label, make in family.variants.items():
            sums = measure(bench, make(bench.fit(size)), family, size)
            found[f"{label}, {size} prompts"] = {
                key: {"value": text.ratio(x), "minus_default": text.ratio(x, defaults[base][key])}
                for key, x in sums.items()
            }
    return found


COLUMNS = ("fvu_slot clip", "fvu_slot t5", "undone spans", "undone roles", "undone pooled", "located")


def table(found: Mapping[str, Any]) -> str:
    """Return the results as a Markdown table; + and − mark what differs from the default beyond its interval."""
    lines = ["| question | variant | " + " | ".join(COLUMNS) + " |", "|---" * (len(COLUMNS) + 2) + "|"]
    for question, rows in found.items():
        for label, row in rows.items():
            lines.append(f"| {question} | {label} | " + " | ".join(_cell(row.get(column)) for column in COLUMNS) + " |")
    return "\n".join(lines)


def _cell(one: Mapping[str, Any] | None) -> str:
    if one is None:
        return ""
    less, more = (one.get("minus_default", {}).get(key, 0) for key in ("high", "low"))
    return f"{one['value']['estimate']:.4f}{' −' if less < 0 else ' +' if more > 0 else ''}"


def main() -> None:
    """Parse the command line, measure question by question, write after each, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=512, help="swaps into unseen pairs")
    parser.add_argument(
        "--only", nargs="+", choices=FAMILIES, default=list(FAMILIES), help="ask these; others are kept"
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("results") / "ablations.json")
    args = parser.parse_args()
    torch.manual_seed(0)
    began = time.perf_counter()
    models = studio.load_studio()
    with tempfile.TemporaryDirectory() as folder:
        made = shared.captured(models, Path(folder))
        bench = Bench(models.host, made, args.count)
    for name in args.only:
        found = json.loads(args.out.read_text(encoding="utf-8")) if args.out.exists() else {}
        found[name] = compared(bench, name)
        found = {one: found[one] for one in FAMILIES if one in found}
        args.out.write_text(files.compact(figures.rounded(found)) + "\n", encoding="utf-8")
        print(f"{name}: {time.perf_counter() - began:.0f} s", flush=True)
    print(table(json.loads(args.out.read_text(encoding="utf-8"))))
    print(f"wrote {args.out}")


if __name__ == "__main__":
    main()
