"""Where the tokens of a prompt stand in a conditioning: rows typed by content, spans, roles, and what rows hear."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from ..table.concepts import ConceptTable
from ..table.prompts import Prompt, trim
from .base import Encoder, Family, Rows
from .layout import Layout, Span


def rows_of(cond: Tensor, family: Family) -> Rows:
    """Type the rows of one (L, width) conditioning by content.

    A row belongs to the narrowest segment that it fits: it is exactly zero from that segment's width on.

    Raises:
        ValueError: if the width or the order of the rows fits no known layout; the reason is given.
    """
    if cond.ndim != 2 or cond.shape[1] != family.width:
        raise ValueError(
            f"A conditioning of shape {tuple(cond.shape)} is not of the family {family.name!r}, "
            f"which has rows of width {family.width}. Use the dictionary with the model it was made for."
        )
    written = _Written(cond, family)
    if not written.anywhere(0, len(cond), 0, family.width):
        raise ValueError("This conditioning is all zeros (Conditioning Zero Out?): no concept can be read or edited.")
    counts = _counts(written, family)
    layouts = {name: some[0].layout for name, some in family.segments.items()}
    if counts is None or not all(layout.fits(counts[name]) for name, layout in layouts.items()):
        wanted = " followed by ".join(layout.policy for layout in layouts.values())
        raise ValueError(
            f"The {len(cond)} rows of this conditioning are not {wanted}. Conditioning that was concatenated or "
            "averaged is not supported; edit the parts before they are joined."
        )
    own, first = dict[str, range](), 0
    for name, some in family.segments.items():
        rows = range(first, first + counts[name])
        first += counts[name]
        for encoder in some:
            said = written.anywhere(rows.start, rows.stop, encoder.first, encoder.last)
            own[encoder.name] = rows if said else range(0)
    # Beside encoders that have the text, one without a word was not given it.
    told = {encoder.name for encoder in family.encoders if not encoder.layout.is_empty(len(own[encoder.name]))}
    if told:
        own = {name: rows if name in told else range(0) for name, rows in own.items()}
    elif len(family.segments) > 1:
        raise ValueError("This conditioning was made of no text at all: no concept can be read or edited.")
    return Rows(own, len(cond))


FIRST = 16
"""Columns that are looked at first: a row of zeros there is rare, and the others need not be looked at in full."""


def written_rows(rows: Tensor) -> Tensor:
    """Tell which rows (n, d) are not all zeros."""
    found = (rows[:, :FIRST] != 0).any(1)
    if not found.all():
        rest = rows[~found]  # ``any`` takes ten times as long
        found[~found] = (rest.amax(1) != 0) | (rest.amin(1) != 0)
    return found


class _Written:
    """Which rows of a conditioning (L, width) are not all zeros, between the columns where encoders begin or end."""

    def __init__(self, cond: Tensor, family: Family) -> None:
        edges = {0, family.width}.union(*((one.first, one.last) for one in family.encoders))
        self._edges = sorted(edges)
        self._found = torch.stack([written_rows(cond[:, first:last]) for first, last in pairwise(self._edges)], 1)

    def rows(self, first: int, last: int) -> Tensor:
        """Tell which rows (L,) are written in the columns first … last − 1."""
        return self._found[:, self._edges.index(first) : self._edges.index(last)].any(1)

    def anywhere(self, start: int, stop: int, first: int, last: int) -> bool:
        """Tell whether anything is written in the rows start … stop − 1 and these columns."""
        return bool(self.rows(first, last)[start:stop].any())


def _counts(written: _Written, family: Family) -> dict[str, int] | None:
    """Return segment → number of its rows, None if the segments do not follow one another."""
    names = list(family.segments)
    some = written.rows(0, family.width)
    kind = torch.full((len(some),), names.index(max(names, key=family.width_of)))
    for name in sorted(names, key=family.width_of, reverse=True):  # the narrowest has the last word
        width = family.width_of(name)
        if width < family.width:
            kind[some & ~written.rows(width, family.width)] = names.index(name)
    in_order = bool((kind.diff() >= 0).all())
    return {name: int((kind == number).sum()) for number, name in enumerate(names)} if in_order else None


def layout_of(
    family: Family, table: ConceptTable, prompt: Prompt, counts: Mapping[str, Sequence[int]], rows: Rows
) -> dict[str, Layout]:
    """Return encoder name → layout of a known prompt; phrases cut by a chunk border keep the rows on both sides.

    ``counts`` are, by encoder, the tokens of each whitespace word, punctuation included.
    """
    return {
        encoder.name: _encoder_layout(encoder, table, prompt, counts[encoder.name], rows.of(encoder))
        for encoder in family.encoders
        if rows.of(encoder)
    }


def _encoder_layout(encoder: Encoder, table: ConceptTable, prompt: Prompt, counts: Sequence[int], own: range) -> Layout:
    starts = [0]
    for count in counts:
        starts.append(starts[-1] + count)
    spans = []
    for mention in prompt.mentions:
        first = starts[mention.start]
        last = prompt.words[mention.stop - 1]
        marks = len(last) - len(trim(last))  # every mark is a token of its own
        length = starts[mention.stop] - first - marks
        if length < 1:
            raise ValueError(
                f"{encoder.name!r} spells the marks behind {last!r} together, so it cannot be told where the phrase "
                f"{table.phrases[mention.phrase].text!r} ends. Put one mark behind a phrase at most."
            )
        spans.append(Span(mention.phrase, tuple(encoder.layout.place(own, first + i) for i in range(length))))
    taken = {row for span in spans for row in span.rows}
    return Layout(tuple(spans), encoder.layout.roles(own, encoder.layout.ends(own, starts[-1]), taken))


def pooled_spans(family: Family, layouts: Mapping[str, Layout], rows: Rows) -> tuple[Span, ...]:
    """Return the spans that the pooled vector can know of, as far as the rows of an encoder that made it show them."""
    for one in family.pooled:
        if one.encoder is not None and one.encoder in layouts:
            return heard_by_pooled(family.encoder(one.encoder), layouts[one.encoder], rows)
    return next(iter(layouts.values())).spans


def heard_by_pooled(encoder: Encoder, layout: Layout, rows: Rows) -> tuple[Span, ...]:
    """Return the spans of an encoder that begin in the rows which its pooled vector is made of."""
    room = encoder.layout.pooled_room
    first = rows.of(encoder).start
    return tuple(span for span in layout.spans if room is None or span.rows[0] < first + room)


def hearing(encoder: Encoder, own: range, rows: Tensor, said: Sequence[tuple[int, int]]) -> tuple[Tensor, Tensor]:
    """Return the concepts (k,) of all that is said, and 1 in (n, k) where one of some rows (n,) can attend to one.

    Args:
        said: (concept, last row) of mentions in the encoder's own rows.
    """
    concepts = torch.tensor(sorted({concept for concept, _ in said}), dtype=torch.int64)
    of, last = torch.tensor(said, dtype=torch.int64).reshape(-1, 2).unbind(1)
    heard = encoder.layout.hears(own, rows[:, None], last).float()
    return concepts, (heard @ (of[:, None] == concepts).float()).clamp(max=1)


def context_of(table: ConceptTable, encoder: Encoder, rows: Rows, spans: Sequence[Span]) -> Tensor:
    """Return the context of every row as labels (total rows, K): the concepts of an encoder's spans it can attend to.

    A span is no context of itself.
    """
    every, labels = torch.arange(rows.total), torch.zeros(rows.total, len(table))
    for span in spans:
        labels[encoder.layout.hears(rows.of(encoder), every, span.rows[-1]), table.phrases[span.phrase].concept] = 1
    for span in spans:
        labels[list(span.rows), table.phrases[span.phrase].concept] = 0
    return labels
