"""The fit by samples gives what the fit by sums gives; own effects of low rank are the best of theirs."""

from dataclasses import replace

import pytest
import torch

from supsae.supsae_core.capture import kept
from supsae.supsae_core.capture.kept import Batch, Samples
from supsae.supsae_core.capture.statistics import FOLDS, Statistics
from supsae.training.solvers import low_rank
from supsae.training.solvers.by_samples import SampleGroup, Strengths
from supsae.training.solvers.choose import choose
from supsae.training.solvers.effects import NEVER, Commons, Ridges, effects, ridge
from supsae.training.solvers.exact import ExactConfig, exact, in_full
from supsae.training.solvers.groups import Groups
from supsae.training.solvers.held_out import Error, error_over, folds_of, origin_of
from supsae.training.solvers.low_rank import in_products, rank_curve, smallest_rank
from supsae.training.solvers.own import OwnStep
from supsae.training.solvers.width import curve

SLOTS, CONCEPTS, TOKENS, WIDTH = SIZES = (4, 5, 3, 6)
LENGTHS = torch.tensor([2, 1, 3, 1])
GROUPS = Groups(torch.tensor([0, 0, 0, 1]), 3)
"""Three phrases of one category, and a role whose rows stand for several samples."""
RIDGES = Ridges(*(torch.tensor(some).double() for some in ([10.0, 1.0], [3.0, 30.0], [2.0, NEVER])))


def both(count=90, seed=0):
    """The same samples as sums and, in double precision, as they are; of some phrases fewer than there are concepts."""
    generator = torch.Generator().manual_seed(seed)
    draw = lambda most, *shape: torch.randint(0, most, shape, generator=generator)  # noqa: E731
    sums, samples = Statistics.zeros(*SIZES), Samples.zeros(*SIZES)
    # slot 0 has a tenth of the samples: about 9 over five folds
    folds, slots = draw(FOLDS, count), torch.tensor([0, 1, 1, 1, 2, 2, 2, 3, 3, 3]).repeat(count // 10)
    lengths, times = LENGTHS[slots], torch.where(slots == 3, 1 + draw(3, count), 1)
    labels, rows = draw(2, count, CONCEPTS), torch.randn(int(lengths.sum()), WIDTH, generator=generator).double()
    rows += (labels.double() @ torch.randn(CONCEPTS, WIDTH, generator=generator).double()).repeat_interleave(lengths, 0)
    squares = torch.stack([one.square().sum() for one in rows.split(lengths.tolist())])
    means = sums.scatter_sums(folds, slots, labels, rows, lengths, times, squares)
    sums.multiply(folds * SLOTS + slots, labels.double(), times.double(), means)
    samples.sums.scatter_sums(folds, slots, labels, rows, lengths, times, squares)
    batch = Batch(folds, slots, labels.to(torch.uint8), means, times.double())
    return sums, replace(samples.more(batch), dtype=torch.float64)


def close(one, other, share=1e-9):
    torch.testing.assert_close(one, other, rtol=0, atol=share * float(other.abs().max().clamp(min=1)))


@pytest.fixture
def many(monkeypatch):
    """Every number of concepts is many."""
    monkeypatch.setattr(kept, "FEW", 0)


@pytest.mark.parametrize("count", [3, CONCEPTS, 40])
def test_a_slots_step_is_the_ridge_whichever_gram_is_smaller(count):
    generator = torch.Generator().manual_seed(count)
    labels, rows = (torch.randn(count, size, generator=generator).double() for size in (CONCEPTS, WIDTH))
    step, test = OwnStep.of(labels, rows), torch.randn(7, CONCEPTS, generator=generator).double()
    wanted = ridge(labels.T @ labels, labels.T @ rows, 3.0)
    left, right = step.factors(3.0)
    close(left @ right, wanted)
    close(right @ right.T, torch.eye(len(right)).double())
    close(step.said(test, 3.0), test @ wanted)
    # Σ‖x − ŷ‖² − Σ‖x‖² of other samples
    heard = torch.randn(7, WIDTH, generator=generator).double()
    changed = (heard - test @ wanted).square().sum() - heard.square().sum()
    close(step.errors((3.0, NEVER), test, heard), torch.stack([changed, torch.zeros(()).double()]))


def test_the_first_factors_are_the_nearest_of_their_rank_to_what_the_step_says():
    generator = torch.Generator().manual_seed(0)
    labels, rows = (torch.randn(9, size, generator=generator).double() for size in (CONCEPTS, WIDTH))
    left, right = OwnStep.of(labels, rows).factors(1.0)
    said = labels @ left @ right
    # Eckart and Young: what is lost at rank q are the squares of the other singular values
    values = torch.linalg.svdvals(said)
    for rank in range(1, CONCEPTS):
        lost = (said - labels @ left[:, :rank] @ right[:rank]).square().sum()
        close(lost, values[rank:].square().sum())


@pytest.mark.parametrize("without", [None, 2])
def test_a_group_is_fitted_as_by_sums(without):
    sums, samples = both()
    wanted, common = effects(sums, GROUPS, RIDGES, without), Commons(sums, without)
    for group in range(GROUPS.count):
        slots, strengths = GROUPS.slots(group), Strengths(*(float(one[group]) for one in RIDGES))
        some = SampleGroup.of(samples, slots)
        fit = some.fit(common(strengths.common), strengths.shared, without)
        close(fit.shared, wanted.shared[group])
        for slot, _, step in some.own_steps(fit, strengths.own):
            left, right = step.factors(strengths.own)
            close(left @ right, wanted.own[slots[slot]])


def test_held_out_errors_are_those_of_sums(many):
    sums, samples = both()
    fits = [effects(sums, GROUPS, RIDGES, fold) for fold in range(FOLDS)]
    wanted = error_over(folds_of(sums), fits, GROUPS)
    found, _ = in_full(samples, GROUPS, RIDGES, origin_of(sums.total(), GROUPS.judged))
    assert found == pytest.approx(Error(wanted.left, wanted.base), rel=1e-9)


def test_errors_of_every_width_are_those_of_sums(many):
    sums, samples = both()
    origin = origin_of(sums.total(), GROUPS.judged)
    decoder = torch.linalg.qr(torch.randn(WIDTH, WIDTH, generator=torch.Generator().manual_seed(5)).double()).Q.T
    one, other = (curve(some.in_codes(decoder, origin), GROUPS, RIDGES) for some in (sums, samples))
    close(other, one)


def test_the_same_ridges_are_chosen(many):
    sums, samples = both()
    for one, other in zip(choose(sums, GROUPS, ExactConfig()), choose(samples, GROUPS, ExactConfig()), strict=True):
        assert one.tolist() == other.tolist()


def test_the_error_of_every_rank_is_that_of_the_truncated_fit(many):
    sums, samples = both()
    found, commons = rank_curve(samples, GROUPS, RIDGES), [Commons(sums, fold) for fold in range(FOLDS)]
    assert len(found) == 1 + CONCEPTS  # five concepts: no slot deviates in more directions
    for rank in range(1 + CONCEPTS):
        fits = []
        for fold in range(FOLDS):
            fit, group = effects(sums, GROUPS, RIDGES, fold), SampleGroup.of(samples, GROUPS.slots(0))
            fitted = group.fit(commons[fold](float(RIDGES.common[0])), float(RIDGES.shared[0]), fold)
            own = torch.zeros_like(fit.own)
            for slot, _, step in group.own_steps(fitted, float(RIDGES.own[0])):
                left, right = step.factors(float(RIDGES.own[0]))
                own[slot] = left[:, :rank] @ right[:rank]
            fits.append(fit._replace(own=own))
        close(found[rank], torch.tensor(error_over(folds_of(sums), fits, GROUPS).left, dtype=torch.float64))


def test_the_smallest_rank_within_the_slack_is_taken():
    assert smallest_rank(torch.tensor([1.2, 1.1, 1.00001, 1.0, 1.05])) == 2
    assert smallest_rank(torch.tensor([1.0, 1.0])) == 1  # one that is 0, so that a file has its shape


def test_products_of_full_rank_are_the_effects(many, monkeypatch):
    monkeypatch.setattr(low_rank, "SLACK", -1.0)  # none is enough
    monkeypatch.setattr(low_rank, "smallest_rank", lambda errors: len(errors) - 1)
    sums, samples = both()
    for without, (fit, right) in zip((None, 1), in_products(samples, GROUPS, RIDGES, (None, 1))[1], strict=True):
        wanted = effects(sums, GROUPS, RIDGES, without)
        close((fit.own @ right).double(), wanted.own, 1e-5)  # held in single precision
        close(fit.shared.double(), wanted.shared, 1e-5)


def test_the_solver_measures_the_same_by_samples(many):
    sums, samples = both()
    config = ExactConfig(rank=WIDTH)
    one, other = exact(sums, GROUPS, config), exact(samples, GROUPS, config)
    assert not len(one.slot_directions) and other.slot_directions.shape[::2] == (SLOTS, WIDTH)
    assert other.measured["own_rank"] == other.slot_directions.shape[1] == other.slot_effects.shape[2]
    for name in ("fvu_slot_full_rank", "fvu_token_constant", "label_rank"):
        assert other.measured[name] == pytest.approx(one.measured[name], rel=1e-9)
    # the rank that is kept is within the slack of the least error, which that of all ranks is not below
    assert other.measured["fvu_slot"] <= one.measured["fvu_slot"] * (1 + low_rank.SLACK)
    decoded = [x.slot_codes @ x.decoder for x in (one, other)]
    torch.testing.assert_close(*decoded, rtol=1e-4, atol=1e-4)
