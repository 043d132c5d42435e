"""What goes through a model together."""

import torch

from supsae.hosts.batches import alike


def test_equal_lengths_go_together():
    conds = [torch.zeros(rows, 4) for rows in (3, 2, 3, 3, 2)]
    assert list(alike(conds, 2)) == [[1, 4], [0, 2], [3]]  # two rows, then three, at most two at once


def test_nothing_goes_nowhere():
    assert list(alike([], 2)) == []
