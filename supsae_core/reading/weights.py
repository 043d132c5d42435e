"""Prompt weights, as in ``(phrase:1.3)``: what they do to rows, and reading them off.

Letters (docs/method.md, 11): x a row, z the row that stood there without a weight, e the empty prompt's row at the same
place, x̂ what the dictionary decodes. ComfyUI makes x = e + w (z − e), in the weighted rows only, so w is the multiple
of x̂ − e nearest to x − e, in units of what context leaves unexplained.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

import torch
from einops import rearrange
from torch import Tensor

from ..dictionary.model import Dictionary
from ..encoders.base import Encoder, Rows
from ..encoders.layout import Layout, Span
from ..encoders.placing import hearing
from .coded import CodedRows
from .text_end import codes_of

WEIGHTS = (0.4, 2.0)
"""Weights at which phrases are looked for; beyond, too little or too much is left of the text."""


def weighted(
    dictionary: Dictionary,
    cond: Tensor,
    rows: Rows,
    layouts: Mapping[str, Layout],
    codes: Mapping[str, Tensor] | None = None,
) -> dict[str, Layout]:
    """Return the layouts of a conditioning (L, width) with every span's weight, one for all encoders of a mention.

    Args:
        codes: encoder name → (rows, r) of its own rows, if they are known.
    """
    if not dictionary.family.weighted:
        return dict(layouts)
    # All encoders were given the same weight, so their products add up before one is divided by the other.
    sums: dict[tuple[int, int], Tensor] = {}
    for encoder in dictionary.family.encoders:
        if encoder.name in layouts:
            known = (codes or {}).get(encoder.name)
            for key, fit in _fits(dictionary, encoder, cond, rows, layouts[encoder.name].spans, known).items():
                sums[key] = sums.get(key, 0) + fit
    read = {key: _weight(along, whole, dictionary.tolerance) for key, (along, whole) in sums.items()}
    found = {}
    for name, layout in layouts.items():
        keyed = zip(layout.spans, numbered(span.phrase for span in layout.spans), strict=True)
        found[name] = layout._replace(spans=tuple(span._replace(weight=read[key]) for span, key in keyed))
    return found


def inverse_weight(uu: Tensor, ut: Tensor, numbers: Tensor) -> Tensor:
    """Return v = 1 / w of the weight w under which rows are most like what is looked for: u = w (t + noise).

    Args:
        uu: ‖u‖², of the rows about the empty prompt's; of any shape, which all have and is returned.
        ut: u · t, with what is looked for.
        numbers: how many numbers u holds.
    """
    # v² uu − 2 v ut + tt − 2 numbers log v is convex, and least at the positive root of v² uu − v ut − numbers; so the
    # clamped root is least within the range.
    v = (ut + (ut.square() + 4 * uu * numbers).sqrt()) / (2 * uu).clamp(min=1e-12)
    return v.clamp(1 / WEIGHTS[1], 1 / WEIGHTS[0])


def mismatch(v: Tensor, uu: Tensor, ut: Tensor, tt: Tensor, numbers: Tensor | int) -> Tensor:
    """Return how far rows are from what is looked for at a weight 1 / v, arguments as of ``inverse_weight``.

    Twice the negative log-likelihood of u, up to a constant, with noise of variance 1; ``tt`` is ‖t‖².
    """
    return v.square() * uu - 2 * v * ut + tt - 2 * numbers * v.log()


def _fits(
    dictionary: Dictionary, encoder: Encoder, cond: Tensor, rows: Rows, spans: Sequence[Span], codes: Tensor | None
) -> dict[tuple[int, int], Tensor]:
    """Return, per mention, ⟨x − e, x̂ − e⟩ and ‖x̂ − e‖² in one encoder."""
    if not spans:
        return {}
    part, own = dictionary.parts[encoder.name], rows.of(encoder)
    places = [*_rows(spans)]
    at = torch.tensor(places) - own.start
    # x, e and x̂ of all spans' rows, in codes, whitened by what context leaves unexplained: rows that scatter much count
    # little.
    x = codes_of(part, encoder, cond[places]) if codes is None else codes[at]
    empty, kinds = CodedRows(dictionary, encoder, rows, part).empty_kinds(places)
    off = (x - empty[kinds]) @ part.whiten_residual
    decoded = _decoded(dictionary, encoder, own, spans) - (empty @ part.whiten_residual)[kinds]
    fits = torch.stack([(off * decoded).sum(1), decoded.square().sum(1)], 1)
    sums = [some.sum(0) for some in fits.split([len(span.rows) for span in spans])]
    return dict(zip(numbered(span.phrase for span in spans), sums, strict=True))


def _decoded(dictionary: Dictionary, encoder: Encoder, own: range, spans: Sequence[Span]) -> Tensor:
    """Return the whitened codes (rows of all spans, r) that spans' rows have in the context of one another."""
    still, part = dictionary.looks[encoder.name][1].in_context, dictionary.looking[encoder.name]
    phrases, counts = torch.tensor([span.phrase for span in spans]), torch.tensor([len(span.rows) for span in spans])
    of = torch.arange(len(spans)).repeat_interleave(counts)
    # Of more rows than the phrase has tokens, as other words for its concept may take, the rest say its last one again.
    token = torch.arange(len(of)) - (counts.cumsum(0) - counts)[of]
    token = torch.minimum(token, (part.slot_tokens[phrases] - 1).clamp(min=0)[of])
    said = torch.tensor([dictionary.table.phrases[span.phrase].concept for span in spans])
    lasts, rows = (span.rows[-1] for span in spans), torch.tensor([*_rows(spans)])
    concepts, heard = hearing(encoder, own, rows, list(zip(said.tolist(), lasts, strict=True)))
    heard[concepts == said[of][:, None]] = 0  # none is its own context
    effects = part.effects(phrases, concepts)
    moved = (rearrange(heard, "row k -> row 1 k") @ effects[of])[:, 0]
    return still[phrases[of], token].float() + moved


def _rows(spans: Sequence[Span]) -> Iterator[int]:
    return chain.from_iterable(span.rows for span in spans)


def numbered(phrases: Iterable[int]) -> list[tuple[int, int]]:
    """Return (phrase, which mention of it), from 0: all encoders write the mentions of a phrase in the same order."""
    seen, found = Counter[int](), list[tuple[int, int]]()
    for phrase in phrases:
        found.append((phrase, seen[phrase]))
        seen[phrase] += 1
    return found


def _weight(along: Tensor, whole: Tensor, tolerance: float) -> float:
    weight = float(along / whole) if float(whole) else 1.0
    return weight if abs(weight - 1) >= tolerance else 1.0
