"""What one case comes to in the text encoders: how its rewrite is decoded and read, and how far the edit goes.

Letters (docs/method.md, 1): x a row, x̂ its decode in its true context, Δ the change of an edit, Δ_word that
of the rewrite.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from einops import rearrange
from torch import Tensor

from ...supsae_core.capture.captures import Encoded
from ...supsae_core.dictionary.model import POOLED, Dictionary, Part
from ...supsae_core.encoders.base import Encoder
from ...supsae_core.encoders.placing import context_of, pooled_spans
from ...supsae_core.reading.readout import Reading
from ...supsae_core.table.prompts import Pair
from ...training import calibration
from ...training.calibration import Located, known_reading, moves, read, swapped
from ..cases import Case, is_untouched


class CaseSums(NamedTuple):
    """What one case adds to the sums, squares in float64."""

    split: str
    concept: int
    """the one swapped in"""
    decoded: Mapping[str, Tensor]
    """part → (3,) squares of its rewrite's rows about their decode, the slot's mean, and the mean of all tokens"""
    moved: Mapping[str, Tensor]
    """part → (4,) ⟨Δ, Δ_word⟩, ‖Δ‖², ‖Δ_word‖², ‖Δ_word − Δ‖²; empty if the swap was refused"""
    refused: str
    """why, or empty"""
    located: list[Located]
    """of the rewrite's categories"""
    unchanged: bool
    """strength 0 returns the very same tensors"""

    def said(self) -> list[Any]:
        """Return what JSON can say, to the last bit; ``heard`` takes it back."""
        decoded, moved = ({name: one.tolist() for name, one in some.items()} for some in (self.decoded, self.moved))
        read = [list(one) for one in self.located]
        return [self.split, self.concept, decoded, moved, self.refused, read, self.unchanged]


def heard(said: Sequence[Any]) -> CaseSums:
    """Return a case's sums as another rank told them."""
    split, concept, decoded, moved, refused, read, unchanged = said
    located = [Located(*one) for one in read]
    return CaseSums(split, concept, _heard(decoded), _heard(moved), refused, located, unchanged)


def _heard(said: Mapping[str, Sequence[float]]) -> dict[str, Tensor]:
    return {name: torch.tensor(one, dtype=torch.float64) for name, one in said.items()}


def sums_of(
    dictionary: Dictionary, held_out: frozenset[Pair], split: str, case: Case, before: Encoded, after: Encoded
) -> CaseSums:
    """Judge a case's edit and its rewrite; of the split ``unseen``, only the words that hear their held-out half."""
    new, moved, refused = swapped(dictionary, before, after), {}, ""
    try:
        made, word = moves(dictionary, before, after, new)
        moved = {name: _products(made[name].double(), word[name].double()) for name in made}
    except ValueError as error:
        refused = str(error)
    return CaseSums(
        split,
        new,
        _decoded(dictionary, after, held_out if split == "unseen" else None),
        moved,
        refused,
        calibration.located(dictionary, read(dictionary, after)),
        is_untouched(dictionary, case, before.cond, before.pooled),
    )


def _products(made: Tensor, word: Tensor) -> Tensor:
    return torch.stack([(made * word).sum(), made.square().sum(), word.square().sum(), (word - made).square().sum()])


def _decoded(dictionary: Dictionary, row: Encoded, pairs: frozenset[Pair] | None) -> dict[str, Tensor]:
    reading, family, found = known_reading(dictionary, row), dictionary.family, dict[str, Tensor]()
    if family.pooled:
        said = torch.zeros(len(dictionary.table))
        spans = pooled_spans(family, reading.layouts, reading.rows)
        said[[dictionary.table.phrases[span.phrase].concept for span in spans]] = 1
        found[POOLED] = _squares(dictionary.parts[POOLED], 0, rearrange(row.pooled, "d -> 1 d"), said)
    for encoder in family.encoders:
        found[encoder.name] = _phrases(dictionary, encoder, reading, row.cond, pairs)
    return found


def _phrases(
    dictionary: Dictionary, encoder: Encoder, reading: Reading, cond: Tensor, pairs: frozenset[Pair] | None
) -> Tensor:
    total = torch.zeros(3, dtype=torch.float64)
    part, layout = dictionary.parts[encoder.name], reading.layouts[encoder.name]
    x = cond[:, encoder.first : encoder.last]
    concepts = [dictionary.table.phrases[span.phrase].concept for span in layout.spans]
    labels = context_of(dictionary.table, encoder, reading.rows, layout.spans)
    for span, concept in zip(layout.spans, concepts, strict=True):
        around = labels[span.rows[0]]
        judged = pairs is None or any(frozenset((concept, one)) in pairs for one in around.nonzero().flatten().tolist())
        if judged and int(part.slot_tokens[span.phrase]) == len(span.rows):  # else it was never captured
            total += _squares(part, span.phrase, x[list(span.rows)], around)
    return total


def _squares(part: Part, slot: int, x: Tensor, around: Tensor) -> Tensor:
    """Return (3,) squares of a slot's rows x (T, d) about their decode, the slot's mean and the mean of all tokens."""
    decoded = part.decode(torch.stack([part.code(slot, token, around) for token in range(len(x))]))
    means = part.decode(part.slot_codes[slot, : len(x)])
    return torch.stack([(x - centre).double().square().sum() for centre in (decoded, means, part.bias)])
