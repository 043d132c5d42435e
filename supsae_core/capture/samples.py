"""What a prompt's recorded rows give the slots of a part: the rows of every phrase and role, and their context."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor

from ..encoders.base import Encoder, Rows
from ..encoders.layout import TEMPLATE, Layout
from ..encoders.placing import context_of, layout_of, rows_of
from ..encoders.streams import parse_part, writer_of
from .captures import Encoded
from .plan import ActivationPlan, Entry, TextPlan
from .sampling import Sampling
from .statistics import fold_of


class Sample(NamedTuple):
    """What one slot takes from the recorded rows of one prompt."""

    slot: int
    context: Tensor
    """(K,)"""
    rows: tuple[int, ...]
    tokens: bool
    """whether every row is a token of the slot; otherwise their mean is the one token"""


class Picked(NamedTuple):
    """The samples of a batch as arrays: n samples of R rows in all, from the recorded rows of B prompts."""

    source: Tensor
    """(m,) recorded row, those of all prompts counted through"""
    target: Tensor
    """(m,) row among R that it is added to"""
    weight: Tensor
    """(m,)"""
    folds: Tensor
    """(n,)"""
    slots: Tensor
    """(n,)"""
    labels: Tensor
    """(n, K)"""
    lengths: Tensor
    """(n,) tokens, R in all"""

    def reduce(self, rows: Tensor) -> Tensor:
        """Return the samples (R, d) of recorded rows (B, rows, d), on their device."""
        flat = rearrange(rows, "prompt row d -> (prompt row) d")
        source, target, weight = (one.to(flat.device) for one in self[:3])
        made = flat.new_zeros(int(self.lengths.sum()), flat.shape[1])
        return made.index_add_(0, target, flat[source] * rearrange(weight, "m -> m 1"))


class Written(NamedTuple):
    """The rows of one segment of a prompt."""

    encoder: Encoder
    """one of those that wrote them"""
    layout: Layout
    rows: Rows


def segments(plan: TextPlan, row: Encoded) -> dict[str, Written]:
    """Return who stands where in the rows of every segment of a prompt; a silent one is left out."""
    rows = rows_of(row.cond, plan.family)
    found = layout_of(plan.family, plan.table, row.entry.prompt, row.entry.counts, rows)
    wrote = {segment: writer_of(segment, plan.family, found) for segment in plan.family.segments}
    return {segment: Written(one, found[one.name], rows) for segment, one in wrote.items() if one}


def attended(plan: TextPlan, row: Encoded) -> list[tuple[int, ...]]:
    """Return the text rows of every mention, those of all encoders together; none of one that was cut off."""
    layouts = [one.layout for one in segments(plan, row).values()]
    found = []
    for place in range(len(row.entry.prompt.mentions)):
        spans = [span for layout in layouts for span in layout.spans[place : place + 1]]
        found.append(tuple(row for span in spans for row in span.rows))
    return found


def samples(plan: ActivationPlan, name: str, row: Encoded) -> list[Sample]:
    """Return what the slots of a part take from the recorded rows of a prompt."""
    _, rows = parse_part(name)
    support = row.entry.prompt.support(plan.table)
    said = torch.zeros(len(plan.table))
    said[list(support)] = 1
    if rows == "mean":
        return [Sample(0, said, (0,), True)]
    if rows == "positions":
        return [Sample(token, said, (token,), True) for token in range(plan.sampling.tokens)]
    if rows == "attention":
        heard = attended(plan, row)
        return [
            Sample(mention.phrase, said.index_fill(0, torch.tensor(concept), 0), (place,), True)
            for place, (mention, concept) in enumerate(zip(row.entry.prompt.mentions, support, strict=True))
            if heard[place]
        ]
    wrote = segments(plan, row).get(rows)
    return [] if wrote is None else _text_samples(plan, wrote)


def _text_samples(plan: TextPlan, wrote: Written) -> list[Sample]:
    """Take the rows of one segment.

    Inside the model all rows hear one another, and still the causal ones say best what their encoder let them hear:
    on Portraits the concepts before a row leave 0.14, 0.43 and 0.84 of the variance in blocks 0, 1 and 2, all concepts
    0.86, 0.80 and 0.99.
    """
    labels = context_of(plan.table, wrote.encoder, wrote.rows, wrote.layout.spans)
    return samples_of(plan, wrote.layout, labels)


def samples_of(plan: TextPlan, layout: Layout, labels: Tensor) -> list[Sample]:
    """Return what the slots of an encoder take from a prompt.

    Rows of a role that have one context are one sample; a template's rows are the tokens of one.

    Args:
        layout: who stands where.
        labels: (L, K) the context of every row.
    """
    made = [Sample(span.phrase, labels[span.rows[0]], span.rows, True) for span in layout.spans]
    keys = labels.numpy().view(f"V{labels.shape[1] * labels.itemsize}")[:, 0].tolist()  # the bytes of every row
    for name, rows in layout.roles.filled().items():
        role = len(plan.table.phrases) + plan.family.roles.index(name)
        if name in TEMPLATE:
            made.append(Sample(role, labels[rows[0]], rows, True))
            continue
        heard: dict[bytes, list[int]] = {}
        for row in rows:
            heard.setdefault(keys[row], []).append(row)
        made += [Sample(role, labels[some[0]], tuple(some), False) for some in heard.values()]
    return made


def picked(plan: ActivationPlan, name: str, rows: Sequence[Encoded], length: int) -> Picked:
    """Return what a batch's encoded prompts give a part; ``length`` rows of each are recorded."""
    found = [(prompt * length, row, one) for prompt, row in enumerate(rows) for one in samples(plan, name, row)]
    source, target, weight, lengths, total = [], [], [], [], 0
    for first, _, one in found:
        count = len(one.rows) if one.tokens else 1
        source += [first + row for row in one.rows]
        target += [total + i if one.tokens else total for i in range(len(one.rows))]
        weight += [count / len(one.rows)] * len(one.rows)
        lengths.append(count)
        total += count
    return Picked(
        torch.tensor(source, dtype=torch.int64),
        torch.tensor(target, dtype=torch.int64),
        torch.tensor(weight),
        torch.tensor([fold_of(row.entry.root) for _, row, _ in found], dtype=torch.int64),
        torch.tensor([one.slot for *_, one in found], dtype=torch.int64),
        torch.stack([one.context for *_, one in found]) if found else torch.zeros(0, len(plan.table)),
        torch.tensor(lengths, dtype=torch.int64),
    )


def recorded_rows(plan: ActivationPlan, name: str, row: Encoded) -> int:
    """Return how many rows are recorded of a prompt for a part."""
    return rows_of_part(plan.sampling, parse_part(name)[1], len(row.cond), row.entry)


def rows_of_part(sampling: Sampling, rows: str, text: int, entry: Entry) -> int:
    image = {"mean": 1, "attention": len(entry.prompt.mentions), "positions": sampling.tokens}
    return image.get(rows, text)
