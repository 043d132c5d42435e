"""The exact solver against least squares on the samples themselves, and in worlds that it must recover."""

import pytest
import torch

from supsae.supsae_core.capture.statistics import FOLDS, Statistics
from supsae.training.solvers.choose import Held, choose
from supsae.training.solvers.effects import NEVER, Effects, Ridges, effects, ridge
from supsae.training.solvers.exact import ExactConfig, exact
from supsae.training.solvers.groups import Groups
from supsae.training.solvers.held_out import error_over, folds_of, held_out_error, origin_of
from supsae.training.solvers.width import SLACK, curve

CONCEPTS, WIDTH = 4, 6
LENGTHS = (2, 1, 2, 3)
GROUP = torch.tensor([0, 0, 1, 2])
"""Slots 0 and 1 are one category, slot 2 is another, slot 3 a role's."""
GROUPS = Groups(GROUP, 3)


def noise(seed=0, count=24):
    """Unrelated samples: per (fold, slot) labels (n, K) and rows (n, T, d)."""
    generator = torch.Generator().manual_seed(seed)
    return {
        (fold, slot): (
            torch.randint(0, 2, (count, CONCEPTS), generator=generator).double(),
            torch.randn(count, length, WIDTH, generator=generator).double(),
        )
        for fold in range(FOLDS)
        for slot, length in enumerate(LENGTHS)
    }


def planted(seed=0, count=24, *, never=()):
    """A world of the model's own form: x_j = mean_j + a W_group; ``never``: (slot, concept) pairs that do not occur."""
    generator = torch.Generator().manual_seed(seed)
    means = [torch.randn(length, WIDTH, generator=generator).double() for length in LENGTHS]
    slopes = torch.randn(3, CONCEPTS, WIDTH, generator=generator).double()
    made = {}
    for (fold, slot), (labels, rows) in noise(seed + 1, count).items():
        labels = labels.clone()
        for where, concept in never:
            if where == slot:
                labels[:, concept] = 0
        made[fold, slot] = (labels, means[slot] + (labels @ slopes[GROUP[slot]])[:, None].expand_as(rows))
    return made, means, slopes


def summed(samples):
    statistics = Statistics.zeros(len(LENGTHS), CONCEPTS, max(LENGTHS), WIDTH)
    for (fold, slot), (labels, rows) in samples.items():
        statistics.add(fold, slot, labels, rows)
    return statistics


def close(one, other):
    """Identities hold to 1e-10 of the largest number."""
    torch.testing.assert_close(one, other, rtol=0, atol=1e-10 * float(other.abs().max().clamp(min=1)))


def joined(samples, slot, *, without=None):
    some = [samples[fold, slot] for fold in range(FOLDS) if fold != without]
    return [torch.cat(part) for part in zip(*some, strict=True)]


def ridge_by_lstsq(labels, targets, strength):
    """Least squares on rows with √ridge · identity written below them."""
    below = strength**0.5 * torch.eye(labels.shape[1], dtype=labels.dtype)
    wanted = torch.cat([targets, torch.zeros_like(targets[: len(below)])])
    return torch.linalg.lstsq(torch.cat([labels, below]), wanted).solution


def reference(samples, strengths):
    """The three levels of ``effects``, each by least squares on what the level above leaves."""
    centred = []
    for slot in range(len(LENGTHS)):
        labels, rows = joined(samples, slot)
        centred.append((labels - labels.mean(0), rows.mean(1) - rows.mean((0, 1))))
    shared, own = [], torch.zeros(len(LENGTHS), CONCEPTS, WIDTH).double()
    for group in range(3):
        a, x = map(torch.cat, zip(*centred, strict=True))
        common = ridge_by_lstsq(a, x, float(strengths.common[group]))
        members = [both for both, of in zip(centred, GROUP, strict=True) if of == group]
        a, x = map(torch.cat, zip(*members, strict=True))
        shared.append(common + ridge_by_lstsq(a, x - a @ common, float(strengths.shared[group])))
    for slot, (a, x) in enumerate(centred[:2]):  # 2 and 3 are alone in their groups: nothing is left to be their own
        own[slot] = ridge_by_lstsq(a, x - a @ shared[0], float(strengths.own[0]))
    return torch.stack(shared), own


RIDGES = Ridges(*(torch.tensor(some).double() for some in ([10.0, 1.0, 0.1], [0.3, 3.0, 30.0], [3.0, 5.0, 7.0])))


def ridges(*levels):
    """The same three strengths for every group."""
    return Ridges(*(torch.full((3,), strength, dtype=torch.float64) for strength in levels))


def test_effects_are_least_squares():
    samples = noise()
    found = effects(summed(samples), GROUPS, RIDGES)
    shared, own = reference(samples, RIDGES)
    close(found.shared, shared)
    close(found.own, own)


@pytest.mark.parametrize("level", Ridges._fields)
def test_a_level_that_never_acts_is_zero(level):
    strengths = ridges(NEVER, NEVER, NEVER)._replace(**{level: torch.ones(3).double()})
    found = effects(summed(noise()), GROUPS, strengths)
    assert found.own[:2].any() == (level == "own") and found.shared.any() == (level != "own")


def test_held_out_error_is_the_sum_over_samples():
    samples = noise()
    statistics = summed(samples)
    train, test = statistics.total(without=2), statistics.fold(2)
    fitted = effects(statistics, GROUPS, RIDGES, 2)
    error, base = held_out_error(fitted, train, test, GROUP)
    for slot in range(len(LENGTHS)):
        seen, rows = joined(samples, slot, without=2)
        mean, slope = rows.mean(0), fitted.shared[GROUP[slot]] + fitted.own[slot]
        labels, rows = samples[2, slot]
        made = mean + ((labels - seen.mean(0)) @ slope)[:, None]
        close(error[slot], (rows - made).square().sum())
        close(base[slot], (rows - mean).square().sum())


def test_a_slot_that_training_never_saw_is_not_judged():
    samples = {key: value for key, value in noise().items() if key[1] != 1 or key[0] == 2}
    statistics = summed(samples)
    train, test = statistics.total(without=2), statistics.fold(2)
    error, base = held_out_error(effects(statistics, GROUPS, RIDGES, 2), train, test, GROUP)
    assert (error[1], base[1]) == (0, 0) and (error[[0, 2, 3]] > 0).all()


def test_order_of_folds_is_irrelevant():
    samples = noise()
    turned = {((fold + 2) % FOLDS, slot): value for (fold, slot), value in samples.items()}
    one, other = exact(summed(samples), GROUPS), exact(summed(turned), GROUPS)
    assert one.measured == pytest.approx(other.measured, rel=1e-10)
    close((one.group_effects @ one.decoder).double(), (other.group_effects @ other.decoder).double())


def test_a_pair_never_seen_takes_the_effect_of_its_category():
    # slot 0 never stood with concept 1, slot 1 of the same category did
    samples, _, slopes = planted(never=[(0, 1)])
    fitted = effects(summed(samples), GROUPS, ridges(NEVER, 1e-9, 1e-9))
    torch.testing.assert_close(fitted.shared[0, 1] + fitted.own[0, 1], slopes[0, 1], rtol=0, atol=1e-6)


def test_a_pair_the_category_never_saw_takes_the_common_effect():
    # one slope for all slots; slots 0 and 1 never stood with concept 1, the others did
    samples, means, slopes = planted(never=[(0, 1), (1, 1)])
    samples = {
        (fold, slot): (a, means[slot] + (a @ slopes[0])[:, None].expand_as(x))
        for (fold, slot), (a, x) in samples.items()
    }
    fitted = effects(summed(samples), GROUPS, ridges(1e-9, 1e-9, 1e-9))
    torch.testing.assert_close(fitted.shared[0, 1], slopes[0, 1], rtol=0, atol=1e-6)


def test_the_error_of_every_width_is_that_of_the_narrow_fit():
    # decoded and held against the samples' sums, width by width
    statistics = summed(noise())
    origin = origin_of(statistics.total(), GROUPS.judged)
    decoder = torch.linalg.qr(torch.randn(WIDTH, WIDTH, generator=torch.Generator().manual_seed(5)).double()).Q.T
    found = curve(statistics.in_codes(decoder, origin), GROUPS, RIDGES)
    folds = folds_of(statistics)
    for width in range(WIDTH + 1):
        across, fits = decoder[:width].T @ decoder[:width], []
        for number in range(FOLDS):
            fit = effects(statistics, GROUPS, RIDGES, number)
            valid = statistics.total().valid[..., None]
            mean = (origin + (fit.mean - origin) @ across) * valid
            fits.append(Effects(mean, fit.shared @ across, fit.own @ across))
        close(found[width], torch.tensor(error_over(folds, fits, GROUPS).left, dtype=torch.float64))


def test_a_ridge_step_knows_its_error_at_every_strength():
    # held out, of one group's shared step and of its slots' own, against the steps themselves
    statistics, start = (
        summed(noise()),
        torch.randn(CONCEPTS, WIDTH, generator=torch.Generator().manual_seed(6)).double(),
    )
    fold = folds_of(statistics.of([0, 1]))[0]
    held = Held.of(fold)
    for step, judged in ((held.shared(start), held.judged.together()), (held.own(start), held.judged)):
        for strength, found in zip((0.5, 20.0, NEVER), step.errors((0.5, 20.0, NEVER)), strict=True):
            close(found, judged.left(start + step.solved(strength)))
    gram, cross = fold.train.centred()
    close(held.own(start).solved(3.0), ridge(gram, cross - gram @ start, 3.0))


def test_ridges_are_chosen_group_by_group():
    # Groups 0 and 1 follow the model, so the least ridge wins; group 2 is noise, so no effect wins.
    samples, _, _ = planted()
    samples |= {key: value for key, value in noise(7).items() if key[1] == 3}
    statistics = summed(samples)
    config = ExactConfig(common_ridges=(NEVER,), shared_ridges=(1e-6, NEVER), own_ridges=(NEVER,))
    found = choose(statistics, GROUPS, config)
    assert found.shared.tolist() == [1e-6, 1e-6, NEVER]


def test_deviations_that_are_not_wanted_are_exactly_none():
    config = ExactConfig(common_ridges=(NEVER,), shared_ridges=(1.0,), own_ridges=(NEVER,))
    assert not exact(summed(noise()), GROUPS, config).slot_effects.any()


def test_the_chosen_width_is_the_smallest_within_the_slack():
    samples, _, _ = planted()
    rows = {key: (a, x + 0.3 * torch.randn_like(x)) for key, (a, x) in samples.items()}
    error = lambda rank: exact(summed(rows), GROUPS, ExactConfig(rank=rank)).measured  # noqa: E731
    chosen = int(error(None)["rank"])
    full = error(WIDTH)["fvu_slot_full_rank"]
    assert error(chosen)["fvu_slot"] <= full * (1 + SLACK)
    assert chosen == 1 or error(chosen - 1)["fvu_slot"] > full * (1 + SLACK)


def test_codes_hold_phrases_that_no_context_moves():
    # Context does nothing, so the smallest width for it is 1; the slots' means, far apart, need all their directions.
    samples = noise()
    means = {slot: 100 * torch.eye(WIDTH, dtype=torch.float64)[:3].roll(slot, 1) for slot in range(4)}
    rows = {(fold, slot): (a, x + means[slot][: x.shape[1]]) for (fold, slot), (a, x) in samples.items()}
    found = exact(summed(rows), GROUPS)
    decoded = found.slot_codes @ found.decoder + found.bias
    for slot in range(4):
        wanted = joined(rows, slot)[1].mean(0)
        left = (decoded[slot, : len(wanted)] - wanted).square().sum()
        assert left < 0.1 * (wanted - found.bias).square().sum()


def test_the_fit_without_the_last_fold_has_not_seen_it():
    samples, _, effects = planted()
    spoilt = {key: (a, x + 1000 * (key[0] == FOLDS - 1)) for key, (a, x) in samples.items()}
    config = ExactConfig(common_ridges=(NEVER,), shared_ridges=(1e-6,), own_ridges=(1e-6,), rank=WIDTH)
    one, other = (exact(summed(some), GROUPS, config).without_last for some in (samples, spoilt))
    for found in (one, other):
        learnt = (found.group_effects[GROUP] + found.slot_effects) @ found.decoder
        torch.testing.assert_close(learnt.double(), effects[GROUP], rtol=1e-3, atol=1e-3)


def test_measured_errors_are_shares_of_what_they_say():
    # With no effect at all the slot's mean is the prediction: all of fvu_slot is left, and fvu_token is its constant.
    config = ExactConfig(common_ridges=(NEVER,), shared_ridges=(NEVER,), own_ridges=(NEVER,), rank=WIDTH)
    samples = noise()
    measured = exact(summed(samples), GROUPS, config).measured
    assert measured["fvu_slot"] == pytest.approx(1, rel=1e-10)
    assert measured["fvu_token"] == pytest.approx(measured["fvu_token_constant"], rel=1e-10)
    every = torch.cat([samples[fold, slot][1].flatten(0, 1) for fold in range(FOLDS) for slot in range(3)])
    around = (every - every.mean(0)).square().sum()
    base = sum(
        (samples[fold, slot][1] - joined(samples, slot, without=fold)[1].mean(0)).square().sum()
        for fold in range(FOLDS)
        for slot in range(3)
    )
    assert measured["fvu_token_constant"] == pytest.approx(float(base / around), rel=1e-10)
    assert measured["label_rank"] == CONCEPTS
