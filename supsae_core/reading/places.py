"""Where each phrase may stand in one encoder's rows: a score for every place, and the best places, none on another.

Every phrase's tokens slide over the rows of the text (docs/method.md, 10). The score of a place is a log-likelihood
ratio: these tokens of this phrase, spread as the tokens of one slot are, against any tokens, spread as all tokens are.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
import torch
from einops import rearrange
from numpy.typing import NDArray
from torch import Tensor

from ..stopping import heed
from .scene import Scene, products
from .weights import WEIGHTS, inverse_weight, mismatch

MARGIN = 1e-3
"""Added to what a score may be at most, since scores are rounded to single precision."""


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


def score_places(scene: Scene, known: Sequence[Found] | None = None, only: Sequence[int] | None = None) -> Places:
    """Score phrases at every place of a scene.

    Args:
        known: phrases of a look before, in whose context the phrases are decoded; the first look knows of none.
        only: the phrases to score; None is for all.
    """
    heed()
    dictionary, (by_slot, by_residual) = scene.dictionary, scene.dictionary.looks[scene.encoder.name]
    phrases = torch.arange(len(scene.lengths)) if only is None else torch.tensor(sorted({*only}), dtype=torch.int64)
    # At the first look a slot's spread holds all that context does; at the others only what context leaves.
    seen, tokens = (scene.at_first, by_slot) if known is None else (scene.in_context, by_residual)
    concept_of = dictionary.table.phrases
    said = [(concept_of[one.phrase].concept, one.rows[-1]) for one in known or ()]
    laid = products(seen, tokens, phrases, None if known is None else scene.moves(said, phrases))
    lengths = scene.lengths[phrases]
    scores, held = _scores(scene, laid, seen.anything, lengths, tokens.codes.shape[-1]), _tokens(lengths, len(laid))
    total = torch.where(held, scores, 0).sum(0)
    weakest = torch.where(held, scores, torch.inf).amin(0)
    fits = scene.fits[phrases]
    found = total.new_full((2, len(scene.lengths), total.shape[1]), -torch.inf)
    found[:, phrases] = torch.where(fits, torch.stack([total, weakest]), -torch.inf)
    return Places(scene.text.words, *found.float())


def highest(scene: Scene, room: int) -> Tensor:
    """Return (phrases, words) no less than any look in context scores: nothing fits better than fully."""
    anything, r = scene.in_context.anything, len(scene.part.decoder)
    # Where −(v² uu − 2 v ut + tt) / 2 = 0, what is left is how badly the row is any text, and log v of its weight.
    most = 0.5 * anything / r + (math.log(1 / WEIGHTS[0]) if scene.dictionary.family.weighted else 0) + MARGIN
    at = most.unfold(0, len(most) - room, 1)[:room]
    return torch.where(_tokens(scene.lengths, room), at[:, None], 0).sum(0).float()


def _scores(scene: Scene, laid: Tensor, anything: Tensor, lengths: Tensor, r: int) -> Tensor:
    """Return log-likelihood ratios (tokens, phrases, words), per code, so that they compare between widths.

    Args:
        laid: (tokens, 3, phrases, words) as of ``products``.
        anything: (words + tokens,) how badly a row is explained as any text.
        lengths: (phrases,) tokens.
        r: code columns.
    """
    held = _tokens(lengths, len(laid))[:, None]
    uu, ut, _ = torch.where(held, laid, 0).sum(0)
    v = torch.ones_like(uu)
    if scene.dictionary.family.weighted:
        # Rows are held about the empty prompt's, from which prompt weights move them away (docs/method.md, 11).
        v = inverse_weight(uu, ut, (lengths * r)[:, None])
    off = mismatch(v, *laid.unbind(1), numbers=r)
    at = anything.unfold(0, off.shape[2], 1)[: len(laid)]
    return 0.5 * (at[:, None] - off) / r


def _tokens(lengths: Tensor, room: int) -> Tensor:
    """Tell (room, phrases, 1) which tokens phrases of some lengths have."""
    return torch.arange(room)[:, None, None] < lengths[:, None]


def pick_phrases(
    scene: Scene, places: Places, wanted: list[int] | None, threshold: float, again: float = -torch.inf
) -> list[Found]:
    """Take the best place of at least a score again and again, never two on one row.

    ``wanted`` are the phrases to find, one entry for each time; None is for any. Further places of a category take the
    score ``again``.
    """
    words, lengths, category = places.words, scene.lengths, scene.category_of
    left, legal = None if wanted is None else Counter(wanted), places.table >= threshold
    if left is not None:
        # A phrase cut by the border of two parts is heard without its beginning: the leading encoder's word is enough.
        asked = torch.tensor([phrase in left for phrase in range(len(legal))])
        legal = (legal | _crossing(words, lengths)) & rearrange(asked, "phrase -> phrase 1")
    table = torch.where(legal, places.table, -torch.inf)
    phrases = (table > -torch.inf).any(1).nonzero()[:, 0]  # few of many: the others cannot be found
    # in numpy, which takes a third of the time for so little
    left_over, own, alike = (one[phrases].numpy() for one in (table, lengths, category))
    numbers, found = phrases.tolist(), list[Found]()
    while left_over.size:
        at, place = divmod(int(left_over.argmax()), left_over.shape[1])
        score, phrase, length = float(left_over[at, place]), numbers[at], int(own[at])
        if score == -np.inf:
            break
        found.append(Found(phrase, tuple(words[place : place + length]), score))
        _block(own, left_over, place, length)
        if again > -np.inf:
            left_over[(alike == alike[at])[:, None] & (left_over < again)] = -np.inf
        if left is not None:
            left[phrase] -= 1
            if not left[phrase]:
                left_over[at] = -np.inf  # found as often as the leading encoder says it
    return sorted(found, key=lambda one: one.rows)


def pick_expected(
    scene: Scene, places: Places, found: Sequence[Found], named: Collection[int], threshold: float
) -> list[Found]:
    """Add, of every category among the concepts ``named`` of which nothing was found, its best free place."""
    table, lengths, category = places.table.clone(), scene.lengths, scene.category_of
    at = {row: place for place, row in enumerate(places.words)}
    for one in found:
        _block(lengths.numpy(), table.numpy(), at[one.rows[0]], len(one.rows))
    open_to = {scene.dictionary.table.category_of[one] for one in named} - {int(category[one.phrase]) for one in found}
    asked = torch.tensor([int(one) in open_to for one in category])
    table[~asked] = -torch.inf
    more = pick_phrases(scene, places._replace(table=table), None, threshold, torch.inf)
    return sorted([*found, *more], key=lambda one: one.rows)


def _crossing(words: Sequence[int], lengths: Tensor) -> Tensor:
    """Tell (phrases, words) whether a phrase that begins at a word has rows on both sides of a border of parts."""
    rows, first = torch.tensor(words, dtype=torch.int64), torch.arange(len(words))
    held = rearrange(lengths, "phrase -> phrase 1")
    last = (first + held - 1).clamp(0, max(len(words) - 1, 0))
    return rows[last] - rows >= held.clamp(min=1)


def _block(lengths: NDArray, table: NDArray, place: int, length: int) -> None:
    """Strike out every place of every phrase that would share a row with the phrase at ``place``, in place."""
    starts = np.arange(table.shape[1])
    table[(starts > (place - lengths)[:, None]) & (starts < place + length)] = -np.inf
