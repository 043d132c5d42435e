"""From a capture's rows to the sums a fit needs: the tokens of every phrase and role, with their context.

See docs/method.md, 3 and 6.
"""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor

from ..supsae_core.capture.captures import SHARD, Capture, Encoded
from ..supsae_core.capture.plan import TextPlan
from ..supsae_core.capture.statistics import Statistics, fold_of
from ..supsae_core.dictionary.model import POOLED
from ..supsae_core.encoders.layout import TEMPLATE, Layout
from ..supsae_core.encoders.placing import context_of, layout_of, pooled_spans, rows_of
from ..supsae_core.stopping import heed
from .solvers.solution import Groups

PADS = 16
"""Pads of a prompt that the moment is taken of."""


class Key(NamedTuple):
    """Where samples are summed."""

    part: str
    fold: int
    slot: int


Samples = dict[Key, list[tuple[Tensor, Tensor]]]
"""key → labels (n, K) and rows (n, T, d)"""


def gather(capture: Capture, rows: Iterable[Encoded], name: str) -> dict[str, Statistics]:
    """Sum up the rows of one set of prompts, per encoder and for the pooled vector; memory does not grow with them.

    Raises:
        ValueError: if an encoder spells a phrase with another number of tokens in another prompt.
    """
    plan = capture.plan
    found = {
        encoder.name: Statistics.zeros(
            len(plan.table.phrases) + len(plan.family.roles),
            len(plan.table),
            plan.longest(encoder),
            encoder.width,
        )
        for encoder in plan.family.encoders
    }
    if plan.family.pooled:
        found[POOLED] = Statistics.zeros(1, len(plan.table), 1, plan.family.pooled_width)
    wanted = (row for row in rows if row.entry.set == name)
    while some := list(islice(wanted, SHARD)):
        samples: Samples = {}
        for row in some:
            _collect(plan, row, samples)
        _add(plan, found, samples)
    return found


def groups(capture: Capture) -> Groups:
    """Return the groups of an encoder's slots: a phrase's is its category, and every role has one of its own."""
    table = capture.plan.table
    phrases = [table.category_of[phrase.concept] for phrase in table.phrases]
    roles = [len(table.categories) + role for role in range(len(capture.plan.family.roles))]
    return Groups(torch.tensor(phrases + roles), len(phrases))


def _collect(plan: TextPlan, row: Encoded, samples: Samples) -> None:
    heed()
    table, fold, prompt = plan.table, fold_of(row.entry.root), row.entry.prompt
    rows = rows_of(row.cond, plan.family)
    layouts = layout_of(plan.family, table, prompt, row.entry.counts, rows)
    if plan.family.pooled:
        said = torch.zeros(1, len(table))
        said[0, [table.phrases[span.phrase].concept for span in pooled_spans(plan.family, layouts, rows)]] = 1
        samples.setdefault(Key(POOLED, fold, 0), []).append((said, rearrange(row.pooled, "d -> 1 1 d")))
    for encoder in plan.family.encoders:
        layout, x = layouts[encoder.name], row.cond[:, encoder.first : encoder.last]
        labels = context_of(table, encoder, rows, layout.spans)
        for slot, at, some in _slots(plan, layout, x):
            samples.setdefault(Key(encoder.name, fold, slot), []).append((labels[at], some))


def _slots(plan: TextPlan, layout: Layout, x: Tensor) -> Iterable[tuple[int, list[int], Tensor]]:
    """Yield (slot, rows whose context counts, samples (n, T, d)).

    A phrase is one sample, and so are a template's rows; of other roles each row is.
    """
    for span in layout.spans:
        yield span.phrase, [span.rows[0]], rearrange(x[list(span.rows)], "t d -> 1 t d")
    for name, rows in layout.roles.filled().items():
        slot = len(plan.table.phrases) + plan.family.roles.index(name)
        if name in TEMPLATE:
            yield slot, [rows[0]], rearrange(x[list(rows)], "t d -> 1 t d")
        else:
            yield slot, list(rows), rearrange(x[list(rows)], "n d -> n 1 d")


def _add(plan: TextPlan, found: Mapping[str, Statistics], samples: Samples) -> None:
    phrases = len(plan.table.phrases)
    for (part, fold, slot), some in samples.items():
        known = int(found[part].lengths[slot])
        lengths = {x.shape[1] for _, x in some} | ({known} if known else set())
        if len(lengths) > 1:
            raise ValueError(
                f"The encoder {part!r} spells the phrase {plan.table.phrases[slot].text!r} with {min(lengths)} tokens "
                f"in one prompt and {max(lengths)} in another. Word it without marks or brackets."
            )
        found[part].add(fold, slot, *map(torch.cat, zip(*some, strict=True)))
    roles = plan.family.roles
    pad = phrases + roles.index("pad") if "pad" in roles else None
    for part, statistics in found.items():
        for concept in (True, False):
            rows: list[Tensor] = []
            for key, some in samples.items():
                if key.part == part and (part != POOLED and key.slot < phrases) == concept:
                    kept = [thinned(x) if key.slot == pad else x for _, x in some]
                    rows += [rearrange(x, "n t d -> (n t) d") for x in kept]
            if rows:
                statistics.spread(torch.cat(rows), concept)


def thinned(x: Tensor) -> Tensor:
    """Return fewer rows (·, T, d) with the mean and about the scatter of x (n, T, d), as sums of squares see them.

    A prompt has up to 250 pads that hardly differ. Each costs d² in the moment, at SD3's width most of a fit's time.
    """
    n = len(x)
    if n <= PADS:
        return x
    mean, some = x.mean(0, keepdim=True), x[:: -(-n // PADS)]
    return torch.cat([mean * n**0.5, (some - some.mean(0, keepdim=True)) * (n / len(some)) ** 0.5])
