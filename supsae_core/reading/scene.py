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
from einops import einsum, rearrange, reduce
from torch import Tensor
from torch.nn import functional as F

from ..dictionary.model import Dictionary, Part, Whitened
from ..encoders.base import Encoder, Rows
from .coded import CodedRows
from .text_end import Text, codes_of, text_of


class SeenWords(NamedTuple):
    """The words of a text in r whitened code columns, float64, and as many zeros behind them as a phrase has tokens."""

    rows: Tensor
    """(words + T, r) about the empty prompt's"""
    empty: Tensor
    """(words + T, r) the empty prompt's in their places"""
    anything: Tensor
    """(words + T,) how badly a row is explained as any text"""


class ContextMoves(NamedTuple):
    """What the context of every place adds to every phrase, by the k concepts that are present."""

    where: Tensor
    """(words, k) 1 where a word hears the concept"""
    counts: Tensor
    """(phrases, k) 1 where the concept is of another category than the phrase"""
    effects: Tensor
    """(phrases, k, r) whitened, float32: they are small against the tokens that they move"""


@dataclass(frozen=True)
class Scene:
    """An encoder's rows of a conditioning (L, width)."""

    dictionary: Dictionary
    encoder: Encoder
    cond: Tensor
    rows: Rows

    @property
    def part(self) -> Part:
        return self.dictionary.parts[self.encoder.name]

    @property
    def own(self) -> range:
        return self.rows.of(self.encoder)

    @cached_property
    def codes(self) -> Tensor:
        """(rows, r) of the encoder's own rows."""
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
        table = self.dictionary.table
        return torch.tensor([table.category_of[phrase.concept] for phrase in table.phrases])

    @cached_property
    def at_first(self) -> SeenWords:
        """As the first look sees it, which knows of no context: a slot's spread holds all that context does."""
        return self._seen(self.part.whiten_slot)

    @cached_property
    def in_context(self) -> SeenWords:
        """As other looks see it: a slot's spread is what context leaves."""
        return self._seen(self.part.whiten_residual)

    @cached_property
    def _words(self) -> tuple[Tensor, Tensor]:
        """(words, r) codes, and the empty prompt's in their places."""
        words = self.text.words
        empty = CodedRows(self.dictionary, self.encoder, self.rows, self.part).empty(words)
        return self.codes[torch.tensor(words, dtype=torch.int64) - self.own.start], empty

    def _seen(self, whitener: Tensor) -> SeenWords:
        room = self.part.slot_codes.shape[1]
        codes, empty = ((one @ whitener).double() for one in self._words)
        anything = _as_any_text(self.part, self._words[0], whitener).double()
        rows = F.pad(codes - empty, (0, 0, 0, room))
        return SeenWords(rows, F.pad(empty, (0, 0, 0, room)), F.pad(anything, (0, room)))

    def moves(self, said: Sequence[tuple[int, int]], phrases: Tensor) -> ContextMoves:
        """Return what context adds to some phrases, given (concept, last row) of everything that is said."""
        table, part = self.dictionary.table, self.part
        concepts = torch.tensor(sorted({concept for concept, _ in said}), dtype=torch.int64)
        where = torch.zeros(len(self.text.words), len(concepts))
        words = torch.tensor(self.text.words, dtype=torch.int64)
        for concept, last in said:
            column = int((concepts == concept).nonzero())
            where[self.encoder.layout.hears(self.own, words, last), column] = 1
        categories = torch.tensor(table.category_of)[concepts]
        counts = (categories != rearrange(self.category_of[phrases], "phrase -> phrase 1")).float()
        return ContextMoves(where, counts, part.effects(phrases, concepts) @ part.whiten_residual)


def _as_any_text(part: Part, codes: Tensor, whitener: Tensor) -> Tensor:
    """Return how badly each of the codes (words, r) is explained as any text, up to what a phrase's spread adds.

    ‖z − μ‖² of all tokens of concepts, and the difference of both log-determinants, which the whiteners' diagonals are.
    """
    distance = reduce(((codes - part.mean_code) @ part.whiten_tokens).square(), "word code -> word", "sum")
    return distance + 2 * (whitener.diagonal().log().sum() - part.whiten_tokens.diagonal().log().sum())


def products(seen: SeenWords, tokens: Whitened, phrases: Tensor, moves: ContextMoves | None) -> Tensor:
    """Return what a score is made of, token by token of some phrases, laid at every place.

    Args:
        tokens: of all slots.
        phrases: (P,) the slots to lay.
        moves: what context adds to them; None for nothing.

    Returns:
        ‖u‖², u · t and ‖t‖² (T, 3, P, words) of rows u and tokens t about the empty prompt. At the last words they lack
        the tokens that would stand behind the text.
    """
    t = tokens.codes[phrases] if moves is None else tokens.in_context[phrases]
    room, n = t.shape[1], len(seen.rows) - t.shape[1]
    uu, ue, ee = (reduce(a * b, "w r -> w", "sum") for a, b in _pairs(seen.rows, seen.empty))
    ut, et = (einsum(one, t, "w r, p t r -> t p w") for one in (seen.rows, seen.empty))
    tt = rearrange(reduce(t.square(), "p t r -> p t", "sum"), "p t -> t p 1")
    added = None if moves is None else _added(seen, t, moves)
    made = torch.empty(room, 3, len(phrases), n, dtype=torch.float64)
    for token in range(room):
        here = slice(token, token + n)
        made[token, 0] = uu[here]
        made[token, 1] = ut[token, :, here] - ue[here]
        made[token, 2] = tt[token] - 2 * et[token, :, here] + ee[here]
        if added is not None:
            made[token, 1:] += added[token]
    return made


def _pairs(u: Tensor, e: Tensor) -> tuple[tuple[Tensor, Tensor], ...]:
    return (u, u), (u, e), (e, e)


def _added(seen: SeenWords, t: Tensor, moves: ContextMoves) -> Tensor:
    """Return what moves add to u · t and ‖t‖² (T, 2, P, words) of tokens t (P, T, r)."""
    room, n = t.shape[1], len(moves.where)
    t, rows, empty = t.float(), seen.rows.float(), seen.empty.float()
    heard = einsum(moves.where, moves.counts, "w k, p k -> p w k")
    u, e = (einsum(one, moves.effects, "w r, p k r -> p w k") for one in (rows, empty))
    along = einsum(t, moves.effects, "p t r, p k r -> p t k")
    among = einsum(moves.effects, moves.effects, "p k r, p l r -> p k l")
    own = reduce(heard * (heard @ among), "p w k -> p w", "sum")
    made = torch.empty(room, 2, len(t), n)
    for token in range(room):
        here = slice(token, token + n)
        made[token, 0] = reduce(heard * u[:, here], "p w k -> p w", "sum")
        step = rearrange(along[:, token], "p k -> p 1 k") - e[:, here]
        made[token, 1] = own + 2 * reduce(heard * step, "p w k -> p w", "sum")
    return made
