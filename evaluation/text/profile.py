"""What a text encoder is like before any edit: where a change of words lies in its rows, and what words it knows.

An encoder can flatter a method: if it writes the whole prompt into every row, one vector added to all rows is a good
edit. So the embedded encoders are held against a pre-trained one, by figures that no method has a part in.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ...supsae_core.dictionary.model import POOLED, Dictionary
from ...supsae_core.editing.edits import Swap
from ...supsae_core.encoders.placing import layout_of, rows_of
from ...supsae_core.host import TextHost
from ...supsae_core.table.concepts import ConceptTable
from ...supsae_core.table.prompts import Mention, Prompt
from ..cases import Case, World, draw_cases, replaced
from ..intervals import share
from .synonyms import words_of

STREAM = 17
"""Part of the seed."""
SWAPPED, OTHER_WORDS = "swapped", "words"
FRAMES = ("", "a picture of", "here we see")
"""What stands before a phrase when it is asked what an encoder makes of it by itself."""
LEVELS = ("fvu_slot", "fvu_token", "fvu_token_constant")


def profile(host: TextHost, world: World, dictionary: Dictionary, count: int, seed: int) -> dict[str, dict[str, Any]]:
    """Return, per encoder, where changes lie, what levels leave of its rows, and whether it knows synonyms.

    Args:
        host: its encoders.
        world: what swaps are drawn from.
        dictionary: fitted on encodings of the host, for its held-out errors of the levels.
        count: swaps.
        seed: of the swaps.
    """
    cases = draw_even(host, world, count, np.random.default_rng((seed, STREAM)))
    found: dict[str, dict[str, Any]] = {}
    for name, some in changes(host, world.table, cases).items():
        found[name] = {"change": some}
    for name, known in synonyms(host, world.table).items():
        found.setdefault(name, {})["synonyms"] = known
    for name in found.keys() - {POOLED}:
        measured = dictionary.report["parts"][name]
        found[name]["levels"] = {key: round(measured[key], 4) for key in LEVELS}
    return found


def draw_even(host: TextHost, world: World, count: int, rng: np.random.Generator) -> list[Case]:
    """Draw swaps of phrases of equally many tokens, so that row stands against row."""
    cases = list[Case]()
    while len(cases) < count:
        (case,) = draw_cases(Swap, world, 1, rng)
        before, after = (host.counts(one.words) for one in (case.prompt, case.rewrite))
        if all(sum(before[name]) == sum(after[name]) for name in before):
            cases.append(case)
    return cases


def changes(host: TextHost, table: ConceptTable, cases: Sequence[Case]) -> dict[str, dict[str, float]]:
    """Return, per encoder, the share of the squared change of all rewrites in each kind of rows.

    Kinds are the swapped phrase, all ``words`` that stayed, and the roles of rows that are no words. ``of words`` is
    the swapped phrase's share of the change of words, the swapped ones included.
    """
    sums = {encoder.name: defaultdict[str, float](float) for encoder in host.family.encoders}
    for case in cases:
        (before, after), _ = host.encode([case.prompt.text, case.rewrite.text])
        rows, moved = rows_of(before, host.family), (after - before).double()
        ((old, _),) = replaced(case.before, case.after)
        for name, layout in layout_of(host.family, table, case.prompt, host.counts(case.prompt.words), rows).items():
            encoder = host.family.encoder(name)
            squares = moved[:, encoder.first : encoder.last].square().sum(1)
            for span in layout.spans:
                kind = SWAPPED if table.phrases[span.phrase].concept == old else OTHER_WORDS
                sums[name][kind] += float(squares[list(span.rows)].sum())
            for role, some in layout.roles.filled().items():
                sums[name][OTHER_WORDS if role == "other" else role] += float(squares[list(some)].sum())
    return {name: _shares(found) for name, found in sums.items()}


def _shares(sums: Mapping[str, float]) -> dict[str, float]:
    total, words = sum(sums.values()), sums[SWAPPED] + sums[OTHER_WORDS]
    return {kind: round(one / total, 4) for kind, one in sums.items()} | {"of words": round(sums[SWAPPED] / words, 4)}


def synonyms(host: TextHost, table: ConceptTable) -> dict[str, dict[str, Any]]:
    """Return, per encoder and for the pooled vector, how often words that a table lacks lie nearest to their concept.

    Held against every phrase of the table, by the cosine of means over the phrase's rows, centred on the table's.
    """
    words = words_of(table)
    of = [phrase.concept for phrase in table.phrases]
    own = _means(host, table, [phrase.text for phrase in table.phrases])
    strange = _means(host, table, list(words.values()))
    asked = [table.index(concept) for concept in words]
    return {name: share(_nearest(own[name], of, strange[name], asked)).json() for name in own}


def _nearest(own: Tensor, of: Sequence[int], strange: Tensor, asked: Sequence[int]) -> list[bool]:
    centre = own.mean(0)
    alike = F.normalize(strange - centre, dim=1) @ F.normalize(own - centre, dim=1).T
    return [of[best] == concept for best, concept in zip(alike.argmax(1).tolist(), asked, strict=True)]


def _means(host: TextHost, table: ConceptTable, phrases: Sequence[str]) -> dict[str, Tensor]:
    """Return, per encoder, (phrases, width): the mean of a phrase's rows, or of pooled vectors, over ``FRAMES``."""
    found: dict[str, list[Tensor]] = {}
    for phrase in phrases:
        each: dict[str, list[Tensor]] = {}
        for frame in FRAMES:
            before, words = frame.split(), phrase.split()
            prompt = Prompt((*before, *words), (Mention(0, len(before), len(before) + len(words)),))
            (cond,), (pooled,) = host.encode([prompt.text])
            layouts = layout_of(host.family, table, prompt, host.counts(prompt.words), rows_of(cond, host.family))
            for name, layout in layouts.items():
                encoder = host.family.encoder(name)
                each.setdefault(name, []).append(cond[list(layout.spans[0].rows), encoder.first : encoder.last].mean(0))
            if len(pooled):
                each.setdefault(POOLED, []).append(pooled)
        for name, some in each.items():
            found.setdefault(name, []).append(torch.stack(some).mean(0))
    return {name: torch.stack(some) for name, some in found.items()}
