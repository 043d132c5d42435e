"""Effects on the pooled vector from prompts and pairs at once."""

from dataclasses import replace

import pytest
import torch

from supsae.portraits import captions
from supsae.training import capture, gather
from supsae.training.fit import ALONE
from supsae.training.operators import pooled
from supsae.training.solvers.exact import exact

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def plain(paired, tmp_path_factory):
    """120 prompts of one person each, three quarters of which rewrite the others."""
    config = capture.CaptureConfig(prompts=120, calibration=16, rewrites=3)
    plan = capture.plan_text(paired.table, paired.host, config, captions.PLAIN)
    return capture.capture_text(paired.host, tmp_path_factory.mktemp("plain") / "capture", plan)


@pytest.fixture(scope="module")
def solved(plain):
    statistics = gather.gather(plain, plain.read(), "fit")["pooled"]
    return statistics, exact(statistics, ALONE)


def test_pairs_say_more_of_pairs(plain, solved):
    statistics, solution = solved
    moves = list(pooled._moves(plain))
    made = pooled.with_pairs(plain, statistics, solution)
    errors = []
    for one in (solution, made):
        effects = (one.group_effects[0] + one.slot_effects[0]).double() @ one.decoder.double()
        errors.append(pooled._error(effects, moves))
    assert errors[1] < 0.9 * errors[0]
    torch.testing.assert_close(made.decoder @ made.decoder.T, torch.eye(len(made.decoder)), rtol=0, atol=1e-5)


def test_a_change_that_pairs_make_exactly_is_learnt_exactly(solved):
    # a pair for every concept that says it anew: of heavy pairs the effects are the pairs' own
    statistics, size = solved[0], solved[0].gram.shape[-1]
    changes = torch.eye(size, dtype=torch.float64)
    wanted = torch.randn(size, statistics.token.shape[-1], dtype=torch.float64)
    moves = [(change, moved, 0) for change, moved in zip(changes, wanted, strict=True)]
    torch.testing.assert_close(pooled._effects(statistics, moves, 1e9), wanted, rtol=1e-4, atol=1e-4)


def test_a_narrow_solution_costs_the_effects_nothing(solved):
    statistics, solution = solved
    effects = torch.randn(statistics.gram.shape[-1], statistics.token.shape[-1], dtype=torch.float64)
    made = pooled._encoded(
        solution._replace(decoder=solution.decoder[:1], slot_codes=solution.slot_codes[..., :1]), effects, None
    )
    decoded = (made.group_effects[0] + made.slot_effects[0]) @ made.decoder
    torch.testing.assert_close(decoded.double(), effects, rtol=1e-4, atol=1e-4)


def test_without_rewrites_nothing_changes(paired, solved):
    plan = paired.capture.plan
    alone = replace(paired.capture, plan=replace(plan, entries=tuple(replace(one, of="") for one in plan.entries)))
    assert pooled.with_pairs(alone, *solved) is solved[1]
