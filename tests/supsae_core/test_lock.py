"""The lock's rules on grids small enough to work out by hand."""

import pytest
import torch

from supsae.supsae_core import lock
from supsae.supsae_core.lock import LockConfig

PLAIN = LockConfig(floor=0.0)


def after(config, *changes, allowed=None):
    """Return the state after calls that change a reference of zeros by these (h, w) grids, in one channel."""
    calls = [torch.tensor(change, dtype=torch.float32)[None, None] for change in changes]
    state = lock.start(calls[0], allowed)
    for edited in calls:
        state = lock.step(config, state, edited, torch.zeros_like(edited))
    return state


def test_changes_are_averaged_with_their_neighbours_and_parted_where_the_groups_differ_most():
    # 1 2 1 across and along; the border's own value stands for what is behind it
    middle = torch.zeros(1, 3, 3)
    middle[0, 1, 1] = 16
    assert lock.smoothed(middle).tolist() == [[[1, 2, 1], [2, 4, 2], [1, 2, 1]]]
    assert lock.smoothed(torch.tensor([[[8.0, 0.0]]])).tolist() == [[[6, 2]]]
    # 4 3 2 0, sizes × (difference of means)²: 4 | 3 2 0 gives 3 · (7/3)² = 16.3, 4 3 | 2 0 gives 4 · 2.5² = 25, and
    # 4 3 2 | 0 gives 3 · 3² = 27: between 2 and 0. 9 1 1 0 part behind the 9: 3 · 8.3² = 208 against 4 · 4.5² = 81
    assert lock.parting(torch.tensor([[4.0, 2.0, 3.0, 0.0], [1.0, 9.0, 0.0, 1.0]])).tolist() == [1.0, 5.0]


ROW = [[8, -8, 0, 0, 0, 0]]
"""Smoothed 8 6 2 0 0 0, which part behind the 6, at 4: 8 · 6.5² = 338 against 5 · 6.4² = 205 and 9 · 5.3² = 256."""
MASKS = {
    "above the parting": (PLAIN, [ROW], [1, 1, 0, 0, 0, 0]),  # above 4
    "above 1.75 times": (LockConfig(1.75, floor=0.0), [ROW], [1, 0, 0, 0, 0, 0]),  # above 7
    "above 0.4 times": (LockConfig(0.4, floor=0.0), [ROW], [1, 1, 1, 0, 0, 0]),  # above 1.6
    # of two cells the larger is above the parting: 4 of (4, 0), 7 of (4, 7)/2, 12 of (4, 12)/3; the first one stays
    "one call": (PLAIN, [[[4, 0]]], [1, 0]),
    "averaged over two": (PLAIN, [[[4, 0]], [[0, 7]]], [1, 1]),
    "over three": (PLAIN, [[[4, 0]], [[0, 7]], [[0, 5]]], [1, 1]),
    "the same without the first": (PLAIN, [[[0, 7]], [[0, 5]]], [0, 1]),
    "below the floor": (LockConfig(floor=0.3), [[[0.1, 0.3]]], [0, 0]),  # smoothed 0.15 and 0.25
    "above the floor": (LockConfig(floor=0.3), [[[0.1, 0.4]]], [0, 1]),  # smoothed 0.175 and 0.325
    "nothing changes": (LockConfig(0.0, floor=0.0), [[[0, 0]], [[0, 0]]], [0, 0]),
}


@pytest.mark.parametrize(("config", "calls", "mask"), MASKS.values(), ids=MASKS)
def test_the_mask_is_what_changes_enough_and_never_shrinks(config, calls, mask):
    assert after(config, *calls).mask.int().tolist() == [[mask]]


BATCHES = {  # denoised latents (B, C, 1, 2), and the masks
    # channels 3 and 1 in the first cell, mean 2; 0 and 8 in the second, mean 4
    "a change is the mean over channels": ([[[[3.0, 0.0]], [[1.0, 8.0]]]], [[[False, True]]]),
    # the first picture's changes part at 4.5, above all of the second's, which part at 0.5
    "each picture is judged by itself": ([[[[8.0, 1.0]]], [[[1.0, 0.0]]]], [[[True, False]], [[True, False]]]),
}


@pytest.mark.parametrize(("edited", "mask"), BATCHES.values(), ids=BATCHES)
def test_channels_and_pictures(edited, mask):
    edited = torch.tensor(edited)
    assert lock.step(PLAIN, lock.start(edited), edited, torch.zeros_like(edited)).mask.tolist() == mask


def test_growth_adds_neighbours_on_every_side():
    # a change in the middle of 5 × 5, smoothed to 4 in it, 2 beside and 1 at its corners (sixteenths), parts below 2:
    # 100 · 2.2² = 484 against 24 · 3.5² = 294 and 144 · 1.8² = 455. The cross grows to all but the picture's corners.
    grid, expected = torch.zeros(5, 5), torch.ones(5, 5, dtype=torch.bool)
    grid[2, 2], expected[::4, ::4] = 1, False
    cross = after(PLAIN, grid.tolist()).mask[0]
    assert cross.sum() == 5 and cross[2].sum() == 3 and cross[:, 2].sum() == 3
    assert torch.equal(after(LockConfig(floor=0.0, grow=1), grid.tolist()).mask[0], expected)
    assert lock.grown(cross, 0) is cross


def test_allowed_region_narrows_the_mask_and_its_growth():
    # 4 × 4 pixels on 2 × 2 cells; the left cells are covered by 4 and 2 of 4 pixels, the right ones by 1 and 0
    allowed = torch.tensor([[[1, 1, 1, 0], [1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]]]).float()
    assert lock.cells(allowed, 2, 2).tolist() == [[[True, False], [True, False]]]
    config = LockConfig(floor=0.0, grow=1)  # the upper cells change, and grow to all four
    assert after(config, [[1, 1], [0, 0]], allowed=allowed).mask.tolist() == [[[True, False], [True, False]]]


def test_one_region_serves_all_pictures_and_other_numbers_are_refused():
    latent = torch.zeros(3, 16, 2, 2)
    assert lock.start(latent, torch.ones(1, 8, 8)).allowed is not None
    with pytest.raises(ValueError, match="2 masks do not fit 3 pictures"):
        lock.start(latent, torch.ones(2, 8, 8))


@pytest.mark.parametrize(("name", "wrong"), [("threshold", -0.1), ("floor", -1.0), ("grow", -1)])
def test_settings_out_of_range_are_named(name, wrong):
    with pytest.raises(ValueError, match=f"The lock's {name}.* is {wrong:g}"):
        LockConfig(**{name: wrong})


def test_outside_the_mask_a_whole_run_is_the_reference_to_the_bit():
    # a run as Euler steps it, x ← x + (x − x0)/σ · Δσ, with denoised latents that are not the reference's
    torch.manual_seed(0)
    sigmas = torch.linspace(1, 0, 9)
    references, edits = torch.randn(8, 2, 4, 6, 6), torch.randn(8, 2, 4, 6, 6)
    start = torch.randn(2, 4, 6, 6)
    x, x_reference, state = start, start, lock.start(start)
    masks = []
    for k in range(8):
        state = lock.step(LockConfig(), state, edits[k], references[k])
        masks.append(state.mask)
        x0 = lock.blend(state.mask, edits[k], references[k])
        x = x + (x - x0) / sigmas[k] * (sigmas[k + 1] - sigmas[k])
        x_reference = x_reference + (x_reference - references[k]) / sigmas[k] * (sigmas[k + 1] - sigmas[k])
    outside = ~state.mask[:, None].expand_as(x)
    assert torch.equal(x[outside], x_reference[outside]) and 0.1 < outside.float().mean() < 0.9
    assert all((late | early).equal(late) for early, late in zip(masks, masks[1:], strict=False))


def composited(reach, soft):
    """How much of a white picture shows on a black reference: cells of 4 pixels, of which (1, 1) is pixels 4 … 7."""
    mask = torch.zeros(1, 4, 4, dtype=torch.bool)
    mask[0, 1, 1] = True
    white, black = torch.ones(1, 16, 16, 3), torch.zeros(1, 16, 16, 3)
    return lock.composite(white, black, mask, reach=reach, soft=soft)[0, :, :, 0]


@pytest.mark.parametrize(("reach", "pixels"), [(0, slice(4, 8)), (1, slice(0, 12))])  # grown by one cell, 0 … 11
def test_composite_takes_the_picture_in_the_grown_mask_alone(reach, pixels):
    expected = torch.zeros(16, 16)
    expected[pixels, pixels] = 1
    assert torch.equal(composited(reach, soft=False), expected)


def test_soft_composite_shows_all_of_the_mask_and_fades_within_its_growth():
    # a radius of 4 pixels about the mask's pixels lies in the grown mask: 1 there; behind it 0; a row falls in between.
    # Row 5, column 8: 8 … 11 and 4 … 7 of the columns 4 … 12 lie in it, 8 of 9 → 2 · 8/9 − 1 = 7/9
    made = composited(1, soft=True)
    assert (made[4:8, 4:8] == 1).all() and not made[12:].any() and not made[:, 12:].any()
    assert made[5, 8] == pytest.approx(7 / 9) and (made[5, 7:13].diff() < 0).all()


def test_composite_of_an_empty_mask_is_the_reference():
    reference = torch.rand(2, 16, 16, 3)
    assert torch.equal(lock.composite(torch.rand(2, 16, 16, 3), reference, torch.zeros(2, 2, 2).bool()), reference)


def test_a_growing_mask_is_the_state_after_every_call_and_a_known_one_what_it_was_given():
    reference, edits = torch.zeros(2, 1, 1, 6), [torch.tensor(ROW).float().expand(2, 1, 1, 6) * k for k in (1, -2)]
    begin = lock.start(reference)
    growing, state = lock.Growing(PLAIN, begin), begin
    assert torch.equal(growing.now, begin.mask)
    for edited in edits:
        state = lock.step(PLAIN, state, edited, reference)
        assert torch.equal(growing(edited, reference), state.mask) and torch.equal(growing.now, state.mask)
    masks = [torch.rand(2, 1, 6) < 0.5 for _ in edits]
    known = lock.Known(masks, begin)
    assert torch.equal(known.now, begin.mask)
    for mask, edited in zip(masks, edits, strict=True):
        assert torch.equal(known(edited, reference), mask) and torch.equal(known.now, mask)
