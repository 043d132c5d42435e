"""``supsae search``: the prompts of a folder, ranked by how much they speak of a concept."""

import argparse
import contextlib
import json
import math
import sys
from collections.abc import Sequence

import torch
from tqdm import tqdm

from ..hosts import choose
from ..supsae_core.dictionary.file import load_dictionary
from ..supsae_core.dictionary.model import Dictionary
from ..supsae_core.host import TextHost, check_host
from ..supsae_core.reading.prompt_report import aligned
from ..supsae_core.reading.ranking import Score, score
from ..supsae_core.table.concepts import spaced
from ..supsae_core.workflow_prompt import bare
from .prompt_files import FoundPrompt, LeftOut, prompts_in

VERSION = 1
"""Of the JSON."""
BATCH = 16
"""Prompts that are encoded at once."""
WIDE = 100
"""Letters of a prompt that a line of the table shows."""
TOLD = 5
"""Files that were left out, and are told by name."""


def search(args: argparse.Namespace) -> None:
    """Rank the prompts and print them, the one that speaks most of the concept first."""
    if args.top < 0:
        raise ValueError(f"--top is {args.top}. Choose how many prompts to show, 0 for all.")
    learnt = load_dictionary(args.dictionary)
    concept = learnt.table.index(args.concept)
    learnt.phrase(concept)  # raises if it was never captured
    found, left_out = prompts_in(args.folder, args.whole)
    host = choose.text_host(args.model, args.host)
    with contextlib.redirect_stdout(sys.stderr):  # a note on precision is no part of what is printed
        check_host(learnt, host)
    scores, why = scored(learnt, host, concept, [_words(one) for one in found])
    ranked = sorted(
        ((one, scores[words]) for one in found if (words := _words(one)) in scores),
        key=lambda pair: pair[1].order,
        reverse=True,
    )
    left_out += [LeftOut(_place(one), why[words]) for one in found if (words := _words(one)) in why]
    shown = ranked[: args.top or None]
    name = str(learnt.table.concepts[concept])
    print(_as_json(name, shown, left_out) if args.json else _as_table(name, shown, len(ranked), left_out))


def scored(
    learnt: Dictionary, host: TextHost, concept: int, texts: Sequence[str]
) -> tuple[dict[str, Score], dict[str, str]]:
    """Return the score of every text, and why others have none; equal texts are encoded once."""
    distinct = list(dict.fromkeys(texts))
    found, why = dict[str, Score](), dict[str, str]()
    with torch.inference_mode(), tqdm(total=len(distinct), desc="search", unit="prompt") as bar:
        for first in range(0, len(distinct), BATCH):
            some = distinct[first : first + BATCH]
            for text, cond in _encoded(host, some, why).items():
                try:
                    found[text] = score(learnt, cond, concept)
                except ValueError as error:
                    why[text] = f"cannot be read: {error}"
            bar.update(len(some))
    return found, why


def _encoded(host: TextHost, texts: Sequence[str], why: dict[str, str]) -> dict[str, torch.Tensor]:
    """Return the rows of texts; where one is refused they are encoded one by one, and ``why`` is filled in."""
    try:
        return dict(zip(texts, host.encode(texts)[0], strict=True))
    except ValueError as error:
        if len(texts) == 1:
            why[texts[0]] = f"cannot be encoded: {error}"
            return {}
    made = dict[str, torch.Tensor]()
    for text in texts:
        made |= _encoded(host, [text], why)
    return made


def _words(one: FoundPrompt) -> str:
    """Return what is encoded: the words, without weights, tags and the underscores of tags."""
    return spaced(bare(one.text))


def _place(one: FoundPrompt) -> str:
    return f"{one.file}:{one.line}" if one.line else one.file


def _says(score: Score) -> str:
    return "yes" if score.said else ", ".join(score.instead) or "-"


def _number(score: Score) -> str:
    return f"{score.score:.2f}" if math.isfinite(score.score) else "-"


def _as_table(name: str, shown: Sequence[tuple[FoundPrompt, Score]], total: int, left_out: Sequence[LeftOut]) -> str:
    lines = [("score", f"says {name}", "file", "prompt")]
    for one, own in shown:
        prompt = one.text if len(one.text) <= WIDE else f"{one.text[: WIDE - 1]}…"
        lines.append((_number(own), _says(own), _place(one), prompt))
    told = [f"{len(shown)} of {total} prompts shown."] if len(shown) < total else []
    told += [f"Left out: {one.file} {one.why}" for one in left_out[:TOLD]]
    if len(left_out) > TOLD:
        told.append(f"Left out: {len(left_out) - TOLD} more; --json names all.")
    return "\n".join([*aligned(lines), *told])


def _as_json(name: str, shown: Sequence[tuple[FoundPrompt, Score]], left_out: Sequence[LeftOut]) -> str:
    prompts = [
        {
            "file": one.file, "line": one.line or None, "prompt": one.text, "says": own.said,
            "score": round(own.score, 4) if math.isfinite(own.score) else None, "instead": list(own.instead),
        }
        for one, own in shown
    ]  # fmt: skip
    whole = {"version": VERSION, "concept": name, "prompts": prompts, "left_out": [one._asdict() for one in left_out]}
    return json.dumps(whole, ensure_ascii=False, indent=1)
