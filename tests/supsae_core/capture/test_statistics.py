"""Streaming sums say exactly what the samples themselves say, and add in any order."""

from dataclasses import fields

import pytest
import torch

from supsae.supsae_core.capture.statistics import FOLDS, Statistics, Sums, fold_of

SLOTS, CONCEPTS, TOKENS, WIDTH = SIZES = (3, 4, 2, 5)
LENGTHS = (2, 1, 2)
NAMES = [field.name for field in fields(Sums)]


def samples(seed, count=30):
    """Per (fold, slot) of two folds and all slots: labels (n, K) and rows (n, T, d)."""
    torch.manual_seed(seed)
    return {
        (fold, slot): (torch.randint(0, 2, (count, CONCEPTS)).double(), torch.randn(count, length, WIDTH).double())
        for fold in (0, 3)
        for slot, length in enumerate(LENGTHS)
    }


def summed(*parts):
    statistics = Statistics.zeros(*SIZES)
    for part in parts:
        for (fold, slot), (labels, rows) in part.items():
            statistics.add(fold, slot, labels, rows)
    return statistics


def close(one, other):
    """Identities hold to 1e-10 of the largest number."""
    torch.testing.assert_close(one.double(), other.double(), rtol=0, atol=1e-10 * float(other.abs().max().clamp(min=1)))


@pytest.fixture(scope="module")
def drawn():
    return samples(0)


@pytest.fixture(scope="module")
def statistics(drawn):
    return summed(drawn)


@pytest.mark.parametrize("slot", range(SLOTS))
def test_sums_are_those_of_the_samples_and_centred_sums_of_centred_samples(drawn, statistics, slot):
    labels, rows = (torch.cat([drawn[fold, slot][i] for fold in (0, 3)]) for i in (0, 1))
    total, length = statistics.total(), LENGTHS[slot]
    wanted = [torch.tensor(60), labels.sum(0), labels.T @ labels, rows.sum(0), labels.T @ rows.mean(1)]
    found = [total.count[slot], total.label[slot], total.gram[slot], total.token[slot, :length], total.cross[slot]]
    about, means = labels - labels.mean(0), rows.mean(1) - rows.mean((0, 1))
    wanted += [rows.square().sum(), torch.tensor(length), about.T @ about, about.T @ means, labels.mean(0)]
    found += [total.square[slot], total.lengths[slot], *(one[slot] for one in total.centred()), total.mean_label[slot]]
    for one, other in zip(found, wanted, strict=True):
        close(one, other)
    assert not total.token[slot, length:].any()


@pytest.mark.parametrize("field", [field.name for field in fields(Statistics)])
def test_sums_of_parts_are_one_pass(drawn, field):
    other = samples(1)
    for one, two in ((drawn, other), (other, drawn)):
        close(getattr(summed(one) + summed(two), field), getattr(summed(drawn, other), field))


@pytest.mark.parametrize("fold", range(FOLDS))
def test_a_fold_is_its_own_samples_and_the_others_are_the_rest(drawn, statistics, fold):
    own, rest = (summed({key: some for key, some in drawn.items() if (key[0] == fold) == inside}) for inside in (1, 0))
    for name in set(NAMES) - {"lengths"}:
        close(getattr(statistics.fold(fold), name), getattr(own.total(), name))
        close(getattr(statistics.total(without=fold), name), getattr(rest.total(), name))


def test_a_slot_that_never_occurred_is_nothing_and_divides_by_nothing():
    total = Statistics.zeros(*SIZES).total()
    assert not any(part.any() for part in (total.mean_label, total.mean_token, *total.centred()))


@pytest.mark.parametrize("sizes", [(2, 4, 2, 5), (3, 5, 2, 5), (3, 4, 1, 5), (3, 4, 2, 6)])
def test_other_shapes_do_not_add(statistics, sizes):
    with pytest.raises(ValueError, match=r"Statistics of \(5, 3, 2, 5, 4\) and .* do not add"):
        statistics + Statistics.zeros(*sizes)


def test_folds_are_fixed_and_even():
    # `printf 'a portrait' | sha256sum` begins with af: 175 = 35 · 5 + 0
    assert fold_of("a portrait") == 0
    counts = torch.bincount(torch.tensor([fold_of(f"prompt {i}") for i in range(2000)]), minlength=FOLDS)
    # 2000 draws with chance 1/5: mean 400, standard deviation sqrt(2000 · 0.2 · 0.8) = 18; five of them are 90
    assert len(counts) == FOLDS and ((counts - 400).abs() < 90).all()


def singly(drawn):
    """All samples one by one, in any order: folds, slots, labels, tokens one behind the other, their numbers."""
    each = [(fold, slot, a, x) for (fold, slot), some in drawn.items() for a, x in zip(*some, strict=True)]
    order = torch.randperm(len(each), generator=torch.Generator().manual_seed(1)).tolist()
    folds, slots, labels, rows = zip(*(each[i] for i in order), strict=True)
    lengths = torch.tensor([len(x) for x in rows])
    return torch.tensor(folds), torch.tensor(slots), torch.stack(labels), torch.cat(rows), lengths


def test_single_samples_of_many_slots_add_up_alike(drawn, statistics):
    found = Statistics.zeros(*SIZES)
    found.scatter(*singly(drawn))
    for name in NAMES:
        close(getattr(found, name), getattr(statistics, name))


def test_samples_of_one_context_add_up_as_their_sum(drawn):
    # each sample as three: itself, its double and its negative; the sum of their rows is twice the sample
    folds, slots, labels, rows, lengths = singly(drawn)
    apart, sums = Statistics.zeros(*SIZES), Statistics.zeros(*SIZES)
    for factor in (1, 2, -1):
        apart.scatter(folds, slots, labels, factor * rows, lengths)
    squares = torch.stack([6 * one.square().sum() for one in rows.split(lengths.tolist())])
    times = torch.full((len(slots),), 3.0, dtype=torch.float64)
    means = sums.scatter_sums(folds, slots, labels, 2 * rows, lengths, times, squares)
    sums.multiply(folds * SLOTS + slots, labels, times, means)
    for name in NAMES:
        close(getattr(sums, name), getattr(apart, name))


def test_room_for_longer_slots_changes_no_sum(statistics):
    assert statistics.lengthened(TOKENS) is statistics
    wider = statistics.lengthened(TOKENS + 2).token
    assert wider.shape[2] == TOKENS + 2 and not wider[:, :, TOKENS:].any()
    assert torch.equal(wider[:, :, :TOKENS], statistics.token)
