"""Tables, pasted lists, mixes, edits and prompts as no person writes them: read, or refused in a sentence, at once."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from functools import partial
from typing import Any

from tqdm import tqdm

from supsae.cli.editing import parse_edit
from supsae.supsae_core.editing import factors
from supsae.supsae_core.editing.apply import apply
from supsae.supsae_core.editing.edits import Swap
from supsae.supsae_core.editing.mix_text import dump_mix, parse_mix
from supsae.supsae_core.encoders.sites import parse_sites
from supsae.supsae_core.reading.readout import read_conditioning
from supsae.supsae_core.table.check import describe_table
from supsae.supsae_core.table.parsing import dump_table, parse_table
from supsae.supsae_core.table.paste import merge_list

from .faults import Tally
from .files import all_finite
from .world import PROMPT, TortureWorld

AT_ONCE = 0.5
"""Seconds for what a page may send."""
LONGEST = 100_000
"""Characters of a text that a page may send."""
SEEDS = (
    "hair: [red hair, blond hair]\nhat: [a crown, no hat]\n",
    "hair:\n  red: [red hair, ginger hair]\n  blond: blond hair\nweather: rain, snow\n",
    '{"hair": {"red": ["red hair"], "blond": ["blond hair"]}}',
    "red hair\nblond hair\nblack hair\n",
    "## Hair\n- red hair\n- blond hair\n\n## Hat\n1. a crown\n2. a cap\n",
    "| category | concept |\n|---|---|\n| hair | red hair |\n| hair | blond hair |\n",
    "category,concept,phrase\nhair,red,red hair\nhair,blond,blond hair\n",
    "头发：红发，金发\n天气：雨；雪\n",
    "hair\tred\tred hair\nhair\tblond\tblond hair\n",
    "a: &x [red hair, blond hair]\nb: *x\n",
)
HOSTILE = (
    "\x00", "\ud800", "\u202e", "\u200b", "\ufeff", "\U0001f600", "\\U00110000", '"\\ud800"', '"\\U00110000 x": [a]',
    "[" * 2000, "{" * 2000, "- " * 2000, "(" * 500, "!!python/object:os.system x", "<lora:x:1>", "&a [*a]", "? ",
    "%TAG", "a" * 5000, "*" * 50,
    ": " * 200, "\t", "\r", "\x85", "\u2028", "=cmd()", "'", '"', "`", "|", ">", "---\n", "...\n",
    "<<: {a: b}", "0x1F", "1e400", "~", "null", "yes", "2001-01-01", "\n" * 5000, "a,\n" * 3000, "É", "é",
)  # fmt: skip
MIXES = (
    '{"version": 1, "mix": {"hair": {"say": "red", "strength": 1.0}}}',
    '{"version": 1, "mix": {"hair": {"keep": true}, "hat": {"scale": 0.5}}}',
    "{}",
)
EDITS = ("swap hair: red", "add hat: crown @ 0.5", "remove hair #2", "scale hair: red @ -1")
NUMBERS = ("0, 0.5, 1", "txt@1-3, img@2", "-1; 2", "1e3")


def noisy(text: str, rng: random.Random) -> str:
    """Return a text with a few things in it that do not belong there."""
    made = text
    for _ in range(rng.randrange(1, 5)):
        kind, at = rng.choice(["in", "in", "cut", "twice", "swap", "many"]), rng.randrange(len(made) + 1)
        if kind == "in":
            made = made[:at] + rng.choice(HOSTILE) + made[at:]
        elif kind == "cut":
            made = made[:at] + made[at + rng.randrange(1, 20) :]
        elif kind == "twice":
            made = made[:at] + made
        elif kind == "swap" and made:
            made = made.replace(rng.choice(made), rng.choice(":,[]{}#&*!|>'\"%@`-?\n\t "))
        else:
            made = made * rng.choice((2, 30, 300))
        made = made[:LONGEST]
    return made


def _table(text: str) -> None:
    told = describe_table(text)
    if told["ok"]:
        made = parse_table(text)
        assert parse_table(dump_table(made)) == made, "a table is not read back as it was written"
    else:
        raise ValueError(told["error"]["message"])


def _list(text: str) -> None:
    made = merge_list("", text)
    again = merge_list(made.text, text)
    assert again.added == 0 or not made.added, "a list that is pasted twice adds something"
    assert all(char.isprintable() or char == "\n" for char in made.text), "marks that nobody sees are kept"


def _mix(text: str) -> None:
    made = parse_mix(text)
    assert parse_mix(dump_mix(made)) == made, "a mix is not read back as it was written"


def _numbers(text: str) -> None:
    for read in (factors.parse_factors, parse_sites):
        try:
            read(text)
        except ValueError as error:
            refused = error
        else:
            return
    raise refused


def torture_texts(world: TortureWorld, inputs: int, seed: int) -> list[Tally]:
    """Try ``inputs`` texts of all kinds."""
    dictionary, host = world.dictionary, world.host

    def prompt(text: str) -> Any:
        (cond,), (pooled,) = host._host.encode([text])
        reading = read_conditioning(dictionary, cond)
        made = apply(dictionary, cond, pooled, [Swap("hair: blond hair")], reading)
        assert all_finite([made.cond, made.pooled]), "numbers that are none"

    kinds: dict[str, tuple[Callable[[str], Any], tuple[str, ...], float, float]] = {
        "texts of a table": (_table, SEEDS, AT_ONCE, 0.35),
        "pasted lists": (_list, SEEDS, 2 * AT_ONCE, 0.35),
        "mixes": (_mix, MIXES, AT_ONCE, 0.1),
        "edits": (parse_edit, EDITS, AT_ONCE, 0.05),
        "numbers and sites": (_numbers, NUMBERS, AT_ONCE, 0.05),
        "prompts": (prompt, (PROMPT, "a woman", ""), 2.0, 0.1),
    }
    rows = []
    with tqdm(total=inputs, desc="texts", unit="text") as bar:
        for number, (name, (use, seeds, seconds, share)) in enumerate(kinds.items()):
            tally = Tally(name)
            rows.append(tally)
            for one in range(round(inputs * share)):
                rng = random.Random(f"{seed}-{number}-{one}")
                text = noisy(rng.choice(seeds), rng)
                if name == "mixes" and rng.random() < 0.5:
                    text = json.dumps({"version": 1, "mix": {text[:40]: rng.choice([{}, {"say": text[:9]}, [], 3])}})
                said = f"{text[:60]!r} (seed {seed}, kind {number}, input {one})"
                tally.attempt(said, partial(use, text), seconds)
                bar.update()
    return rows
