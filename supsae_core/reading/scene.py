"""One encoder's rows of one conditioning, looked at again and again: what all looks share is made once.

A look compares every phrase's tokens t with rows x, both about the empty prompt's row e at the place: u = x − e against
t − e, whitened. Only products of them are needed, so what context adds to a phrase's tokens is never laid out for
every place (docs/method.md, 10).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional as F

from ..dictionary.model import Dictionary, Part, Whitened
from ..encoders.base import Encoder, Rows
from ..encoders.placing import hearing
from .coded import CodedRows
from .text_end import Text, codes_of, text_of


class SeenWords(NamedTuple):
    """The words of a text in r whitened code columns, float64, and as many zeros behind them as a phrase has tokens."""

    rows: Tensor
    """(words + T, r) about the empty prompt's"""
    empty: Tensor
    """(kinds, r) the empty prompt's, of which there are few"""
    kinds: Tensor
    """(words + T,) which of them stands in each one's place"""
    squares: Tensor
    """(3, words + T) ‖u‖², u · e and ‖e‖² of rows u about the empty prompt's e"""
    anything: Tensor
    """(words + T,) how badly a row is explained as any text, up to what a phrase's spread adds"""


class PhraseTokens(NamedTuple):
    """The N tokens of P phrases, one behind the other."""

    phrases: Tensor
    """(P,) which phrases, each of a token at least"""
    lengths: Tensor
    """(P,) their tokens"""
    of: Tensor
    """(N,) the place of each token's phrase among them"""
    token: Tensor
    """(N,) which of its phrase's tokens it is"""

    @classmethod
    def some(cls, phrases: Tensor, lengths: Tensor) -> PhraseTokens:
        """Return the tokens of some phrases, given the tokens (phrases,) of all; those never captured are left out."""
        phrases = phrases[lengths[phrases] > 0]
        own = lengths[phrases]
        of = torch.arange(len(own)).repeat_interleave(own)
        return cls(phrases, own, of, torch.arange(len(of)) - (own.cumsum(0) - own)[of])


class ContextMoves(NamedTuple):
    """What the context of every place adds to every phrase, by the k concepts that are present."""

    where: Tensor
    """(words, k) 1 where a word hears the concept"""
    effects: Tensor
    """(phrases, k, r) whitened, 0 of the phrase's own category, float32: they are small against the tokens they move"""


@dataclass(frozen=True)
class Scene:
    """An encoder's rows of a conditioning (L, width)."""

    dictionary: Dictionary
    encoder: Encoder
    cond: Tensor
    rows: Rows
    known: Tensor | None = None
    """(rows, r) codes of the encoder's own rows, where they are known without reading them"""

    @property
    def part(self) -> Part:
        return self.dictionary.parts[self.encoder.name]

    @property
    def own(self) -> range:
        return self.rows.of(self.encoder)

    @cached_property
    def codes(self) -> Tensor:
        """(rows, r) of the encoder's own rows."""
        if self.known is not None and len(self.known) == len(self.own):
            return self.known
        return codes_of(self.part, self.encoder, self.cond[self.own.start : self.own.stop])

    @cached_property
    def text(self) -> Text:
        """Where the text stands."""
        return text_of(self.dictionary, self.encoder, self.codes, self.own)

    @cached_property
    def lengths(self) -> Tensor:
        """(phrases,) tokens."""
        return self.part.slot_tokens[: len(self.dictionary.table.phrases)]

    @cached_property
    def category_of(self) -> Tensor:
        """(phrases,) the category of every phrase."""
        return self.dictionary.categories[1]

    @cached_property
    def words(self) -> Tensor:
        """(words,) their rows."""
        return torch.tensor(self.text.words, dtype=torch.int64)

    @cached_property
    def fits(self) -> Tensor:
        """(phrases, words) where a phrase can begin."""
        return fits_of(self.encoder, self.own, self.text, self.lengths)

    @cached_property
    def at_first(self) -> SeenWords:
        """As the first look sees it, which knows of no context: a slot's spread holds all that context does."""
        return self._seen(self.part.whiten_slot)

    @cached_property
    def in_context(self) -> SeenWords:
        """As other looks see it: a slot's spread is what context leaves."""
        return self._seen(self.part.whiten_residual)

    @cached_property
    def tokens(self) -> PhraseTokens:
        """Of all phrases."""
        return PhraseTokens.some(torch.arange(len(self.lengths)), self.lengths)

    @cached_property
    def _words(self) -> tuple[Tensor, Tensor, Tensor]:
        """(words, r) codes, the empty prompt's (kinds, r), and which of these (words,) stands in each one's place."""
        empty, kinds = CodedRows(self.dictionary, self.encoder, self.rows, self.part).empty_kinds(self.text.words)
        return self.codes[self.words - self.own.start], empty, kinds

    @cached_property
    def _as_any_text(self) -> Tensor:
        """(words,) how badly a row is explained as any text: −2 log of a density, up to a constant.

        As a token of a concept, spread as all of them are about their mean, or as a word of none (``Cuts.other``),
        whichever is better: of few concepts alike the first is narrow, and most words of other things are far off it.
        """
        part, codes, dictionary = self.part, self._words[0], self.dictionary
        known = _off(codes - part.mean_code, part.whiten_tokens)
        if part.cuts.other < 0 or "other" not in dictionary.family.roles:
            return known
        slot = dictionary.role("other")
        if not int(part.slot_tokens[slot]):
            return known
        other = _off(codes - part.slot_codes[slot, 0], part.whiten_slot)
        return torch.minimum(known, other + part.cuts.other * len(part.decoder))

    def _seen(self, whitener: Tensor) -> SeenWords:
        room, (codes, empty, kinds) = self.part.slot_codes.shape[1], self._words
        codes, empty = ((one @ whitener).double() for one in (codes, empty))
        anything = (self._as_any_text + 2 * whitener.diagonal().log().sum()).double()
        u = F.pad(codes - empty[kinds], (0, 0, 0, room))
        empty, kinds = F.pad(empty, (0, 0, 0, 1)), F.pad(kinds, (0, room), value=len(empty))
        e = empty[kinds]
        squares = torch.stack([(a * b).sum(1) for a, b in ((u, u), (u, e), (e, e))])
        return SeenWords(u, empty, kinds, squares, F.pad(anything, (0, room)))

    def moves(self, said: Sequence[tuple[int, int]], phrases: Tensor) -> ContextMoves:
        """Return what context adds to some phrases, given (concept, last row) of everything that is said."""
        concepts, where = hearing(self.encoder, self.own, self.words, said)
        others = self.dictionary.categories[0][concepts] != self.category_of[phrases][:, None]
        effects = self.dictionary.looking[self.encoder.name].effects(phrases, concepts)
        return ContextMoves(where, effects * rearrange(others, "phrase k -> phrase k 1"))


def _off(codes: Tensor, whitener: Tensor) -> Tensor:
    """Return how badly codes (n, r) about a mean are explained by a Gaussian: ‖·‖² and its log-determinant."""
    return (codes @ whitener).square().sum(1) - 2 * whitener.diagonal().log().sum()


def fits_of(encoder: Encoder, own: range, text: Text, lengths: Tensor) -> Tensor:
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


def products(seen: SeenWords, tokens: Whitened, laid: PhraseTokens, moves: ContextMoves | None) -> Tensor:
    """Return what a score is made of, token by token of some phrases, laid at every place.

    Args:
        tokens: of all slots.
        laid: the tokens to lay.
        moves: what context adds to them; None for nothing.

    Returns:
        ‖u‖², u · t and ‖t‖² (3, N, words) of rows u and tokens t about the empty prompt. At the last words they lack
        the tokens that would stand behind the text.
    """
    (codes, squares), room = _of_look(tokens, moves), tokens.codes.shape[1]
    own, n = laid.phrases[laid.of] * room + laid.token, len(seen.rows) - room
    t, tt = codes.flatten(0, 1).index_select(0, own), squares.flatten().index_select(0, own)
    onto = laid.token[:, None] + torch.arange(n)  # on which word each token stands if its phrase begins at a word
    uu, ue, ee = seen.squares.unfold(1, n, 1).index_select(1, laid.token)
    kinds = seen.kinds.unfold(0, n, 1).index_select(0, laid.token)
    made = torch.empty(3, *onto.shape, dtype=torch.float64)
    made[0] = uu
    made[1] = (t @ seen.rows.T).gather(1, onto) - ue
    made[2] = tt[:, None] - 2 * (t @ seen.empty.T).gather(1, kinds) + ee
    if moves is not None:
        made[1:] += _added(seen, codes[laid.phrases], laid, moves)
    return made


def _of_look(tokens: Whitened, moves: ContextMoves | None) -> tuple[Tensor, Tensor]:
    """Return the tokens (S, T, r) that a look sees, and their squares (S, T)."""
    return (tokens.codes, tokens.squares) if moves is None else (tokens.in_context, tokens.squares_in_context)


def _added(seen: SeenWords, t: Tensor, laid: PhraseTokens, moves: ContextMoves) -> Tensor:
    """Return what moves add to u · t and ‖t‖² (2, N, words), given the phrases' tokens t (P, T, r)."""
    at, effects, where = (laid.of, laid.token), moves.effects, moves.where
    (phrases, room, _), (n, k), words = t.shape, where.shape, len(seen.rows)
    u, e = ((effects @ x.float().T).mT for x in (seen.rows, seen.empty))
    # (P, T, n, k) views: each token from the word that it would stand on
    u, e = (
        one.contiguous().as_strided((phrases, room, n, k), (words * k, k, k, 1))
        for one in (u, e.index_select(1, seen.kinds))
    )
    along = (t.float() @ effects.mT)[at]
    own = ((where @ (effects @ effects.mT)) * where).sum(2)
    made = torch.empty(2, len(laid.of), n)
    made[0] = (where * u[at]).sum(2)
    made[1] = own.index_select(0, laid.of) + 2 * (where * (along[:, None] - e[at])).sum(2)
    return made
