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
from einops import rearrange, reduce
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
    """(words + T,) how badly a row is explained as any text, up to what a phrase's spread adds"""


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
    def _words(self) -> tuple[Tensor, Tensor]:
        """(words, r) codes, and the empty prompt's in their places."""
        words = self.text.words
        empty = CodedRows(self.dictionary, self.encoder, self.rows, self.part).empty(words)
        return self.codes[torch.tensor(words, dtype=torch.int64) - self.own.start], empty

    @cached_property
    def _among_all(self) -> Tensor:
        """(words,) ‖z − μ‖² of all tokens of concepts: how badly a row is explained as any text, up to a volume."""
        off = (self._words[0] - self.part.mean_code) @ self.part.whiten_tokens
        return reduce(off.square(), "word code -> word", "sum")

    def _seen(self, whitener: Tensor) -> SeenWords:
        room = self.part.slot_codes.shape[1]
        codes, empty = ((one @ whitener).double() for one in self._words)
        part = self.part
        # and the difference of both log-determinants, which the whiteners' diagonals are
        volume = 2 * (whitener.diagonal().log().sum() - part.whiten_tokens.diagonal().log().sum())
        anything = (self._among_all + volume).double()
        rows = F.pad(codes - empty, (0, 0, 0, room))
        return SeenWords(rows, F.pad(empty, (0, 0, 0, room)), F.pad(anything, (0, room)))

    def moves(self, said: Sequence[tuple[int, int]], phrases: Tensor) -> ContextMoves:
        """Return what context adds to some phrases, given (concept, last row) of everything that is said."""
        table, part = self.dictionary.table, self.part
        concepts = torch.tensor(sorted({concept for concept, _ in said}), dtype=torch.int64)
        where = torch.zeros(len(self.text.words), len(concepts))
        words = torch.tensor(self.text.words, dtype=torch.int64)
        columns = {concept: column for column, concept in enumerate(concepts.tolist())}
        for concept, last in said:
            where[self.encoder.layout.hears(self.own, words, last), columns[concept]] = 1
        categories = torch.tensor(table.category_of)[concepts]
        counts = (categories != rearrange(self.category_of[phrases], "phrase -> phrase 1")).float()
        return ContextMoves(where, counts, part.effects(phrases, concepts) @ part.whiten_residual)


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
    t, tt = (one[phrases] for one in _of_look(tokens, moves))
    room, n = t.shape[1], len(seen.rows) - t.shape[1]
    uu, ue, ee = ((a * b).sum(1).unfold(0, n, 1)[:room] for a, b in _pairs(seen.rows, seen.empty))
    ut, et = (_from_its_word((t.flatten(0, 1) @ one.T).unflatten(0, t.shape[:2]), n) for one in (seen.rows, seen.empty))
    made = torch.empty(room, 3, len(phrases), n, dtype=torch.float64)
    made[:, 0] = uu[:, None]
    made[:, 1] = ut - ue[:, None]
    made[:, 2] = tt.T[:, :, None] - 2 * et + ee[:, None]
    if moves is not None:
        made[:, 1:] += _added(seen, t, moves)
    return made


def _of_look(tokens: Whitened, moves: ContextMoves | None) -> tuple[Tensor, Tensor]:
    """Return the tokens (S, T, r) that a look sees, and their squares (S, T)."""
    return (tokens.codes, tokens.squares) if moves is None else (tokens.in_context, tokens.squares_in_context)


def _from_its_word(x: Tensor, n: int) -> Tensor:
    """Return x (P, T, words) as a view (T, P, n): of a place what each token says of the row that it would stand on."""
    (phrases, room, words), x = x.shape, x.contiguous()
    return x.as_strided((room, phrases, n), (words + 1, room * words, 1))


def _pairs(u: Tensor, e: Tensor) -> tuple[tuple[Tensor, Tensor], ...]:
    return (u, u), (u, e), (e, e)


def _added(seen: SeenWords, t: Tensor, moves: ContextMoves) -> Tensor:
    """Return what moves add to u · t and ‖t‖² (T, 2, P, words) of tokens t (P, T, r)."""
    (phrases, room, _), (n, k) = t.shape, moves.where.shape
    t, rows, empty = t.float(), seen.rows.float(), seen.empty.float()
    heard = moves.where * moves.counts[:, None]
    words = len(rows)
    u, e = ((moves.effects.flatten(0, 1) @ x.T).view(phrases, k, words).mT.contiguous() for x in (rows, empty))
    along = t @ moves.effects.mT
    among = moves.effects @ moves.effects.mT
    own = (heard * (heard @ among)).sum(2)
    # (T, P, words, k) views: each token from the word that it would stand on
    u, e = (one.as_strided((room, phrases, n, k), (k, words * k, k, 1)) for one in (u, e))
    made = torch.empty(room, 2, phrases, n)
    made[:, 0] = (heard * u).sum(3)
    made[:, 1] = own + 2 * (heard * (along.transpose(0, 1)[:, :, None] - e)).sum(3)
    return made
