"""What every solver must do: recover a planted world, give the same shapes, be deterministic, and refuse too little."""

import pytest
import torch

from supsae.supsae_core.capture.statistics import FOLDS, Statistics
from supsae.training.solvers.adam import AdamConfig
from supsae.training.solvers.effects import NEVER
from supsae.training.solvers.exact import ExactConfig
from supsae.training.solvers.options import parse_options
from supsae.training.solvers.solution import Groups, to_codes
from supsae.training.solvers.table import DEFAULT, SOLVERS, chosen

pytestmark = pytest.mark.slow

assert SOLVERS, "the table of solvers is empty"

CONCEPTS, WIDTH = 4, 6
LENGTHS = (2, 1, 2, 3)
GROUPS = Groups(torch.tensor([0, 0, 1, 2]), 3)
"""Slots 0 and 1 are one category, slot 2 is another, slot 3 a role's."""
ALONE = Groups(torch.zeros(1, dtype=torch.int64), 0)

FREE = {
    "exact": (ExactConfig(common_ridges=(NEVER,), shared_ridges=(1e-9,), own_ridges=(NEVER,), rank=WIDTH), 1e-6),
    "adam": (AdamConfig(rank=WIDTH, steps=300), 2e-2),
}
"""Solver → options without anything that shrinks, and the largest error of effects, which go up to 3."""
QUICK = {"adam": AdamConfig(rank=5, steps=30)}
"""Solver → options that are enough where numbers do not matter. A solver in neither table is tried with its own."""
each = pytest.mark.parametrize("name", SOLVERS)


def world(seed=0, count=24):
    """Samples of the model's own form, x_j = mean_j + a W_group; returns them per (fold, slot), means and slopes."""
    generator = torch.Generator().manual_seed(seed)
    means = [torch.randn(length, WIDTH, generator=generator).double() for length in LENGTHS]
    slopes = torch.randn(3, CONCEPTS, WIDTH, generator=generator).double()
    samples = {}
    for fold in range(FOLDS):
        for slot, mean in enumerate(means):
            labels = torch.randint(0, 2, (count, CONCEPTS), generator=generator).double()
            samples[fold, slot] = labels, mean + (labels @ slopes[GROUPS.of[slot]])[:, None]
    return samples, means, slopes


def summed(samples, slots=4):
    statistics = Statistics.zeros(slots, CONCEPTS, max(LENGTHS), WIDTH)
    for (fold, slot), (labels, rows) in samples.items():
        if slot < slots:
            statistics.add(fold, slot, labels, rows)
    return statistics


def solve(name, statistics, groups=GROUPS, config=None):
    return chosen(name, config or QUICK.get(name))(statistics, groups)


def free(name):
    return FREE.get(name, (SOLVERS[name].options, 1e-6))


@each
def test_planted_effects_are_recovered(name):
    samples, means, slopes = world()
    config, tolerance = free(name)
    found = solve(name, summed(samples), config=config)
    torch.testing.assert_close((found.group_effects @ found.decoder).double(), slopes, rtol=0, atol=tolerance)
    for slot, mean in enumerate(means):
        middle = torch.cat([samples[fold, slot][0] for fold in range(FOLDS)]).mean(0)
        made = found.bias + found.slot_codes[slot, : len(mean)] @ found.decoder
        torch.testing.assert_close(made.double(), mean + middle @ slopes[GROUPS.of[slot]], rtol=0, atol=tolerance)
    assert not found.slot_effects.any()
    # an error of the tolerance in every number, squared, against a variance of about 6
    assert found.measured["fvu_slot"] < 10 * tolerance**2


@each
def test_effects_are_least_squares(name):
    """Of unrelated samples, not of the model's form; ``torch.linalg.lstsq`` on a slot's samples is the reference."""
    generator = torch.Generator().manual_seed(3)
    labels = torch.randint(0, 2, (FOLDS, 40, CONCEPTS), generator=generator).double()
    rows = torch.randn(FOLDS, 40, 1, WIDTH, generator=generator).double()
    statistics = Statistics.zeros(1, CONCEPTS, 1, WIDTH)
    for fold in range(FOLDS):
        statistics.add(fold, 0, labels[fold], rows[fold])
    a, x = labels.flatten(0, 1), rows.flatten(0, 2)
    wanted = torch.linalg.lstsq(a - a.mean(0), x - x.mean(0)).solution
    config, tolerance = free(name)
    found = solve(name, statistics, ALONE, config)
    torch.testing.assert_close((found.group_effects[0] @ found.decoder).double(), wanted, rtol=0, atol=tolerance)


@each
def test_shapes_are_those_of_the_signature(name):
    found = solve(name, summed(world()[0]))
    width = len(found.decoder)
    shapes = {field: tuple(getattr(found, field).shape) for field in found._fields[:6]}
    assert shapes == {
        "bias": (WIDTH,), "decoder": (width, WIDTH), "slot_codes": (4, 3, width), "group_effects": (3, CONCEPTS, width),
        "slot_effects": (4, CONCEPTS, width), "mean_context": (4, CONCEPTS),
    }  # fmt: skip
    assert all(getattr(found, field).dtype == torch.float32 for field in shapes)
    assert all(torch.isfinite(getattr(found, field)).all() for field in shapes)
    assert not any(found.slot_codes[slot, length:].any() for slot, length in enumerate(LENGTHS))
    torch.testing.assert_close(found.decoder @ found.decoder.T, torch.eye(width), rtol=0, atol=1e-6)
    assert found.measured["rank"] == width and found.measured["label_rank"] == CONCEPTS
    assert {"fvu_slot", "fvu_token", "fvu_token_constant"} <= set(found.measured)
    codes = to_codes(found, torch.tensor(LENGTHS), GROUPS)
    assert codes.decode(codes.code(0, 1, torch.ones(CONCEPTS))).shape == (WIDTH,)


@each
def test_the_same_sums_give_the_same_bits(name):
    statistics = summed(world()[0])
    one, other = solve(name, statistics), solve(name, statistics)
    assert all(torch.equal(a, b) for a, b in zip(one[:6], other[:6], strict=True)) and one.measured == other.measured


@each
def test_one_slot_without_phrases_is_judged_by_itself(name):
    config, tolerance = free(name)
    found = solve(name, summed(world()[0], slots=1), ALONE, config)
    assert found.measured["fvu_slot"] < 10 * tolerance**2 and found.group_effects.shape[:2] == (1, CONCEPTS)


@each
def test_a_slot_and_a_concept_that_never_occur_are_zero(name):
    samples = {key: value for key, value in world()[0].items() if key[1] != 2}
    for labels, _ in samples.values():
        labels[:, 1] = 0
    found = solve(name, summed(samples))
    assert not found.slot_codes[2].any() and not found.group_effects[:, 1].any()
    assert all(torch.isfinite(x).all() for x in found[:6])


@each
def test_too_few_prompts_are_refused(name):
    # every slot occurs in one fold alone: no fold can be judged by the others
    samples = {(fold, slot): value for (fold, slot), value in world()[0].items() if fold == slot}
    with pytest.raises(ValueError, match="Too few prompts to fit: no phrase occurs in two .*Capture more prompts"):
        solve(name, summed(samples))


@each
def test_options_are_read_back_as_they_are(name):
    assert parse_options(SOLVERS[name].options, []) == SOLVERS[name].options
    assert isinstance(SOLVERS[name].for_streams().options, type(SOLVERS[name].options))


def test_a_solver_is_chosen_by_name():
    assert chosen(DEFAULT) == SOLVERS[DEFAULT]
    with pytest.raises(ValueError, match="There is no solver 'sgd'. Solvers are: exact, adam"):
        chosen("sgd")
    with pytest.raises(ValueError, match="'adam' takes options of type AdamConfig, not ExactConfig"):
        chosen("adam", ExactConfig())
