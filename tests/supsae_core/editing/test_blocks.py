"""Numbers of blocks as a text."""

import pytest

from supsae.supsae_core.editing.blocks import parse_blocks


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("all", (0, 1, 2, 3, 4, 5)),
        (" All ", (0, 1, 2, 3, 4, 5)),
        ("3", (3,)),
        ("5, 0-2, 1", (0, 1, 2, 5)),
        ("0 - 1,4-4", (0, 1, 4)),
    ],
)
def test_blocks_are_read(text, blocks):
    assert parse_blocks(text, 6) == blocks


@pytest.mark.parametrize("text", ["", "6", "0-6", "2-1", "-1", "0,", "a", "1.5", "0 1"])
def test_others_are_refused_with_the_blocks_there_are(text):
    with pytest.raises(ValueError, match=r"This model has the blocks 0 … 5: write 'all'"):
        parse_blocks(text, 6)
