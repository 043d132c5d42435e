"""Where the text of a prompt stands in one encoder's rows: words told from starts, ends, pads and a template's rows.

Pads look like pads and the end like the end (docs/method.md, 10): every row has a log-likelihood ratio of being either.
"""

from __future__ import annotations

import math
from itertools import chain
from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional as F

from ..dictionary.model import Dictionary, Part
from ..encoders.base import Encoder, RowLayout

WRITTEN = 1e-3
"""Chance that a row behind the end of the text is no pad but was written by an edit."""


SURE = 1e-9
"""Chance below which a row that looks like an end is none: if it is the only one, text ends there whatever follows."""


class Text(NamedTuple):
    """Where the text stands in one encoder's rows."""

    end: int
    """the row of its end, of several chunks the last one's; the row behind all rows if there is none"""
    words: list[int]
    """rows before the end, without starts, ends and pads of chunks, and rows behind it that may be no pads"""
    pad: Tensor
    """(words,) scores of being a pad, −1 before the end: a phrase, which an edit may write behind it, sums below 0"""
    inner: tuple[int, ...] = ()
    """ends of the chunks before the last: a weighted group that is not to be cut leaves pads behind them"""


def text_of(dictionary: Dictionary, encoder: Encoder, codes: Tensor, own: range) -> Text:
    """Tell words from starts, ends, pads and a template's in an encoder's own rows, given their codes (rows, r)."""
    part, layout = dictionary.parts[encoder.name], encoder.layout
    if not layout.has_pads:  # the rows say by their number where the text ends
        end = own.stop - layout.tail
        words = list(range(own.start + layout.lead, end))
        return Text(end, words, -torch.ones(len(words)))
    # Each part has an end of its own, since its rows hear only one another.
    roles = role_scores(dictionary, part, codes)
    parts = layout.parts(own)
    lengths = [len(one) for one in parts]
    if layout.is_longer(len(own)):
        ends = [max(end_of_longer(roles, layout), layout.lead)]
    else:
        ends = [max(end_row(some), layout.lead) for some in roles.split(lengths)]
    inner = tuple(one[min(end, len(one) - 1)] for one, end in zip(parts[:-1], ends[:-1], strict=True))
    end = parts[-1].start + ends[-1]
    # Words stand between the start and the end of each part,
    stops = zip(parts, (*inner, end), strict=True)
    before = list(chain.from_iterable(range(one.start + layout.lead, stop) for one, stop in stops))
    # and, where an earlier edit wrote them, among the pads that begin behind the last end.
    first = end + max(layout.tail, 1)
    pad = roles[first - own.start :, 1]
    behind = _may_be_words(pad, part.slot_codes.shape[1])
    words = before + (first + behind).tolist()
    return Text(end, words, torch.cat([-torch.ones(len(before)), pad[behind]]), inner)


def end_row(tail: Tensor) -> int:
    """Return the row that is best explained as the end of the text, given (rows, 2) scores; their number if none is.

    Scores are log-likelihood ratios against text, so rows before the end count nothing. Each row behind it is a pad or,
    rarely, a row that an edit wrote.
    """
    end, pad = rearrange(tail, "row role -> role row")
    rows = torch.logaddexp(pad, pad.new_tensor(math.log(WRITTEN)))
    behind = rows.flip(0).cumsum(0).flip(0) - rows
    best = int(torch.cat([end + behind, end.new_zeros(1)]).argmax())  # the 0 behind all rows: it is all text
    # Pads all hear the same strange text: they are wrong together, and then their sum outweighs the end.
    ends = (end > 0).nonzero().flatten()
    if best == len(end) and len(ends) == 1 and float(end[ends[0]]) > -math.log(SURE):
        return int(ends[0])
    return best


def end_of_longer(scores: Tensor, layout: RowLayout) -> int:
    """Return the row of the end of more rows than texts are padded to, given (rows, 2) scores; their number if none is.

    In texts longer than those learnt from every row is off, the end too: it looks most like one if not much like it.
    """
    found, last = end_row(scores), len(scores) - layout.tail
    if found < last and float(scores[-1, 1]) > 0:
        return found  # pads: it is no longer text, but one that was padded further
    # A template is where it must be, and the rows before it tell whose they are.
    whole = found == last or int(scores[:, 0].argmax()) == last or layout.constant is not None
    return last if whole else len(scores)


def role_scores(dictionary: Dictionary, part: Part, codes: Tensor) -> Tensor:
    """Return log-likelihood ratios (rows, 2) of codes (rows, r) being the end, and being a pad, rather than text.

    Where a template stands behind the prompt, all its rows together are the end, which is where they begin. Where
    nothing does, a pad is.
    """
    # Text is any token of a concept: spread as all of them are about their mean.
    off = codes - part.mean_code
    text, by_slot = _squared_norm(off @ part.whiten_tokens), off @ part.whiten_slot

    def about(slot: int, token: int) -> Tensor:
        """How far rows from a token's on are from a slot's token; a slot's spread is laid on rows once."""
        at = (part.slot_codes[slot, token] - part.mean_code) @ part.whiten_slot
        return _squared_norm(by_slot[token:] - at)

    base = part.whiten_slot.diagonal().log().sum() - part.whiten_tokens.diagonal().log().sum()
    text = text + 2 * base
    other = dictionary.role("other") if "other" in dictionary.family.roles else None
    if other is not None and int(part.slot_tokens[other]):  # or a word of no concept, whichever explains it better
        text = torch.minimum(text, about(other, 0))
    found = torch.full((len(codes), 2), -torch.inf)
    for column, roles in enumerate((("end", "after"), ("pad",))):
        slots = [dictionary.role(role) for role in roles if role in dictionary.family.roles]
        learnt = [slot for slot in slots if int(part.slot_tokens[slot])]
        if learnt:
            found[:, column] = 0
            for token in range(int(part.slot_tokens[learnt[0]])):
                # A role is one slot: spread as a slot's tokens are about its own mean.
                far = about(learnt[0], token)
                found[: len(far), column] += (text[token:] - far) / 2
                found[len(far) :, column] = -torch.inf  # its other tokens would stand behind the last row
    if not {"end", "after"} & {*dictionary.family.roles}:  # nothing closes a text but the first of its pads
        found[:, 0] = found[:, 1]
    return found


def codes_of(part: Part, encoder: Encoder, rows: Tensor) -> Tensor:
    """Return the codes (n, r) of rows (n, width) of a conditioning in an encoder's columns, float32 on the CPU."""
    return part.encode(rows[:, encoder.first : encoder.last].float().cpu())


def _may_be_words(pad: Tensor, near: int) -> Tensor:
    """Return which of the rows behind the end may be words, given scores (rows,) of being a pad and a phrase's tokens.

    Tokens of a phrase, alone, may look like pads; so those within a phrase's length of one that does not are taken too.
    """
    if not len(pad):
        return torch.zeros(0, dtype=torch.int64)
    words = rearrange((pad < 0).float(), "row -> 1 1 row")
    return (F.max_pool1d(words, 2 * near - 1, 1, near - 1)[0, 0] > 0).nonzero().flatten()


def _squared_norm(codes: Tensor) -> Tensor:
    return codes.square().sum(1)
