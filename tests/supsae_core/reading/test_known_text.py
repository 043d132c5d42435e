"""Where the words of a known text stand, with marks that are one token each and marks that are not."""

import pytest

from supsae.supsae_core.encoders.base import Encoder, Rows
from supsae.supsae_core.encoders.padded import Padded
from supsae.supsae_core.reading.known_text import KnownText

T5 = Encoder("t5", "t5", Padded(), 0, 4)
WORDS = ("with", "green", "eyes,", "smiling")
MARKS = {
    # rows: with, green, eyes, the comma, smiling
    "one token": ((1, 1, 2, 1), {}, (1, 2), (4,)),
    # behind "(green eyes:1.3)" the comma is spelled by itself, a blank's token before it: one row more
    "two tokens": ((1, 1, 3, 1), {"t5": {2: 2}}, (1, 2), (5,)),
}


@pytest.mark.parametrize("kind", MARKS)
def test_a_phrase_ends_before_its_marks(kind):
    counts, marks, phrase, behind = MARKS[kind]
    text, rows = KnownText(WORDS, {"t5": counts}, marks=marks), Rows({"t5": range(sum(counts) + 1)}, sum(counts) + 1)
    assert text.rows(T5, rows, text.find("green eyes")) == phrase
    assert text.rows(T5, rows, text.find("smiling")) == behind
    assert text.ends_in(T5, rows) == sum(counts)
