"""A prompt in which one phrase has a weight."""

import pytest

from supsae.portraits.text import bidirectional_row, causal_chunks

HAIR = (1 + 5, 1 + 6, 48 + 5, 48 + 6)
"""Rows of the hair behind five words: every word is one token, the causal rows begin with a start."""


@pytest.fixture(scope="session")
def weighted(learnt, said):
    """Return `weighted(hair, weight)`: its rows encoded as in ComfyUI, x = e + w (z − e), e the empty prompt's row."""
    ((empty,), _) = learnt.host._encoders.encode_ids([causal_chunks([])], [bidirectional_row([])])

    def make(hair, weight=1.0):
        row, own = (
            learnt.encoded(said("a drawing of someone with", hair, "and", "eyes: blue", "with", "hat: crown")),
            [*HAIR],
        )
        row.cond[own] = empty[own] + weight * (row.cond[own] - empty[own])
        return row

    return make
