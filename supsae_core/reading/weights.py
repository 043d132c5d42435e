"""Prompt weights, as in ``(phrase:1.3)``: what they do to rows, and reading them off.

Letters (docs/method.md, 11): x a row, z the row that stood there without a weight, e the empty prompt's row at the same
place, x̂ what the dictionary decodes. ComfyUI makes x = e + w (z − e), in the weighted rows only, so w is the multiple
of x̂ − e nearest to x − e, in units of what context leaves unexplained.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ..dictionary.model import Codes, Dictionary
from ..encoders.base import Encoder, Rows
from ..encoders.layout import Layout, Span
from ..encoders.placing import context_of

WEIGHTS = (0.4, 2.0)
"""Weights at which phrases are looked for; beyond, too little or too much is left of the text."""
PLAIN = 0.06
"""A weight that is read nearer to 1 than this is 1: unweighted phrases scatter by 0.02 (Portraits, all encoders)."""


def empty_prompt(dictionary: Dictionary, part: Codes, encoder: Encoder, own: range, places: Sequence[int]) -> Tensor:
    """Return the codes (places, r) of the empty prompt in rows of an encoder: an end behind the start, and pads.

    Args:
        dictionary: what was learnt.
        part: whose codes: those of the encoder's rows, or of a block that these rows went into.
        encoder: whose rows they are.
        own: all its rows.
        places: rows of the conditioning.
    """
    nothing = torch.zeros(len(dictionary.table))
    codes: dict[str, Tensor] = {}
    made = part.decoder.new_zeros(len(places), len(part.decoder))
    for number, row in enumerate(places):
        role = encoder.layout.in_empty(own, row)
        if role not in codes and role in dictionary.family.roles:
            codes[role] = part.code(dictionary.role(role), 0, nothing)
        made[number] = codes.get(role, made[number])
    return made


def weighted(dictionary: Dictionary, cond: Tensor, rows: Rows, layouts: Mapping[str, Layout]) -> dict[str, Layout]:
    """Return the layouts of a conditioning with every span's weight, one for all encoders of a mention.

    Args:
        dictionary: what was learnt.
        cond: (L, width)
        rows: whose rows are whose.
        layouts: encoder name → what was read, without weights.
    """
    if not dictionary.family.weighted:
        return dict(layouts)
    # All encoders were given the same weight, so their products add up before one is divided by the other.
    sums: dict[tuple[int, int], Tensor] = {}
    for encoder in dictionary.family.encoders:
        if encoder.name in layouts:
            for key, fit in _fits(dictionary, encoder, cond, rows, layouts[encoder.name].spans).items():
                sums[key] = sums.get(key, 0) + fit
    read = {key: _rounded(float(along / whole)) if float(whole) else 1.0 for key, (along, whole) in sums.items()}
    return {name: _with_weights(layout, read) for name, layout in layouts.items()}


def _with_weights(layout: Layout, read: Mapping[tuple[int, int], float]) -> Layout:
    keyed = zip(layout.spans, _keys(layout.spans), strict=True)
    return layout._replace(spans=tuple(span._replace(weight=read[key]) for span, key in keyed))


def profile(uu: Tensor, ut: Tensor, tt: Tensor, numbers: Tensor, *, weighted: bool = True) -> Tensor:
    """Return how far rows are from what is looked for, at the weight that fits best.

    Twice the negative log-likelihood of u = w (t + noise), up to a constant, minimal over w; noise of variance 1.

    Of tensors of any one shape, and returned in it.

    Args:
        uu: ‖u‖², of the rows about the empty prompt's.
        ut: u · t, with what is looked for.
        tt: ‖t‖².
        numbers: how many numbers u holds.
        weighted: whether there are weights at all; otherwise w is 1.
    """
    if not weighted:
        return uu - 2 * ut + tt
    # In v = 1 / w it is v² uu − 2 v ut + tt − 2 numbers log v. This is convex, and least at the positive root of
    # v² uu − v ut − numbers; so the clamped root is least within the range.
    v = (ut + (ut.square() + 4 * uu * numbers).sqrt()) / (2 * uu).clamp(min=1e-12)
    v = v.clamp(1 / WEIGHTS[1], 1 / WEIGHTS[0])
    return v.square() * uu - 2 * v * ut + tt - 2 * numbers * v.log()


def _fits(
    dictionary: Dictionary, encoder: Encoder, cond: Tensor, rows: Rows, spans: Sequence[Span]
) -> dict[tuple[int, int], Tensor]:
    """Return, per mention, ⟨x − e, x̂ − e⟩ and ‖x̂ − e‖² in one encoder."""
    part = dictionary.parts[encoder.name]
    own, size = rows.of(encoder), len(dictionary.table)
    concepts = [dictionary.table.phrases[span.phrase].concept for span in spans]
    around = context_of(encoder, own, spans, concepts, size=size, total=len(cond))
    found = {}
    for span, key in zip(spans, _keys(spans), strict=True):
        # x, e and x̂ of the span's rows, in codes;
        codes = part.encode(cond[list(span.rows), encoder.first : encoder.last].float().cpu())
        base = empty_prompt(dictionary, part, encoder, own, span.rows)
        plain = torch.stack([part.code(span.phrase, token, around[row]) for token, row in enumerate(span.rows)])
        # about e, and whitened by what context leaves unexplained: rows that scatter much count little.
        x, decoded = ((one - base) @ part.whiten_residual for one in (codes, plain))
        found[key] = torch.stack([(x * decoded).sum(), decoded.square().sum()])
    return found


def _keys(spans: Sequence[Span]) -> list[tuple[int, int]]:
    """Number the mentions of every phrase: all encoders write them in the same order."""
    seen, keys = Counter[int](), list[tuple[int, int]]()
    for span in spans:
        keys.append((span.phrase, seen[span.phrase]))
        seen[span.phrase] += 1
    return keys


def _rounded(weight: float) -> float:
    return weight if abs(weight - 1) >= PLAIN else 1.0
