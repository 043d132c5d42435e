"""Factors on strengths: read strictly, and multiplied within the range of a strength."""

import pytest

from supsae.supsae_core.editing.edits import Clear, Keep, Scale, Swap
from supsae.supsae_core.editing.factors import MOST, MOST_FRAMES, multiplied, parse_factors


def test_factors_are_read_in_the_order_written():
    assert parse_factors("1, 0, .25,-0.5") == (1.0, 0.0, 0.25, -0.5)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("0 to 1 in 5", (0, 0.25, 0.5, 0.75, 1)),
        ("1.5 to -0.5  in 3", (1.5, 0.5, -0.5)),
        (" 0 to 1 in 2 ", (0, 1)),
        ("0 TO 1 In 2", (0, 1)),
    ],
)
def test_from_here_to_here(text, wanted):
    assert parse_factors(text) == wanted


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' is no number"),
        ("0, 1,", "'' is no number"),
        ("0; 1", "'0; 1' is no number"),
        ("nan", "'nan' is no number"),
        ("0 to x in 3", "'x' is no number"),
        ("0 to 1 in 1", "From 0 to 1 in '1' pictures cannot be made"),
        ("0 to 1 in 2.5", "a number from 2 to 120"),
        (f"0 to 1 in {MOST_FRAMES + 1}", "a number from 2 to 120"),
        ("1 to 1 in 3", "two different strengths"),
        ("0 to 1e-9 in 3", "two different strengths"),
        ("0 to 1 in " + "9" * 1900, "9...9+' pictures cannot be made"),
        ("x" * 2000, "x...x+' is no number"),
        ("a to " * 100_000, "The list of strengths has 500000 letters"),
        ("0, 1, 1.0", "1 stands in the list twice"),
        (", ".join(map(str, range(MOST + 1))), f"These are {MOST + 1} strengths"),
    ],
)
def test_others_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_factors(text)


def test_every_strength_is_multiplied_and_what_is_kept_has_none():
    edits = [Swap("hair: red", 0.8), Scale("eyes: blue", 2.0), Clear("hat", 0.8), Keep("clothing")]
    wanted = (Swap("hair: red", 0.4), Scale("eyes: blue", 1.0), Clear("hat", 0.4), Keep("clothing"))
    assert multiplied(edits, 0.5) == wanted


@pytest.mark.parametrize(("edit", "name"), [(Swap("hair: red", 2.0), "hair: red"), (Clear("hat", 2.0), "hat")])
def test_a_strength_stays_in_its_range(edit, name):
    with pytest.raises(ValueError, match=f"2 times the strength of '{name}' is 4, outside -2 … 3"):
        multiplied([Keep("eyes"), edit], 2.0)
