"""Samples that are kept say what their sums would."""

from dataclasses import fields

import pytest
import torch

from supsae.supsae_core.capture.kept import Batch, Samples
from supsae.supsae_core.capture.statistics import FOLDS, Statistics

SLOTS, CONCEPTS, TOKENS, WIDTH = SIZES = (3, 4, 2, 6)
LENGTHS = torch.tensor([2, 1, 2])


def drawn(seed, count=40):
    """Folds, slots, labels, rows one behind the other, lengths, and how often each sample stands there."""
    generator = torch.Generator().manual_seed(seed)
    draw = lambda most, *shape: torch.randint(0, most, shape, generator=generator)  # noqa: E731
    folds, slots = draw(FOLDS, count), draw(SLOTS, count)
    lengths, times = LENGTHS[slots], 1 + draw(3, count)
    rows = torch.randn(int(lengths.sum()), WIDTH, generator=generator).double()
    return folds, slots, draw(2, count, CONCEPTS), rows, lengths, times


def both(seed):
    """The same as sums and as samples."""
    sums, kept = Statistics.zeros(*SIZES), Samples.zeros(*SIZES)
    folds, slots, labels, rows, lengths, times = drawn(seed)
    squares = torch.stack([one.square().sum() for one in rows.split(lengths.tolist())])
    means = sums.scatter_sums(folds, slots, labels, rows, lengths, times, squares)
    sums.multiply(folds * SLOTS + slots, labels.double(), times.double(), means)
    kept.sums.scatter_sums(folds, slots, labels, rows, lengths, times, squares)
    return sums, kept.more(Batch(folds, slots, labels.to(torch.uint8), means, times))


def same(one, other):
    for field in fields(Statistics):
        a, b = (getattr(some, field.name).double() for some in (one, other))
        torch.testing.assert_close(a, b, rtol=0, atol=1e-10 * float(b.abs().max().clamp(min=1)))


@pytest.fixture(scope="module")
def pair():
    return both(0)


def test_they_are_the_sums(pair):
    sums, kept = pair
    same(kept.whole(), sums)
    same(kept.of([2, 0]), sums.of([2, 0]))
    for one, other in zip(kept.over_slots(), sums.over_slots(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-10)


def test_they_add_and_join(pair):
    sums, kept = pair
    other, more = both(1)
    same((kept + more).joined().whole(), sums + other)


def test_columns_are_added_up_alike(pair):
    # three buckets of two columns each: x → (x₀ − x₃, x₁ + x₄, −x₂ + x₅)
    sums, kept = pair
    buckets, signs = torch.tensor([0, 1, 2, 0, 1, 2]), torch.tensor([1.0, 1, -1, -1, 1, 1])
    found = sums.folded(buckets, signs, 3)
    x = sums.token
    wanted = torch.stack([x[..., 0] - x[..., 3], x[..., 1] + x[..., 4], x[..., 5] - x[..., 2]], -1)
    torch.testing.assert_close(found.token, wanted)
    same(kept.folded(buckets, signs, 3).whole(), found)


def test_codes_are_those_of_rows_about_an_origin():
    # the sums of (x − o) Wᵀ over the samples are the sums of rows that were made so before; squares are of x − o
    folds, slots, labels, rows, lengths, _ = drawn(2)
    decoder = torch.linalg.qr(torch.randn(WIDTH, 3, generator=torch.Generator().manual_seed(3)).double()).Q.T
    origin = torch.arange(WIDTH).double()
    plain, moved = Statistics.zeros(*SIZES), Statistics.zeros(SLOTS, CONCEPTS, TOKENS, 3)
    plain.scatter(folds, slots, labels, rows, lengths)
    moved.scatter(folds, slots, labels, (rows - origin) @ decoder.T, lengths)
    squares = torch.zeros(FOLDS, SLOTS).double()
    for fold, slot, one in zip(folds, slots, rows.split(lengths.tolist()), strict=True):
        squares[fold, slot] += (one - origin).square().sum()
    found = plain.in_codes(decoder, origin)
    torch.testing.assert_close(found.square, squares)
    for name in ("token", "cross", "gram", "label", "count"):
        torch.testing.assert_close(getattr(found, name), getattr(moved, name))


def test_codes_of_samples_are_those_of_sums(pair):
    sums, kept = pair
    decoder = torch.linalg.qr(torch.randn(WIDTH, 3, generator=torch.Generator().manual_seed(3)).double()).Q.T
    origin = torch.arange(WIDTH).double()
    same(kept.in_codes(decoder, origin).whole(), sums.in_codes(decoder, origin))
