"""Factors on strengths: read strictly, and multiplied within the range of a strength."""

import pytest

from supsae.supsae_core.editing.edits import Clear, Keep, Scale, Swap
from supsae.supsae_core.editing.factors import MOST, multiplied, parse_factors


def test_factors_are_read_in_the_order_written():
    assert parse_factors("1, 0, .25,-0.5") == (1.0, 0.0, 0.25, -0.5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' is no number"),
        ("0, 1,", "'' is no number"),
        ("0; 1", "'0; 1' is no number"),
        ("nan", "'nan' is no number"),
        ("0, 1, 1.0", "1 stands in the list twice"),
        (", ".join(map(str, range(MOST + 1))), f"These are {MOST + 1} strengths"),
    ],
)
def test_others_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_factors(text)


def test_every_strength_is_multiplied():
    made = multiplied([Swap("hair: red", 0.8), Scale("eyes: blue", 2.0)], 0.5)
    assert made == (Swap("hair: red", 0.4), Scale("eyes: blue", 1.0))


def test_a_strength_stays_in_its_range():
    with pytest.raises(ValueError, match=r"2 times the strength of 'hair: red' is 4, outside -2 … 3"):
        multiplied([Swap("hair: red", 2.0)], 2.0)


def test_what_is_kept_has_no_strength_to_multiply():
    assert multiplied([Keep("eyes"), Clear("hat", 0.8)], 0.5) == (Keep("eyes"), Clear("hat", 0.4))
    with pytest.raises(ValueError, match=r"2 times the strength of 'hat' is 4"):
        multiplied([Keep("eyes"), Clear("hat", 2.0)], 2.0)
