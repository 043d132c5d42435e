"""Which concepts a conditioning says, and where: read from the rows alone, without the prompt's text.

Every phrase's template slides over the rows. The score of a place is a log-likelihood ratio: these tokens of this
phrase, spread as the tokens of one slot are, against any tokens, spread as all tokens are. Pads are left out first. A
second look (docs/method.md, 10) decodes each phrase in the company that the first look found, which leaves far less
spread.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ..dictionary.model import Dictionary, Part
from ..encoders.base import Encoder, Rows
from ..encoders.layout import Layout, Span
from ..encoders.placing import rows_of
from . import weights

FOREIGN = 0.05
"""Relative distance of start rows above which the text encoder is another one; another precision stays below."""
WRITTEN = 1e-3
"""Chance that a row behind the end of the text is no pad but was written by an edit."""


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
    rows = rows_of(cond, dictionary.family)
    check_encoder(dictionary, cond, rows)
    check_length(dictionary, cond, rows)
    here = [encoder for encoder in dictionary.family.encoders if len(rows.of(encoder))]
    lead = here[-1]
    found = _search(dictionary, lead, cond, rows, None)
    wanted = [one.phrase for one in found]
    layouts = {}
    for encoder in here:
        spans = found if encoder == lead else _search(dictionary, encoder, cond, rows, wanted)
        layouts[encoder.name] = _layout(dictionary, encoder, cond, rows, spans)
    return Reading(weights.weighted(dictionary, cond, rows, layouts), tuple(found), rows)


def check_encoder(dictionary: Dictionary, cond: Tensor, rows: Rows) -> None:
    """Refuse a conditioning of other text encoders: a causal encoder's first row is the same for every prompt.

    Args:
        dictionary: made with the encoders that are wanted.
        cond: (L, width)
        rows: whose rows are whose.

    Raises:
        ValueError: naming the encoder and how far its first row is from the dictionary's. Weaker than a fingerprint:
            an encoder without such a row (T5) is judged by its width alone.
    """
    for encoder in dictionary.family.encoders:
        role, own = encoder.layout.constant, rows.of(encoder)
        if role is not None and own:
            part, slot = dictionary.parts[encoder.name], dictionary.role(role)
            wanted, start = part.slot_codes[slot, 0], _codes(part, encoder, cond[own.start : own.start + 1])[0]
            distance = float((start - wanted).norm() / wanted.norm())
            if distance > FOREIGN:
                raise ValueError(
                    f"This conditioning is not of the text encoder {encoder.name!r} that the dictionary was made with "
                    f"(its start row differs by {distance:.0%}, {FOREIGN:.0%} is the limit). Load that encoder, set "
                    "the same clip skip, or apply the edit before nodes that multiply or average conditionings."
                )


def check_length(dictionary: Dictionary, cond: Tensor, rows: Rows) -> None:
    """Refuse rows that were padded to another length: pads take part in what a bidirectional encoder says.

    Args:
        dictionary: made with the length that is wanted.
        cond: (L, width)
        rows: whose rows are whose.

    Raises:
        ValueError: naming the length found and the one the dictionary was made with, or that the text has no end.
    """
    for encoder in dictionary.family.encoders:
        own, layout = rows.of(encoder), encoder.layout
        if not own or not layout.has_pads:
            continue
        pads = own.stop - layout.tail - text_of(dictionary, encoder, cond, rows).end
        policy = layout.wrong_length(len(own), pads)
        if policy is not None:
            raise ValueError(
                f"This conditioning has {len(own)} rows of {encoder.name!r}, the last {max(pads, 0)} of them pads; the "
                f"dictionary was made with prompts padded to {policy}. Encode the prompt with the same length setting "
                f"({dictionary.family.setting}), or capture and fit with this one."
            )
        if pads < 0 and layout.constant is None:  # others are told by their first row
            raise ValueError(
                f"The {len(own)} rows of {encoder.name!r} in this conditioning have no end of a text: they were "
                "averaged or cut, or another text encoder made them. Edit the conditioning before it is averaged."
            )


class Places(NamedTuple):
    """The scores of every phrase at every row of the text, in one encoder."""

    words: list[int]
    table: Tensor
    """(phrases, words) log-likelihood ratio per code, −inf where the phrase does not fit"""


def scores(
    dictionary: Dictionary, encoder: Encoder, cond: Tensor, rows: Rows, known: Sequence[Found] | None = None
) -> Places:
    """Score every phrase at every place.

    Args:
        dictionary: what was learnt.
        encoder: in whose rows.
        cond: (L, width)
        rows: whose rows are whose.
        known: phrases found before, whose company the second look decodes in; None at the first look.
    """
    part, own = dictionary.parts[encoder.name], rows.of(encoder)
    text = text_of(dictionary, encoder, cond, rows)
    words, codes = text.words, _codes(part, encoder, cond[text.words])
    whitener = part.whiten_slot if known is None else part.whiten_residual
    anything = ((codes - part.mean_code) @ part.whiten_tokens).square().sum(1)
    anything += 2 * (whitener.diagonal().log().sum() - part.whiten_tokens.diagonal().log().sum())
    count, n = len(dictionary.table.phrases), len(codes)
    lengths = part.slot_tokens[:count]
    move = torch.zeros(count, 1, codes.shape[1])
    if known is not None:
        labels = _contexts(dictionary, encoder, own, words, known) - part.mean_context[:count, None]
        move = labels @ ((part.group_effects[part.slot_groups] + part.slot_effects)[:count] @ whitener)
    room = part.slot_codes.shape[1]
    nothing = weights.empty_prompt(dictionary, encoder, own, words)
    base = F.pad(nothing @ whitener, (0, 0, 0, room))
    u, anything = F.pad(codes @ whitener, (0, 0, 0, room)) - base, F.pad(anything, (0, room))
    products, text_score = torch.zeros(3, count, n), torch.zeros(count, n)
    for token in range(room):
        here = u[token : token + n]
        wanted = (part.slot_codes[:count, token] @ whitener)[:, None] + move - base[token : token + n]
        three = torch.stack([here.square().sum(1).expand(count, n), (wanted * here).sum(2), wanted.square().sum(2)])
        products += torch.where(lengths[:, None] > token, three, 0)
        text_score += torch.where(lengths[:, None] > token, anything[token : token + n], 0)
    off = weights.profile(*products, numbers=(lengths * codes.shape[1])[:, None], weighted=dictionary.family.weighted)
    fits = _fits(encoder, own, text, lengths)
    score = 0.5 * (text_score - off) / codes.shape[1]  # per code: comparable between widths
    return Places(words, torch.where(fits, score, -torch.inf))


def _contexts(
    dictionary: Dictionary, encoder: Encoder, own: range, words: Sequence[int], known: Sequence[Found]
) -> Tensor:
    """Return the context (phrases, words, K) that each phrase would have at each place: what other categories say."""
    table = dictionary.table
    where = torch.tensor(words, dtype=torch.int64)
    said = torch.zeros(len(words), len(table))
    for one in known:
        said[encoder.layout.hears(own, where, one.rows[-1]), table.phrases[one.phrase].concept] = 1
    category = torch.tensor(table.category_of)
    other = category[None] != category[[phrase.concept for phrase in table.phrases]][:, None]
    return said[None] * other[:, None]


def end_row(tail: Tensor) -> int:
    """Return the row that is best explained as the end of the text, given (rows, 2) scores; their number if none is.

    Scores are log-likelihood ratios against text, so rows before the end count nothing. Each row behind it is a pad or,
    rarely, a row that an edit wrote.
    """
    end, pad = tail.T
    rows = torch.logaddexp(pad, pad.new_tensor(math.log(WRITTEN)))
    behind = rows.flip(0).cumsum(0).flip(0) - rows
    return int(torch.cat([end + behind, end.new_zeros(1)]).argmax())


def role_scores(dictionary: Dictionary, part: Part, codes: Tensor) -> Tensor:
    """Return log-likelihood ratios (rows, 2) of codes (rows, r) being the end, and being a pad, rather than text.

    Where a template stands behind the prompt, all its rows together are the end, which is where they begin.
    """
    text = ((codes - part.mean_code) @ part.whiten_tokens).square().sum(1)
    base = part.whiten_slot.diagonal().log().sum() - part.whiten_tokens.diagonal().log().sum()
    found = torch.full((len(codes), 2), -torch.inf)
    for column, roles in enumerate((("end", "after"), ("pad",))):
        slots = [dictionary.role(role) for role in roles if role in dictionary.family.roles]
        learnt = [slot for slot in slots if int(part.slot_tokens[slot])]
        if learnt:
            found[:, column] = 0
            for token in range(int(part.slot_tokens[learnt[0]])):
                off = ((codes[token:] - part.slot_codes[learnt[0], token]) @ part.whiten_slot).square().sum(1)
                found[: len(off), column] += (text[token:] - off) / 2 + base
                found[len(off) :, column] = -torch.inf
    return found


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


def text_of(dictionary: Dictionary, encoder: Encoder, cond: Tensor, rows: Rows) -> Text:
    """Tell words from starts, ends, pads and the rows of a template.

    Args:
        dictionary: what was learnt.
        encoder: in whose rows.
        cond: (L, width)
        rows: whose rows are whose.
    """
    part, own, layout = dictionary.parts[encoder.name], rows.of(encoder), encoder.layout
    if not layout.has_pads:  # the rows say by their number where the text ends
        end = own.stop - layout.tail
        words = list(range(own.start + layout.lead, end))
        return Text(end, words, -torch.ones(len(words)))
    roles = role_scores(dictionary, part, _codes(part, encoder, cond[own.start : own.stop]))
    parts = layout.parts(own)
    ends = [max(end_row(some), layout.lead) for some in roles.split([len(one) for one in parts])]
    inner = tuple(one[min(end, len(one) - 1)] for one, end in zip(parts[:-1], ends[:-1], strict=True))
    end = parts[-1].start + ends[-1]
    first = end + max(layout.tail, 1)  # the row behind the end, where pads begin
    pad, near = roles[first - own.start :, 1], part.slot_codes.shape[1]  # tokens of a phrase, alone, may look like pads
    behind = torch.tensor([i for i in range(len(pad)) if bool((pad[max(0, i - near + 1) : i + near] < 0).any())]).long()
    stops = zip(parts, (*inner, end), strict=True)
    before = [row for one, stop in stops for row in range(one.start + layout.lead, stop)]
    return Text(
        end,
        before + [first + i for i in behind.tolist()],
        torch.cat([-torch.ones(len(before)), pad[behind]]),
        inner,
    )


def _fits(encoder: Encoder, own: range, text: Text, lengths: Tensor) -> Tensor:
    """Tell (phrases, words) whether a phrase can begin at a word: as many words follow, and they are no pads.

    Words follow one another across the end and the start of two chunks, but not across the end of the text.
    """
    number = encoder.layout.number(own, torch.tensor(text.words, dtype=torch.int64))
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
    cuts = dictionary.parts[encoder.name].thresholds
    first = float(cuts[0]) if wanted is None else torch.finfo().min  # what is wanted is judged by the second look
    known = pick(dictionary, encoder, scores(dictionary, encoder, cond, rows), wanted, first)
    return pick(dictionary, encoder, scores(dictionary, encoder, cond, rows, known), wanted, float(cuts[1]))


def pick(
    dictionary: Dictionary, encoder: Encoder, places: Places, wanted: list[int] | None, threshold: float
) -> list[Found]:
    """Take the best place again and again, never two on one row.

    Args:
        dictionary: what was learnt.
        encoder: whose places these are.
        places: scores of all phrases.
        wanted: phrases to find, one entry for each time; None for any.
        threshold: least score.
    """
    words, lengths = places.words, dictionary.parts[encoder.name].slot_tokens[: len(places.table)]
    left, legal = None if wanted is None else Counter(wanted), places.table >= threshold
    if left is not None:
        # A phrase cut by the border of two parts is heard without its beginning: the leading encoder's word is enough.
        asked = torch.tensor([phrase in left for phrase in range(len(legal))])
        legal = (legal | _crossing(words, lengths)) & asked[:, None]
    table = torch.where(legal, places.table, -torch.inf)
    found: list[Found] = []
    while table.numel() and bool(table.max() > -torch.inf):
        phrase, place = divmod(int(table.argmax()), table.shape[1])
        score, length = float(table[phrase, place]), int(lengths[phrase])
        found.append(Found(phrase, tuple(words[place : place + length]), score))
        _block(lengths, table, place, length)
        if left is not None:
            left[phrase] -= 1
            if not left[phrase]:
                table[phrase] = -torch.inf
    return sorted(found, key=lambda one: one.rows)


def _crossing(words: Sequence[int], lengths: Tensor) -> Tensor:
    """Tell (phrases, words) whether a phrase that begins at a word has rows on both sides of a border of parts."""
    rows, first = torch.tensor(words, dtype=torch.int64), torch.arange(len(words))
    last = (first + lengths[:, None] - 1).clamp(0, max(len(words) - 1, 0))
    return rows[last] - rows >= lengths[:, None].clamp(min=1)


def _block(lengths: Tensor, table: Tensor, place: int, length: int) -> None:
    """Strike out every place of every phrase that would share a row with the phrase at ``place``."""
    starts = torch.arange(table.shape[1])
    table[(starts > place - lengths[:, None]) & (starts < place + length)] = -torch.inf


def _layout(dictionary: Dictionary, encoder: Encoder, cond: Tensor, rows: Rows, found: Sequence[Found]) -> Layout:
    text = text_of(dictionary, encoder, cond, rows)
    taken = {row for one in found for row in one.rows}
    roles = encoder.layout.roles(rows.of(encoder), (*text.inner, text.end), taken)
    return Layout(tuple(Span(one.phrase, one.rows) for one in found), roles)


def describe(dictionary: Dictionary, reading: Reading) -> str:
    """Return what was read as a sentence."""
    names = [str(dictionary.table.concepts[index]) for index in reading.concepts(dictionary)]
    return ", ".join(names) if names else "none of the dictionary's concepts"
