"""Where each phrase may stand in one encoder's rows: a score for every place, and the best places, none on another.

Every phrase's tokens slide over the rows of the text (docs/method.md, 10). The score of a place is a log-likelihood
ratio: these tokens of this phrase, spread as the tokens of one slot are, against any tokens, spread as all tokens are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import NamedTuple

import torch
from einops import rearrange, reduce, repeat
from torch import Tensor
from torch.nn import functional as F

from ..dictionary.model import Dictionary, Part
from ..encoders.base import Encoder, Rows
from ..stopping import heed
from .coded import CodedRows
from .text_end import Text, codes_of, text_of
from .weights import inverse_weight, mismatch


class Found(NamedTuple):
    """One phrase read in one encoder."""

    phrase: int
    rows: tuple[int, ...]
    score: float


class Places(NamedTuple):
    """The scores of every phrase at every row of the text, in one encoder."""

    words: list[int]
    table: Tensor
    """(phrases, words) log-likelihood ratio per code, −inf where the phrase does not fit"""
    weakest: Tensor
    """(phrases, words) the part in it of the token that fits worst"""


class _Seen(NamedTuple):
    """The words of a text as a look sees them, of r code columns."""

    codes: Tensor
    """(words, r), whitened"""
    nothing: Tensor
    """(words, r), the empty prompt's in their places, whitened"""
    anything: Tensor
    """(words,) how badly a row is explained as any text"""


def score_places(
    dictionary: Dictionary, encoder: Encoder, cond: Tensor, rows: Rows, known: Sequence[Found] | None = None
) -> Places:
    """Score every phrase at every place in an encoder's rows of a conditioning (L, width).

    The second look decodes in the context of the phrases ``known`` from the first, which knows of none.
    """
    heed()
    part, own = dictionary.parts[encoder.name], rows.of(encoder)
    text = text_of(dictionary, encoder, cond, rows)
    codes, lengths = codes_of(part, encoder, cond[text.words]), part.slot_tokens[: len(dictionary.table.phrases)]
    # At the first look a slot's spread holds all that context does; at the second only what context leaves.
    whitener = part.whiten_slot if known is None else part.whiten_residual
    move = torch.zeros(len(lengths), 1, codes.shape[1])
    if known is not None:
        move = _moved_by_context(part, _contexts(dictionary, encoder, own, text.words, known), whitener)
    # Rows are held about the empty prompt's, from which prompt weights move them away (docs/method.md, 11).
    nothing = CodedRows(dictionary, encoder, rows, part).empty(text.words) @ whitener
    seen = _Seen(codes @ whitener, nothing, _as_any_text(part, codes, whitener))
    products, anything = _products(part, whitener, lengths, move, seen)
    r, held = codes.shape[1], _tokens(lengths, part.slot_codes.shape[1])
    uu, ut, _ = reduce(torch.where(held, products, 0), "token sum phrase word -> sum phrase word", "sum")
    v = torch.ones_like(uu)
    if dictionary.family.weighted:
        v = inverse_weight(uu, ut, rearrange(lengths * r, "phrase -> phrase 1"))
    off = mismatch(v, *products.unbind(1), numbers=r)
    scores = 0.5 * (rearrange(anything, "token word -> token 1 word") - off) / r  # per code: comparable between widths
    fits, held = _fits(encoder, own, text, lengths), rearrange(held, "token 1 phrase 1 -> token phrase 1")
    total = reduce(torch.where(held, scores, 0), "token phrase word -> phrase word", "sum")
    weakest = reduce(torch.where(held, scores, torch.inf), "token phrase word -> phrase word", "min")
    return Places(text.words, *(torch.where(fits, one, -torch.inf) for one in (total, weakest)))


def _tokens(lengths: Tensor, room: int) -> Tensor:
    """Tell (room, 1, phrases, 1) which tokens phrases of some lengths have."""
    token = rearrange(torch.arange(room), "token -> token 1 1 1")
    return token < rearrange(lengths, "phrase -> 1 phrase 1")


def _as_any_text(part: Part, codes: Tensor, whitener: Tensor) -> Tensor:
    """Return how badly each of the codes (words, r) is explained as any text, up to what a phrase's spread adds.

    ‖z − μ‖² of all tokens of concepts, and the difference of both log-determinants, which the whiteners' diagonals are.
    """
    distance = reduce(((codes - part.mean_code) @ part.whiten_tokens).square(), "word code -> word", "sum")
    distance += 2 * (whitener.diagonal().log().sum() - part.whiten_tokens.diagonal().log().sum())
    return distance


def _moved_by_context(part: Part, contexts: Tensor, whitener: Tensor) -> Tensor:
    """Return what contexts (phrases, words, K) add to whitened codes (phrases, words, r) of the slots' mean tokens."""
    count = len(contexts)
    labels = contexts - rearrange(part.mean_context[:count], "phrase concept -> phrase 1 concept")
    return labels @ ((part.group_effects[part.slot_groups] + part.slot_effects)[:count] @ whitener)


def _products(part: Part, whitener: Tensor, lengths: Tensor, move: Tensor, seen: _Seen) -> tuple[Tensor, Tensor]:
    """Return what a score is made of, token by token of every phrase, laid at every place.

    Args:
        whitener: (r, r) of the look.
        lengths: (phrases,) tokens.
        move: (phrases, words or 1, r) what context adds to the phrases' tokens, whitened.

    Returns:
        ‖u‖², u · t and ‖t‖² (tokens, 3, phrases, words) of rows u and tokens t about the empty prompt, and ``anything``
        (tokens, words). At the last words they lack the tokens that would stand behind the text.
    """
    count, n, room = len(lengths), len(seen.codes), part.slot_codes.shape[1]
    base = F.pad(seen.nothing, (0, 0, 0, room))  # so that every token has a row at every place
    u, anything = F.pad(seen.codes, (0, 0, 0, room)) - base, F.pad(seen.anything, (0, room))
    products = torch.zeros(room, 3, count, n)
    for token in range(room):
        here = u[token : token + n]
        mean = rearrange(part.slot_codes[:count, token] @ whitener, "phrase code -> phrase 1 code")
        wanted = mean + move - base[token : token + n]
        uu = repeat(reduce(here.square(), "word code -> word", "sum"), "word -> phrase word", phrase=count)
        ut, tt = (reduce(one, "phrase word code -> phrase word", "sum") for one in (wanted * here, wanted.square()))
        products[token] = torch.stack([uu, ut, tt])
    return products, torch.stack([anything[token : token + n] for token in range(room)])


def _contexts(
    dictionary: Dictionary, encoder: Encoder, own: range, words: Sequence[int], known: Sequence[Found]
) -> Tensor:
    """Return the context (phrases, words, K) that each phrase would have at each place: what other categories say."""
    table = dictionary.table
    where = torch.tensor(words, dtype=torch.int64)
    said = torch.zeros(len(words), len(table))
    for one in known:
        said[encoder.layout.hears(own, where, one.rows[-1]), table.phrases[one.phrase].concept] = 1
    other = torch.tensor(table.category_of) != rearrange(_categories(dictionary), "phrase -> phrase 1")
    return said * rearrange(other, "phrase concept -> phrase 1 concept")


def _fits(encoder: Encoder, own: range, text: Text, lengths: Tensor) -> Tensor:
    """Tell (phrases, words) whether a phrase can begin at a word: as many words follow, and they are no pads.

    Words follow one another across the end and the start of two chunks, but not across the end of the text.
    """
    number = encoder.layout.number(own, torch.tensor(text.words, dtype=torch.int64))
    first, held = torch.arange(len(number)), rearrange(lengths, "phrase -> phrase 1")
    last = first + held - 1
    inside = (last < len(number)) & (held > 0)
    last = last.clamp(0, max(len(number) - 1, 0))
    pad = torch.cat([torch.zeros(1), text.pad.cumsum(0)])  # differences of it are sums over neighbouring words
    return inside & (number[last] - number == last - first) & (pad[last + 1] - pad[first] < 0)


def pick_phrases(
    dictionary: Dictionary, encoder: Encoder, places: Places, wanted: list[int] | None, threshold: float,
    again: float = -torch.inf,
) -> list[Found]:  # fmt: skip
    """Take the best place of at least a score again and again, never two on one row.

    ``wanted`` are the phrases to find, one entry for each time; None is for any. Further places of a category take the
    score ``again``.
    """
    words, lengths = places.words, dictionary.parts[encoder.name].slot_tokens[: len(places.table)]
    left, legal = None if wanted is None else Counter(wanted), places.table >= threshold
    if left is not None:
        # A phrase cut by the border of two parts is heard without its beginning: the leading encoder's word is enough.
        asked = torch.tensor([phrase in left for phrase in range(len(legal))])
        legal = (legal | _crossing(words, lengths)) & rearrange(asked, "phrase -> phrase 1")
    table = torch.where(legal, places.table, -torch.inf)
    found: list[Found] = []
    category = _categories(dictionary)
    while table.numel() and bool(table.max() > -torch.inf):
        phrase, place = divmod(int(table.argmax()), table.shape[1])
        score, length = float(table[phrase, place]), int(lengths[phrase])
        found.append(Found(phrase, tuple(words[place : place + length]), score))
        _block(lengths, table, place, length)
        alike = rearrange(category == category[phrase], "phrase -> phrase 1")
        table[alike & (table < again)] = -torch.inf
        if left is not None:
            left[phrase] -= 1
            if not left[phrase]:
                table[phrase] = -torch.inf  # found as often as the leading encoder says it
    return sorted(found, key=lambda one: one.rows)


def pick_expected(
    dictionary: Dictionary, encoder: Encoder, places: Places, found: Sequence[Found], named: Collection[int],
    threshold: float,
) -> list[Found]:  # fmt: skip
    """Add, of every category among the concepts ``named`` of which nothing was found, its best free place."""
    table, lengths = places.table.clone(), dictionary.parts[encoder.name].slot_tokens[: len(places.table)]
    at = {row: place for place, row in enumerate(places.words)}
    for one in found:
        _block(lengths, table, at[one.rows[0]], len(one.rows))
    category = _categories(dictionary)
    open_to = {dictionary.table.category_of[one] for one in named} - {int(category[one.phrase]) for one in found}
    asked = torch.tensor([int(one) in open_to for one in category])
    table[~asked] = -torch.inf
    more = pick_phrases(dictionary, encoder, places._replace(table=table), None, threshold, torch.inf)
    return sorted([*found, *more], key=lambda one: one.rows)


def _categories(dictionary: Dictionary) -> Tensor:
    """Return (phrases,) the category of every phrase."""
    table = dictionary.table
    return torch.tensor([table.category_of[phrase.concept] for phrase in table.phrases])


def _crossing(words: Sequence[int], lengths: Tensor) -> Tensor:
    """Tell (phrases, words) whether a phrase that begins at a word has rows on both sides of a border of parts."""
    rows, first = torch.tensor(words, dtype=torch.int64), torch.arange(len(words))
    held = rearrange(lengths, "phrase -> phrase 1")
    last = (first + held - 1).clamp(0, max(len(words) - 1, 0))
    return rows[last] - rows >= held.clamp(min=1)


def _block(lengths: Tensor, table: Tensor, place: int, length: int) -> None:
    """Strike out every place of every phrase that would share a row with the phrase at ``place``."""
    starts = torch.arange(table.shape[1])
    before = place - rearrange(lengths, "phrase -> phrase 1")
    table[(starts > before) & (starts < place + length)] = -torch.inf
