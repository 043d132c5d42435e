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
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from ..stopping import heed
from .scene import PhraseTokens, Scene, products
from .weights import WEIGHTS, inverse_weight

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
    asked = None if only is None else torch.tensor(sorted({*only}), dtype=torch.int64)
    laid = scene.tokens if asked is None else PhraseTokens.some(asked, scene.lengths)
    # At the first look a slot's spread holds all that context does; at the others only what context leaves.
    seen, tokens = (scene.at_first, by_slot) if known is None else (scene.in_context, by_residual)
    concept_of = dictionary.table.phrases
    said = [(concept_of[one.phrase].concept, one.rows[-1]) for one in known or ()]
    found = torch.full((2, len(scene.lengths), len(scene.text.words)), -torch.inf)
    if len(laid.of):
        made = products(seen, tokens, laid, None if known is None else scene.moves(said, laid.phrases))
        scores = _scores(made, seen.anything, laid, tokens.codes.shape[-1], weighted=dictionary.family.weighted)
        found[:, laid.phrases] = torch.where(scene.fits[laid.phrases], scores.float(), -torch.inf)
    return Places(scene.text.words, *found)


def highest(scene: Scene, room: int) -> Tensor:
    """Return (phrases, words) no less than any look in context scores: nothing fits better than fully."""
    anything, r = scene.in_context.anything, len(scene.part.decoder)
    # Where −(v² uu − 2 v ut + tt) / 2 = 0, what is left is how badly the row is any text, and log v of its weight.
    most = 0.5 * anything / r + (math.log(1 / WEIGHTS[0]) if scene.dictionary.family.weighted else 0) + MARGIN
    at = most.unfold(0, len(most) - room, 1)[:room]
    return F.pad(at.cumsum(0), (0, 0, 1, 0))[scene.lengths].float()


def _scores(made: Tensor, anything: Tensor, laid: PhraseTokens, r: int, *, weighted: bool) -> Tensor:
    """Return (2, phrases, words) log-likelihood ratios per code, so that they compare between widths.

    The first are of phrases, the others those of the token that fits worst.

    Args:
        made: (3, N, words) as of ``products``.
        anything: (words + T,) how badly a row is explained as any text.
        r: code columns.
        weighted: whether prompts have weights.
    """
    uu, ut, tt = made
    at = anything.unfold(0, made.shape[2], 1).index_select(0, laid.token)
    if not weighted:
        off = at - (uu - 2 * ut + tt)
        return 0.5 * torch.stack([_summed(off, laid), _least(off, laid)]) / r
    # Rows are held about the empty prompt's, from which prompt weights move them away (docs/method.md, 11).
    held = laid.lengths[:, None] * r
    v = inverse_weight(_summed(uu, laid), _summed(ut, laid), held)
    logs, each = v.log(), v.index_select(0, laid.of)
    off = at - (each * (each * uu - 2 * ut) + tt)
    total, least = _summed(off, laid) + 2 * held * logs, _least(off, laid) + 2 * r * logs
    return 0.5 * torch.stack([total, least]) / r


def _summed(values: Tensor, laid: PhraseTokens) -> Tensor:
    """Return the sums (P, words) of values (N, words) of each phrase's tokens."""
    return values.new_zeros(len(laid.phrases), values.shape[1]).index_add_(0, laid.of, values)


def _least(values: Tensor, laid: PhraseTokens) -> Tensor:
    """Return the least (P, words) of values (N, words) of each phrase's tokens."""
    most, of = values.new_full((len(laid.phrases), values.shape[1]), torch.inf), laid.of[:, None].expand_as(values)
    return most.scatter_reduce_(0, of, values, "amin")


def pick_phrases(
    scene: Scene, places: Places, wanted: list[int] | None, threshold: float, again: float = -torch.inf
) -> list[Found]:
    """Take the best place of at least a score again and again, never two on one row.

    ``wanted`` are the phrases to find, one entry for each time; None is for any. Further places of a category take the
    score ``again``.
    """
    words, table = places.words, places.table.numpy()
    lengths, category = scene.lengths.numpy(), scene.category_of.numpy()
    left = None if wanted is None else Counter(wanted)
    some = np.arange(len(table)) if left is None else np.array(sorted(left), dtype=np.int64)
    scores, lengths = table[some], lengths[some]
    legal = scores >= threshold
    if left is not None:
        # A phrase cut by the border of two parts is heard without its beginning: the leading encoder's word is enough.
        legal |= _crossing(words, lengths)
    at, start = np.nonzero(legal & (scores > -np.inf))
    best = np.argsort(-scores[at, start], kind="stable")
    at, start = at[best], start[best]
    scores, stop, phrase, alike = scores[at, start], start + lengths[at], some[at], category[some[at]]
    free, found = np.ones(len(at), dtype=bool), list[Found]()
    while free.any():
        one = int(free.argmax())
        found.append(Found(int(phrase[one]), tuple(words[start[one] : stop[one]]), float(scores[one])))
        free &= (stop <= start[one]) | (start >= stop[one])
        if again > -np.inf:
            free &= (alike != alike[one]) | (scores >= again)
        if left is not None:
            left[found[-1].phrase] -= 1
            if not left[found[-1].phrase]:
                free &= phrase != phrase[one]  # found as often as the leading encoder says it
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


def _crossing(words: Sequence[int], lengths: NDArray) -> NDArray:
    """Tell (phrases, words) whether a phrase that begins at a word has rows on both sides of a border of parts."""
    rows, held = np.array(words, dtype=np.int64), lengths[:, None]
    last = (np.arange(len(words)) + held - 1).clip(0, max(len(words) - 1, 0))
    return rows[last] - rows >= held.clip(min=1)


def _block(lengths: NDArray, table: NDArray, place: int, length: int) -> None:
    """Strike out every place of every phrase that would share a row with the phrase at ``place``, in place."""
    starts = np.arange(table.shape[1])
    table[(starts > (place - lengths)[:, None]) & (starts < place + length)] = -np.inf
