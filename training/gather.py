"""From a capture's rows to the sums a fit needs: the tokens of every phrase and role, with their context.

See docs/method.md, 3 and 6.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor

from ..supsae_core.capture.captures import SHARD, Capture, Encoded
from ..supsae_core.capture.kept import Batch, Samples, Summed
from ..supsae_core.capture.plan import TextPlan
from ..supsae_core.capture.samples import samples_of
from ..supsae_core.capture.statistics import FOLDS, Statistics, fold_of
from ..supsae_core.capture.typed import Typed
from ..supsae_core.dictionary.model import POOLED
from ..supsae_core.encoders.placing import context_of, pooled_spans
from ..supsae_core.stopping import heed
from .solvers.groups import Groups


class HeardRows(NamedTuple):
    """What one slot takes from one prompt: rows of one context."""

    fold: int
    slot: int
    label: Tensor
    """(K,)"""
    tokens: Tensor
    """(T, d) of a phrase; of a role (1, d), the sum of all its rows of this context"""
    times: int
    """rows that the sum is of; 1 of a phrase"""
    square: float
    """Σ‖x‖² over the rows"""


def gather(capture: Capture, rows: Iterable[Encoded], name: str, typed: Typed | None = None) -> dict[str, Summed]:
    """Sum up the rows of one set of prompts, per encoder and for the pooled vector.

    Memory grows with the prompts only as long as these take less than their sums would: then samples are kept instead.

    Args:
        typed: remembers the rows of these prompts, for what else a fit does with them.

    Raises:
        ValueError: if an encoder spells a phrase with another number of tokens in another prompt.
    """
    plan, typed = capture.plan, typed or Typed(capture.plan)
    found = {
        encoder.name: _begun(
            plan,
            name,
            (
                len(plan.table.phrases) + len(plan.family.roles),
                len(plan.table),
                plan.longest(encoder),
                encoder.width,
            ),
        )
        for encoder in plan.family.encoders
    }
    if plan.family.pooled:
        found[POOLED] = Statistics.zeros(1, len(plan.table), 1, plan.family.pooled_width)
    wanted = (row for row in rows if row.entry.set == name)
    while True:
        heard = {part: list[HeardRows]() for part in found}
        for row in islice(wanted, SHARD):
            _collect(plan, typed, row, heard)
        if not any(heard.values()):
            return {part: one.joined() if isinstance(one, Samples) else one for part, one in found.items()}
        for part, some in heard.items():
            found[part] = _added(plan, part, found[part], some)


def _begun(plan: TextPlan, name: str, sizes: tuple[int, int, int, int]) -> Summed:
    """Return no sums, or no samples if all that there will be take less room."""
    slots, concepts, _, width = sizes
    roles = len(plan.family.roles)
    samples = sum(2 * len(entry.prompt.mentions) + roles for entry in plan.entries if entry.set == name)
    sums = FOLDS * slots * concepts * (concepts + width) * 8
    return (Samples if samples * (4 * width + concepts) < sums else Statistics).zeros(*sizes)


def groups(capture: Capture) -> Groups:
    """Return the groups of an encoder's slots: a phrase's is its category, and every role has one of its own."""
    table = capture.plan.table
    phrases = [table.category_of[phrase.concept] for phrase in table.phrases]
    roles = [len(table.categories) + role for role in range(len(capture.plan.family.roles))]
    return Groups(torch.tensor(phrases + roles), len(phrases))


def _collect(plan: TextPlan, typed: Typed, row: Encoded, found: Mapping[str, list[HeardRows]]) -> None:
    heed()
    table, fold, rows, layouts = plan.table, fold_of(row.entry.root), typed.rows(row), typed.layouts(row)
    if plan.family.pooled:
        said = torch.zeros(len(table))
        said[[table.phrases[span.phrase].concept for span in pooled_spans(plan.family, layouts, rows)]] = 1
        found[POOLED].append(_heard(fold, 0, said, row.pooled[None], whole=True))
    for encoder in plan.family.encoders:
        if encoder.name in layouts:
            layout, x = layouts[encoder.name], row.cond[:, encoder.first : encoder.last]
            labels = context_of(table, encoder, rows, layout.spans)
            for one in samples_of(plan, layout, labels):
                found[encoder.name].append(_heard(fold, one.slot, one.context, cut(x, one.rows), whole=one.tokens))


def _heard(fold: int, slot: int, label: Tensor, x: Tensor, *, whole: bool) -> HeardRows:
    """Take rows (n, d): as the tokens of one sample if they are its ``whole``, or as samples of one context."""
    square = float(torch.linalg.vector_norm(x)) ** 2
    rows = x.clone() if whole else x.sum(0, keepdim=True)  # a view would keep the whole prompt in memory
    return HeardRows(fold, slot, label, rows, 1 if whole else len(x), square)


def cut(x: Tensor, rows: Sequence[int]) -> Tensor:
    """Return some rows of x (L, d); a view where they are neighbours."""
    whole = bool(rows) and rows[-1] - rows[0] + 1 == len(rows)
    return x[rows[0] : rows[-1] + 1] if whole else x[list(rows)]


def _added(plan: TextPlan, part: str, found: Summed, heard: Sequence[HeardRows]) -> Summed:
    """Add what was heard of a part in one go; sums are added to in place."""
    if not heard:
        return found
    folds, slots = (torch.tensor(some) for some in ([one.fold for one in heard], [one.slot for one in heard]))
    labels, lengths = torch.stack([one.label for one in heard]), torch.tensor([len(one.tokens) for one in heard])
    times = torch.tensor([one.times for one in heard], dtype=torch.float64)
    squares = torch.tensor([one.square for one in heard], dtype=torch.float64)
    require_even(plan, part, found.lengths, slots, lengths)
    sums = found.sums if isinstance(found, Samples) else found
    rows = torch.cat([one.tokens for one in heard])
    means = sums.scatter_sums(folds, slots, labels, rows, lengths, times, squares)
    if isinstance(found, Samples):
        return found.more(Batch(folds, slots, labels.to(torch.uint8), means.float(), times.float()))
    found.multiply(folds * len(found.lengths) + slots, labels.double(), times, means)
    return found


def require_even(plan: TextPlan, part: str, before: Tensor, slots: Tensor, lengths: Tensor) -> None:
    """Refuse a phrase that is spelled with another number of tokens than before.

    Args:
        before: (S,) tokens of every slot so far, 0 if it never occurred.
        slots: (n,), as ``lengths``, what they are now.
    """
    longest = before.scatter_reduce(0, slots, lengths, "amax")
    known = torch.where(before > 0, before, longest)
    shortest = known.scatter_reduce(0, slots, lengths, "amin")
    for slot in (longest != shortest).nonzero()[:, 0].tolist():
        raise ValueError(
            f"The encoder {part!r} spells the phrase {plan.table.phrases[slot].text!r} with {int(shortest[slot])} "
            f"tokens in one prompt and {int(longest[slot])} in another. Word it without marks or brackets."
        )
