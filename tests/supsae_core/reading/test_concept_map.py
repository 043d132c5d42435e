"""From what was heard to a mask."""

import torch

from supsae.supsae_core.reading.concept_map import enlarged, normalised


def test_maps_are_stretched_one_by_one():
    # 101 cells of 0 … 100: the 5 % and 99 % quantiles are 5 and 99
    rising = torch.arange(101.0)[None, None]
    both = normalised(torch.cat([rising, 3 * rising + 7]))
    wanted = ((rising - 5) / 94).clamp(0, 1)
    torch.testing.assert_close(both, torch.cat([wanted, wanted]))


def test_a_flat_map_is_nowhere():
    assert torch.equal(normalised(torch.full((2, 4, 4), 0.3)), torch.zeros(2, 4, 4))


def test_enlarging_keeps_the_place():
    maps = torch.zeros(1, 4, 4)
    maps[0, 1, 2] = 1
    made = enlarged(maps, 40, 80)
    assert made.shape == (1, 40, 80)
    # cell (1, 2) covers rows 10 … 19 and columns 40 … 59; its middle is the maximum
    row, column = divmod(int(made.argmax()), 80)
    assert 13 <= row <= 16 and 47 <= column <= 52 and bool((made[0, :, :20] == 0).all())
