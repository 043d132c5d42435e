"""Which concepts a conditioning says, and where: read from the rows alone, without the prompt's text.

Every phrase's template slides over the rows. The score of a place is a log-likelihood ratio: these tokens of this
phrase, spread as the tokens of one slot are, against any tokens, spread as all tokens are. Pads are left out first.
A second look decodes each phrase in the company that the first look found, which leaves far less spread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from .dictionary import Dictionary, Part
from .slots import Encoder, Layout, Roles, Rows, Span, rows_of

FOREIGN = 0.05
"""Relative distance of start rows above which the text encoder is another one; another precision stays below."""


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
        ValueError: if the rows fit no layout of the dictionary's format, or are another encoder's or another length's.
    """
    rows = rows_of(cond, dictionary.format)
    check_encoder(dictionary, cond, rows)
    check_length(dictionary, cond, rows)
    here = [encoder for encoder in dictionary.format.encoders if len(rows.of(encoder))]
    lead = here[-1]
    found = _search(dictionary, lead, cond, rows, None)
    wanted = [one.phrase for one in found]
    layouts = {}
    for encoder in here:
        spans = found if encoder == lead else _search(dictionary, encoder, cond, rows, wanted)
        layouts[encoder.name] = _layout(dictionary, encoder, cond, rows, spans)
    return Reading(layouts, tuple(found), rows)


def check_encoder(dictionary: Dictionary, cond: Tensor, rows: Rows) -> None:
    """Refuse a conditioning of other text encoders: a causal start row is the same for every prompt.

    Raises:
        ValueError: naming the encoder and how far its start row is from the dictionary's. Weaker than a fingerprint:
            an encoder without a start row (T5) is judged by its width alone.
    """
    for encoder in dictionary.format.encoders:
        if encoder.causal and rows.causal:
            part, slot = dictionary.parts[encoder.name], dictionary.role("start")
            wanted, start = part.constant[slot, 0], _codes(part, encoder, cond[:1])[0]
            distance = float((start - wanted).norm() / wanted.norm())
            if distance > FOREIGN:
                raise ValueError(
                    f"This conditioning is not of the text encoder {encoder.name!r} that the dictionary was made with "
                    f"(its start row differs by {distance:.0%}, {FOREIGN:.0%} is the limit). Load that encoder, set "
                    "the same clip skip, or apply the edit before nodes that multiply or average conditionings."
                )


def check_length(dictionary: Dictionary, cond: Tensor, rows: Rows) -> None:
    """Refuse rows that were padded to another length: pads take part in what a bidirectional encoder says.

    Raises:
        ValueError: naming the length found and the one the dictionary was made with.
    """
    least = dictionary.format.chunk
    for encoder in dictionary.format.encoders:
        own = rows.of(encoder)
        if not encoder.causal and len(own) not in (0, least):
            end = text_of(dictionary, encoder, cond, rows).end
            if len(own) < least or end < own.stop - 1:
                raise ValueError(
                    f"This conditioning has {len(own)} rows of {encoder.name!r}, the last {max(own.stop - 1 - end, 0)} "
                    f"of them pads; the dictionary was made with prompts padded to {least} rows and not beyond. Encode "
                    "the prompt with the same length setting (ComfyUI: the default), or capture and fit with this one."
                )


class Places(NamedTuple):
    """The scores of every phrase at every row of the text, in one encoder."""

    words: list[int]
    table: Tensor
    """(phrases, words) log-likelihood ratio per code, −inf where the phrase does not fit"""


def scores(
    dictionary: Dictionary, encoder: Encoder, cond: Tensor, rows: Rows, known: Sequence[Found] | None = None
) -> Places:
    """Score every phrase at every place; with ``known`` phrases, in the company that they are."""
    part = dictionary.parts[encoder.name]
    text = text_of(dictionary, encoder, cond, rows)
    words, codes = text.words, _codes(part, encoder, cond[text.words])
    whitener = part.within if known is None else part.rest
    anything = ((codes - part.middle) @ part.around).square().sum(1)
    anything += 2 * (whitener.diagonal().log().sum() - part.around.diagonal().log().sum())
    count, n = len(dictionary.table.phrases), len(codes)
    lengths = part.lengths[:count]
    move = torch.zeros(count, 1, codes.shape[1])
    if known is not None:
        labels = _companies(dictionary, encoder, words, known) - part.mean_label[:count, None]
        move = labels @ ((part.shared[part.group] + part.own)[:count] @ whitener)
    z = F.pad(codes @ whitener, (0, 0, 0, part.constant.shape[1]))
    anything = F.pad(anything, (0, part.constant.shape[1]))
    table = torch.zeros(count, n)
    for token in range(part.constant.shape[1]):
        here, template = z[token : token + n], part.constant[:count, token] @ whitener
        off = (here - template[:, None] - move).square().sum(2)
        table += torch.where(lengths[:, None] > token, 0.5 * (anything[token : token + n] - off), 0)
    fits = _fits(dictionary, encoder, text, lengths)
    return Places(words, torch.where(fits, table / codes.shape[1], -torch.inf))  # per code: comparable between widths


def _companies(dictionary: Dictionary, encoder: Encoder, words: Sequence[int], known: Sequence[Found]) -> Tensor:
    """Return the company (phrases, words, K) that each phrase would have at each place: what other categories say."""
    table = dictionary.table
    where, chunk = torch.tensor(words, dtype=torch.int64), dictionary.format.chunk
    said = torch.zeros(len(words), len(table))
    for one in known:
        last = one.rows[-1]
        seen = (where > last) & (where // chunk == last // chunk) if encoder.causal else slice(None)
        said[seen, table.phrases[one.phrase].concept] = 1
    category = torch.tensor(table.category_of)
    other = category[None] != category[[phrase.concept for phrase in table.phrases]][:, None]
    return said[None] * other[:, None]


def end_row(tail: Tensor) -> int:
    """Return the row that is best explained as the end of the text, given (rows, 2) scores; their number if none is.

    The more pads stand behind it the better; rows behind it that are none count nothing: an edit may have written them.
    """
    end, pad = tail.T
    pads = pad.clamp(min=0)
    behind = pads.flip(0).cumsum(0).flip(0) - pads
    return int(torch.cat([end + behind, end.new_zeros(1)]).argmax())


class Text(NamedTuple):
    """Where the text stands in one encoder's rows."""

    end: int
    """the row of its end, of several chunks the last one's; the row behind all rows if there is none"""
    words: list[int]
    """rows before the end, without starts and ends of chunks, and rows behind it that may be no pads"""
    pad: Tensor
    """(words,) scores of being a pad, −1 before the end: a phrase, which an edit may write behind it, sums below 0"""


def text_of(dictionary: Dictionary, encoder: Encoder, cond: Tensor, rows: Rows) -> Text:
    """Tell words from starts, ends and pads."""
    part, own, chunk = dictionary.parts[encoder.name], rows.of(encoder), dictionary.format.chunk
    last = own.stop - chunk if encoder.causal else own.start
    tail = _codes(part, encoder, cond[last : own.stop]) @ part.tail[:, :-1].T + part.tail[:, -1]
    end = last + max(end_row(tail), int(encoder.causal))
    pad, near = tail[end - last + 1 :, 1], part.constant.shape[1]  # single tokens of a phrase may look like pads
    behind = torch.tensor([i for i in range(len(pad)) if bool((pad[max(0, i - near + 1) : i + near] < 0).any())]).long()
    before = [row for row in range(own.start, end) if not (encoder.causal and row % chunk in (0, chunk - 1))]
    return Text(
        end, before + [end + 1 + i for i in behind.tolist()], torch.cat([-torch.ones(len(before)), pad[behind]])
    )


def _fits(dictionary: Dictionary, encoder: Encoder, text: Text, lengths: Tensor) -> Tensor:
    """Tell (phrases, words) whether a phrase can begin at a word: as many words follow, and they are no pads.

    Words follow one another across the end and the start of two chunks, but not across the end of the text.
    """
    number = torch.tensor(text.words, dtype=torch.int64)
    number = number - 2 * (number // dictionary.format.chunk) if encoder.causal else number
    first, last = torch.arange(len(number)), torch.arange(len(number)) + lengths[:, None] - 1
    inside = (last < len(number)) & (lengths[:, None] > 0)
    last = last.clamp(0, max(len(number) - 1, 0))
    pad = torch.cat([torch.zeros(1), text.pad.cumsum(0)])
    return inside & (number[last] - number == last - first) & (pad[last + 1] - pad[first] < 0)


def _codes(part: Part, encoder: Encoder, rows: Tensor) -> Tensor:
    return part.encode(rows[:, encoder.first : encoder.last].float().cpu())


def _search(
    dictionary: Dictionary, encoder: Encoder, cond: Tensor, rows: Rows, wanted: list[int] | None
) -> list[Found]:
    """Look twice: with no company known, then in the company found by the first look."""
    first = scores(dictionary, encoder, cond, rows)
    cut = dictionary.parts[encoder.name].threshold
    known = pick(dictionary, encoder, first, wanted, float(cut[0]))
    return pick(dictionary, encoder, scores(dictionary, encoder, cond, rows, known), wanted, float(cut[1]))


def pick(
    dictionary: Dictionary, encoder: Encoder, places: Places, wanted: list[int] | None, threshold: float
) -> list[Found]:
    """Take the best place again and again, never two on one row; only wanted phrases, each once, if given."""
    words, table = places.words, places.table.clone()
    part = dictionary.parts[encoder.name]
    left = None if wanted is None else list(wanted)
    if left is not None:
        table[[phrase for phrase in range(len(table)) if phrase not in left]] = -torch.inf
    found: list[Found] = []
    while table.numel() and (left is None or left):
        phrase, place = divmod(int(table.argmax()), table.shape[1])
        score, length = float(table[phrase, place]), int(part.lengths[phrase])
        if score < (threshold if left is None else torch.finfo().min):
            break
        found.append(Found(phrase, tuple(words[place : place + length]), score))
        _block(part.lengths[: len(table)], table, place, length)
        if left is not None:
            left.remove(phrase)
            if phrase not in left:
                table[phrase] = -torch.inf
    return sorted(found, key=lambda one: one.rows)


def _block(lengths: Tensor, table: Tensor, place: int, length: int) -> None:
    """Strike out every place of every phrase that would share a row with the phrase at ``place``."""
    starts = torch.arange(table.shape[1])
    table[(starts > place - lengths[:, None]) & (starts < place + length)] = -torch.inf


def _layout(dictionary: Dictionary, encoder: Encoder, cond: Tensor, rows: Rows, found: Sequence[Found]) -> Layout:
    own, chunk, text = rows.of(encoder), dictionary.format.chunk, text_of(dictionary, encoder, cond, rows)
    taken = {row for one in found for row in one.rows}
    inner = own[chunk - 1 : text.end : chunk] if encoder.causal else ()
    roles = Roles(
        start=tuple(own[::chunk]) if encoder.causal else (),
        end=(*inner, *([text.end] if text.end in own else [])),
        pad=tuple(row for row in own if row > text.end and row not in taken),
        other=tuple(row for row in text.words if row < text.end and row not in taken),
    )
    return Layout(tuple(Span(one.phrase, one.rows) for one in found), roles)


def describe(dictionary: Dictionary, reading: Reading) -> str:
    """Return what was read as a sentence."""
    names = [str(dictionary.table.concepts[index]) for index in reading.concepts(dictionary)]
    return ", ".join(names) if names else "none of the dictionary's concepts"
