"""Which concepts a conditioning says, and where: read from the rows alone, without the prompt's text.

Every phrase's template slides over the rows. The score of a place is a log-likelihood ratio: these tokens of this
phrase, spread as the tokens of one slot are, against any tokens, spread as all tokens are. Pads are cut off first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from .dictionary import POOLED, Dictionary, Part
from .slots import Encoder, Layout, Rows, Span, rows_of


class Found(NamedTuple):
    """One phrase read in one encoder."""

    phrase: int
    rows: tuple[int, ...]
    score: float


class Reading(NamedTuple):
    """What a conditioning says."""

    layouts: Mapping[str, Layout]
    """encoder name → spans and roles"""
    found: tuple[Found, ...]
    """in order of writing, as the leading encoder has them"""
    rows: Rows

    def concepts(self, dictionary: Dictionary) -> tuple[int, ...]:
        """Return the concepts, in order of writing."""
        return tuple(dictionary.table.phrases[one.phrase].concept for one in self.found)


def read(dictionary: Dictionary, cond: Tensor) -> Reading:
    """Read one conditioning (L, width).

    The leading encoder (the bidirectional one if it is there) decides what is said; the others say where they have it.

    Raises:
        ValueError: if the rows fit no layout of the dictionary's format.
    """
    rows = rows_of(cond, dictionary.format)
    here = [encoder for encoder in dictionary.format.encoders if len(rows.of(encoder))]
    lead = here[-1]
    found = _search(dictionary, lead, cond, rows, None)
    wanted = [one.phrase for one in found]
    layouts = {}
    for encoder in here:
        spans = found if encoder == lead else _search(dictionary, encoder, cond, rows, wanted)
        layouts[encoder.name] = _layout(dictionary, encoder, cond, rows, spans)
    return Reading(layouts, tuple(found), rows)


def scores(dictionary: Dictionary, encoder: Encoder, cond: Tensor, rows: Rows) -> tuple[range, Tensor]:
    """Return the rows before the pads and the scores (phrases, rows) of every phrase starting at each of them."""
    part = dictionary.parts[encoder.name]
    words = _words(dictionary, encoder, cond, rows)
    return words, _scores(dictionary, part, _codes(part, encoder, cond[words.start : words.stop]))


def text_rows(part: Part, codes: Tensor) -> int:
    """Return how many rows stand before the pads: the cut at which row-wise pad scores are explained best."""
    score = codes @ part.pad[:-1] + part.pad[-1]
    tail = torch.cat([score.flip(0).cumsum(0).flip(0), score.new_zeros(1)])  # Σ of scores from row k on
    return int((2 * tail - score.sum()).argmax())


def _codes(part: Part, encoder: Encoder, rows: Tensor) -> Tensor:
    return part.encode(rows[:, encoder.first : encoder.last].float())


def _words(dictionary: Dictionary, encoder: Encoder, cond: Tensor, rows: Rows) -> range:
    """Rows between the start and the end of the text; of several chunks, all up to the last one's end."""
    part, own = dictionary.parts[encoder.name], rows.of(encoder)
    step = dictionary.format.chunk if encoder.causal else len(own)
    last = own.stop - step
    before = text_rows(part, _codes(part, encoder, cond[last : own.stop]))
    return range(own.start + encoder.causal, last + max(before - 1, int(encoder.causal)))


def _scores(dictionary: Dictionary, part: Part, codes: Tensor) -> Tensor:
    count, width = len(dictionary.table.phrases), codes.shape[1]
    table = torch.full((count, len(codes)), -torch.inf)
    whitened = codes @ part.within
    templates = part.constant[:count] @ part.within
    anything = ((codes - part.middle) @ part.around).square().sum(1)
    volume = 2 * (part.within.diagonal().log().sum() - part.around.diagonal().log().sum())
    for phrase in range(count):
        length = int(part.lengths[phrase])
        if not 0 < length <= len(codes):
            continue
        places = len(codes) - length + 1
        total = torch.zeros(places)
        for token in range(length):
            own = (whitened[token : token + places] - templates[phrase, token]).square().sum(1)
            total += 0.5 * (anything[token : token + places] - own + volume)
        table[phrase, :places] = total / width  # per column, so that one threshold scale serves every width
    return table


def _search(
    dictionary: Dictionary, encoder: Encoder, cond: Tensor, rows: Rows, wanted: list[int] | None
) -> list[Found]:
    """Take the best place again and again, never two on one row; only wanted phrases, each once, if given."""
    part = dictionary.parts[encoder.name]
    words, table = scores(dictionary, encoder, cond, rows)
    left = None if wanted is None else list(wanted)
    if left is not None:
        table[[phrase for phrase in range(len(table)) if phrase not in left]] = -torch.inf
    found: list[Found] = []
    while table.numel() and (left is None or left):
        best = int(table.argmax())
        phrase, place = divmod(best, table.shape[1])
        score, length = float(table[phrase, place]), int(part.lengths[phrase])
        if score < (float(part.threshold) if left is None else 0.0):
            break
        found.append(Found(phrase, tuple(words[place : place + length]), score))
        _block(dictionary, part, table, place, length)
        if left is not None:
            left.remove(phrase)
            if phrase not in left:
                table[phrase] = -torch.inf
    return sorted(found, key=lambda one: one.rows)


def _block(dictionary: Dictionary, part: Part, table: Tensor, place: int, length: int) -> None:
    for phrase in range(len(table)):
        first = max(0, place - int(part.lengths[phrase]) + 1)
        table[phrase, first : place + length] = -torch.inf


def _layout(dictionary: Dictionary, encoder: Encoder, cond: Tensor, rows: Rows, found: list[Found]) -> Layout:
    own, words = rows.of(encoder), _words(dictionary, encoder, cond, rows)
    starts = tuple(own[:: dictionary.format.chunk]) if encoder.causal else ()
    taken = {row for one in found for row in one.rows} | set(starts)
    end = (words.stop,) if words.stop < own.stop else ()
    return Layout(
        tuple(Span(one.phrase, one.rows) for one in found),
        (starts, end, tuple(range(words.stop + 1, own.stop)), tuple(row for row in words if row not in taken)),
    )


def describe(dictionary: Dictionary, reading: Reading) -> str:
    """Return what was read as a sentence."""
    names = [str(dictionary.table.concepts[index]) for index in reading.concepts(dictionary)]
    return ", ".join(names) if names else "none of the dictionary's concepts"


__all__ = ["POOLED", "Found", "Reading", "describe", "read", "scores", "text_rows"]
