"""Streaming sums say exactly what the samples themselves say, and add in any order."""

from dataclasses import fields

import pytest
import torch

from supsae.supsae_core.capture.statistics import FOLDS, Statistics, fold_of

SLOTS, CONCEPTS, TOKENS, WIDTH = 3, 4, 2, 5
LENGTHS = (2, 1, 2)


def samples(seed, count=30):
    """Per (fold, slot) of two folds and all slots: labels (n, K) and rows (n, T, d)."""
    torch.manual_seed(seed)
    return {
        (fold, slot): (torch.randint(0, 2, (count, CONCEPTS)).double(), torch.randn(count, length, WIDTH).double())
        for fold in (0, 3)
        for slot, length in enumerate(LENGTHS)
    }


def summed(*parts):
    statistics = Statistics.zeros(SLOTS, CONCEPTS, TOKENS, WIDTH)
    for part in parts:
        for (fold, slot), (labels, rows) in part.items():
            statistics.add(fold, slot, labels, rows)
            statistics.spread(rows.flatten(0, 1), slot < 2)
    return statistics


def close(one, other):
    """Identities hold to 1e-10 of the largest number."""
    torch.testing.assert_close(one, other, rtol=0, atol=1e-10 * float(other.abs().max().clamp(min=1)))


@pytest.fixture(scope="module")
def drawn():
    return samples(0)


@pytest.fixture(scope="module")
def statistics(drawn):
    return summed(drawn)


@pytest.mark.parametrize("slot", range(SLOTS))
def test_sums_are_the_sums(drawn, statistics, slot):
    labels, rows = (torch.cat([drawn[fold, slot][i] for fold in (0, 3)]) for i in (0, 1))
    total, length = statistics.total(), LENGTHS[slot]
    assert int(total.count[slot]) == len(labels) and int(total.lengths[slot]) == length
    close(total.label[slot], labels.sum(0))
    close(total.gram[slot], labels.T @ labels)
    close(total.token[slot, :length], rows.sum(0))
    close(total.cross[slot], labels.T @ rows.mean(1))
    close(total.square[slot], rows.square().sum())
    assert not total.token[slot, length:].any()


@pytest.mark.parametrize("slot", range(SLOTS))
def test_centred_sums_are_those_of_centred_samples(drawn, statistics, slot):
    labels, rows = (torch.cat([drawn[fold, slot][i] for fold in (0, 3)]) for i in (0, 1))
    about, means = labels - labels.mean(0), rows.mean(1) - rows.mean((0, 1))
    gram, cross = statistics.total().centred()
    close(gram[slot], about.T @ about)
    close(cross[slot], about.T @ means)
    close(statistics.total().mean_label[slot], labels.mean(0))


def test_moments_are_of_concepts_and_of_roles(drawn, statistics):
    for kind, slots in enumerate([(0, 1), (2,)]):
        rows = torch.cat([drawn[fold, slot][1].flatten(0, 1) for fold in (0, 3) for slot in slots])
        close(statistics.moment[kind], rows.T @ rows)


@pytest.mark.parametrize("field", [field.name for field in fields(Statistics)])
def test_sums_of_parts_are_one_pass(drawn, field):
    other = samples(1)
    one_pass = getattr(summed(drawn, other), field)
    close(getattr(summed(drawn) + summed(other), field).double(), one_pass.double())
    close(getattr(summed(other) + summed(drawn), field).double(), one_pass.double())


@pytest.mark.parametrize("left_out", range(FOLDS))
def test_a_fold_and_the_others_are_everything(statistics, left_out):
    rest, one, total = statistics.total(without=left_out), statistics.fold(left_out), statistics.total()
    for name in ("count", "label", "gram", "token", "cross", "square"):
        close(getattr(rest, name) + getattr(one, name), getattr(total, name))


def test_a_slot_that_never_occurred_is_nothing_and_divides_by_nothing():
    total = Statistics.zeros(SLOTS, CONCEPTS, TOKENS, WIDTH).total()
    assert not total.mean_label.any() and not total.mean_token.any()
    assert all(not part.any() for part in total.centred())


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


def test_single_samples_of_many_slots_add_up_alike(drawn, statistics):
    """All samples in one call and any order, padded to the longest slot; the moment is not kept."""
    found = Statistics.zeros(SLOTS, CONCEPTS, TOKENS, WIDTH, moment=False)
    each = [(fold, slot, a, x) for (fold, slot), some in drawn.items() for a, x in zip(*some, strict=True)]
    order = torch.randperm(len(each), generator=torch.Generator().manual_seed(1)).tolist()
    folds, slots, labels, rows = zip(*(each[i] for i in order), strict=True)
    padded = torch.stack([torch.nn.functional.pad(x, (0, 0, 0, TOKENS - len(x))) for x in rows])
    lengths = torch.tensor([len(x) for x in rows])
    found.scatter(torch.tensor(folds), torch.tensor(slots), torch.stack(labels), padded, lengths)
    assert found.moment.numel() == 0 and statistics.moment.numel() == 2 * WIDTH**2
    for name in (field.name for field in fields(Statistics) if field.name != "moment"):
        close(getattr(found, name), getattr(statistics, name))


def test_room_for_longer_slots_changes_no_sum(statistics):
    assert statistics.lengthened(TOKENS) is statistics
    wider = statistics.lengthened(TOKENS + 2)
    assert wider.token.shape[2] == TOKENS + 2 and not bool(wider.token[:, :, TOKENS:].any())
    assert torch.equal(wider.token[:, :, :TOKENS], statistics.token) and wider.cross is statistics.cross
