"""Which rows of a prompt and its rewrite stand for one another, on layouts that can be written down."""

import pytest
import torch

from supsae.evaluation.text.aligned import CHANGED, PHRASES, Block, as_paired, blocks
from supsae.supsae_core.editing.apply import Edited
from supsae.supsae_core.editing.room import WrittenRows
from supsae.supsae_core.encoders.base import Encoder, Family
from supsae.supsae_core.encoders.layout import Layout, Roles, Span
from supsae.supsae_core.encoders.padded import Padded

FAMILY = Family("toy", 2, (Encoder("toy", "toy", Padded(8, start=1), 0, 2),))


def layout(*phrases):
    """Rows of ``start, phrases, one other word, end, pads``; a phrase is (number, tokens)."""
    spans, row = [], 1
    for number, tokens in phrases:
        spans.append(Span(number, tuple(range(row, row + tokens))))
        row += tokens
    return {"toy": Layout(tuple(spans), Roles((0,), (row + 1,), tuple(range(row + 2, 8)), (row,)))}


SAME = ([0, 1], [0, 1])
CASES = {
    # 0 start, 1 old, 2 kept, 3 word, 4 end, 5-7 pads; the other lies likewise
    "equal": (((0, 1), (1, 1)), ((2, 1), (1, 1)), [(0, 0), (1, 1)], [(1, 1)], [(2, 2)], [(5, 5), (6, 6), (7, 7)]),
    # the second token of the new phrase stands on the last pad; all behind it moves by one
    "longer": (((0, 1), (1, 1)), ((2, 2), (1, 1)), [(0, 0), (1, 1)], [(1, 1), (7, 2)], [(2, 3)], [(5, 6), (6, 7)]),
    # what is left of the old phrase stands for a pad of the rewrite
    "shorter": (((0, 2), (1, 1)), ((2, 1), (1, 1)), [(0, 0), (1, 1)], [(1, 1), (2, 7)], [(3, 2)], [(6, 5), (7, 6)]),
    # 0 start, 1 kept, 2 word, 3 end, 4-7 pads: the added phrase stands on the last
    "added": (((1, 1),), ((1, 1), (2, 1)), [(0, 0), (None, 1)], [(7, 2)], [(1, 1)], [(4, 5), (5, 6), (6, 7)]),
    "removed": (((0, 1), (1, 1)), ((1, 1),), [(0, None), (1, 0)], [(1, 7)], [(2, 1)], [(5, 4), (6, 5), (7, 6)]),
}


@pytest.mark.parametrize("name", CASES)
def test_rows_stand_for_one_another(name):
    one, other, mentions, *wanted = CASES[name]
    found = {block.kind: list(zip(block.here, block.there, strict=True)) for block in blocks(
        FAMILY, layout(*one), layout(*other), mentions)}  # fmt: skip
    assert [found[kind] for kind in (CHANGED, PHRASES, "pads")] == wanted
    assert sum(map(len, found.values())) == 8 and found["start"] == [(0, 0)]  # every row has one place


def test_a_distance_is_over_the_rows_of_a_kind():
    # rows 0, 1 against 1, 0 of the rewrite in column 1 alone: (1 − 5)² + (3 − 2)² = 17; in place (1 − 2)² + (3 − 5)²
    made, rewrite = torch.tensor([[9.0, 1.0], [9.0, 3.0]]), torch.tensor([[0.0, 2.0], [0.0, 5.0]])
    block = Block(CHANGED, slice(1, 2), [0, 1], [1, 0])
    assert block.off(made, rewrite) == 17 and block.in_place().off(made, rewrite) == 5


def test_inserted_words_are_found_on_the_pads_that_went_for_them():
    # 8 rows; behind row 1 a change inserted two words, behind row 3 another one: the last three pads went for them, the
    # last two for the first change
    words = {"toy": [WrittenRows(None, (2, 3)), WrittenRows(None, (6,))]}
    before = (0, 1, -1, -1, 2, 3, -1, 4)
    made = Edited(torch.arange(8.0)[:, None], None, None, [], words, before)
    assert as_paired(made)[:, 0].tolist() == [0, 1, 4, 5, 7, 6, 2, 3]
    assert as_paired(still := Edited(made.cond, None, None, [])) is still.cond
