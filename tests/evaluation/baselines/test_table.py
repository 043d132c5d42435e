"""The baselines: each does what it says by hand on a toy, and all keep to one signature."""

import inspect

import pytest
import torch
from torch import nn

from supsae.evaluation.baselines import flattened_ridge, latents, mean_difference, topk
from supsae.evaluation.baselines.additive import Additive
from supsae.evaluation.baselines.latents import LatentPart
from supsae.evaluation.baselines.paper import PaperConfig
from supsae.evaluation.baselines.table import BASELINES
from supsae.evaluation.baselines.topk import Coder, TopKConfig
from supsae.evaluation.reproduction.asked import ReproduceConfig, draw_experiment
from supsae.portraits import captions
from supsae.supsae_core.capture.captures import Capture, start_capture
from supsae.supsae_core.capture.plan import Entry, TextPlan
from supsae.supsae_core.encoders.families import FAMILIES
from supsae.supsae_core.table.parsing import table_from_mapping
from supsae.supsae_core.table.prompts import Mention, Prompt
from supsae.training import capture

pytestmark = pytest.mark.slow

SMALL = {
    "paper": {"config": PaperConfig(epochs=20)},
    "paper, all dimensions": {"config": PaperConfig(keep=2**31, epochs=4)},
    "position-wise delta": {"templates": ("{}",)},
    "TopK auto-encoder": {"config": TopKConfig(latents=64, active=8, steps=60, batch=256)},
    "sparse direction": {"config": TopKConfig(latents=64, active=8, steps=60, batch=256)},
}
"""Settings that keep these tests quick."""


@pytest.fixture(scope="module")
def fitted(learnt):
    return {name: fit(learnt.capture, learnt.host, **SMALL.get(name, {})) for name, fit in BASELINES.items()}


@pytest.fixture(scope="module")
def pairs(learnt):
    """Calibration prompts and their rewrites."""
    rows = [row for row in learnt.capture.read() if row.entry.set != "fit"][:16]
    return list(zip(rows[::2], rows[1::2], strict=True))


@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_keeps_the_contract(fitted, pairs, name):
    asked = inspect.signature(fitted[name].edit).parameters
    assert list(asked) == ["cond", "pooled", "old", "new", "strength"] and asked["strength"].default == 1.0
    before, _ = pairs[0]
    cond, pooled = fitted[name].edit(before.cond, before.pooled, [0], [1], 0.0)
    assert cond is before.cond and pooled is before.pooled
    longer = torch.cat([before.cond, before.cond[-48:]])
    with pytest.raises(ValueError, match=r"fitted to conditionings of \(96, 192\) rows.* cannot edit \(144, 192\)"):
        fitted[name].edit(longer, before.pooled, [0], [1])


@pytest.fixture(scope="module")
def template(learnt, tmp_path_factory):
    """Prompts of one template: hair stands at the same rows of all, as those need it who know rows by their numbers."""
    drawn = draw_experiment(
        learnt.table, learnt.host, ReproduceConfig(prompts=150, calibration=4, swaps=8, qualifying=0)
    )
    return capture.capture_text(learnt.host, tmp_path_factory.mktemp("template"), drawn.plan), drawn.cases


@pytest.mark.parametrize("name", [name for name in BASELINES if name != "position-wise delta"])
def test_an_edit_comes_closer_to_the_rewrite(template, learnt, name):
    # A baseline that does nothing leaves the whole change; one that edits a wrong concept adds to it. The position-wise
    # delta knows phrases by themselves, at other rows than a prompt has them at.
    captured, cases = template
    fitted, left, whole = BASELINES[name](captured, learnt.host, **SMALL.get(name, {})), 0.0, 0.0
    for case in cases:
        before, after = (learnt.encoded(prompt) for prompt in (case.prompt, case.rewrite))
        kept = before.cond.clone()
        cond, pooled = fitted.edit(before.cond, before.pooled, case.before, case.after)
        assert torch.equal(before.cond, kept), "edited in place"
        left += float((cond - after.cond).square().sum() + (pooled - after.pooled).square().sum())
        whole += float((before.cond - after.cond).square().sum() + (before.pooled - after.pooled).square().sum())
    assert left < 0.97 * whole


@pytest.mark.parametrize("name", BASELINES)
def test_strength_is_a_factor(fitted, pairs, name):
    before, _ = pairs[0]
    full, half = (fitted[name].edit(before.cond, before.pooled, [0], [1], s) for s in (1.0, 0.5))
    torch.testing.assert_close(half[0] - before.cond, (full[0] - before.cond) / 2)
    torch.testing.assert_close(half[1] - before.pooled, (full[1] - before.pooled) / 2)


@pytest.mark.parametrize("name", [name for name in BASELINES if not name.startswith("paper")])  # theirs: test_paper.py
def test_fitting_again_gives_the_same(fitted, learnt, pairs, name):
    seen, (before, _) = [], pairs[0]
    again = BASELINES[name](learnt.capture, learnt.host, progress=lambda *at: seen.append(at), **SMALL.get(name, {}))
    assert seen and seen[-1][0] == seen[-1][1] == len({done for done, _ in seen})
    one, other = (model.edit(before.cond, before.pooled, [0], [1]) for model in (again, fitted[name]))
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_additive_by_hand():
    # K = 3 concepts on 1 row of 2 columns, pooled 1 wide. From {0, 2} to {1, 2}: + e₁ − e₀; 2 stays and counts nothing.
    rows = torch.tensor([[[1.0, 2.0]], [[10.0, 20.0]], [[100.0, 200.0]]])
    model = Additive(rows, torch.tensor([[3.0], [5.0], [7.0]]))
    cond, pooled = model.edit(torch.zeros(1, 2), torch.zeros(1), [0, 2], [1, 2], 2.0)
    assert cond.tolist() == [[18.0, 36.0]] and pooled.tolist() == [4.0]
    assert model.edit(torch.zeros(1, 2), torch.zeros(1), [0, 2], [2])[0].tolist() == [[-1.0, -2.0]]


def test_ridge_against_least_squares():
    # ‖A b − x‖² + s ‖b‖² is least squares with rows √s·1 below A, but none for the bias
    generator = torch.Generator().manual_seed(0)
    labels = (torch.rand(60, 3, generator=generator) < 0.5).double()
    x = labels @ torch.randn(3, 4, generator=generator, dtype=torch.float64)
    x += 0.5 * torch.randn(60, 4, generator=generator, dtype=torch.float64)
    effects, bias, strength = flattened_ridge.regress(labels, x)
    a = torch.cat([labels, torch.ones(60, 1)], 1)
    below = torch.eye(4, dtype=torch.float64)[:3] * strength**0.5
    wanted = torch.linalg.lstsq(torch.cat([a, below]), torch.cat([x, torch.zeros(3, 4)])).solution
    torch.testing.assert_close(torch.cat([effects, bias[None]]), wanted, rtol=1e-10, atol=1e-12)


def test_ridge_strength_follows_the_folds():
    # without noise nothing is gained by shrinking; of labels that say nothing every effect is too much
    generator = torch.Generator().manual_seed(0)
    labels = (torch.rand(100, 3, generator=generator) < 0.5).double()
    clean, noise = labels @ torch.eye(3).double(), torch.randn(100, 3, generator=generator, dtype=torch.float64)
    found = [flattened_ridge.regress(labels, x)[2] for x in (clean, noise)]
    assert found == [min(flattened_ridge.STRENGTHS), max(flattened_ridge.STRENGTHS)]


@pytest.fixture
def toy(tmp_path):
    """20 prompts of ten 'red's and ten 'blue's, always 1 in all columns; 'red' adds 2 to causal row 5."""
    table = table_from_mapping({"colour": {"red": ["red"], "blue": ["blue"]}})
    two = [Prompt((word,), (Mention(index, 0, 1),)) for index, word in enumerate(("red", "blue"))]
    entries = [Entry(prompt, "fit", {"clip": (1,), "t5": (1,)}) for prompt in 10 * two]
    plan = TextPlan(table, FAMILIES["portraits"], tuple(entries), (), {"cond": (1.0,) * 64}, 0)
    made: Capture = start_capture(tmp_path / "toy", plan)
    conds = []
    for entry in entries:
        cond = torch.ones(96, 192)
        cond[:48, 128:] = 0
        cond[5, :128] += 2 * (entry.prompt.text == "red")
        conds.append(cond)
    made.write(0, conds, [torch.full((128,), float(entry.prompt.text == "red")) for entry in entries])
    return made


def test_broadcast_by_hand(toy):
    # The mean over 48 rows differs by 2 / 48, and every causal row gets that; the other encoder's rows do not differ.
    # Both labels are shrunk alike by 0.001 of 10 prompts (twice that, since they share the difference): 2e-4.
    cond, pooled = mean_difference.fit(toy, None).edit(torch.zeros(96, 192), torch.zeros(128), [1], [0])
    wanted = torch.zeros(96, 192)
    wanted[:48, :128] = 2 / 48
    torch.testing.assert_close(cond, wanted, rtol=5e-4, atol=1e-6)
    torch.testing.assert_close(pooled, torch.ones(128), rtol=5e-4, atol=0)


def test_flattened_by_hand(toy):
    cond, _ = flattened_ridge.fit(toy, None).edit(torch.zeros(96, 192), torch.zeros(128), [1], [0])
    wanted = torch.zeros(96, 192)
    wanted[5, :128] = 2.0
    torch.testing.assert_close(cond, wanted, rtol=5e-4, atol=1e-6)


def test_a_bare_delta_turns_one_bare_text_into_the_other(fitted, learnt):
    # each of the two has one phrase only
    (blue, green), pooled = learnt.host.encode(["blue eyes", "green eyes"])
    old, new = (captions.table().index(f"eyes: {name}") for name in ("blue", "green"))
    made = fitted["position-wise delta"].edit(blue, pooled[0], [old], [new])
    torch.testing.assert_close(made[0], green, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(made[1], pooled[1], rtol=1e-5, atol=1e-5)


IDENTITY = Coder(torch.eye(3), torch.zeros(3), torch.eye(3), torch.zeros(3), 2)
"""Latents are columns; the two largest speak."""


def test_a_dead_latent_is_taught_what_is_left():
    # z = (2, 0) of x = (2, 1): what is left is (0, 1). x is (2, 1) and (0, 0), the mean (1, 0.5), so the spread is
    # 2 · 1.25 = 2.5 and the loss 1 / 2.5. The second latent, long dead, is heard at 1 in the first row and would
    # explain all that is left.
    coder = Coder(torch.eye(2), torch.zeros(2), torch.eye(2), torch.zeros(2), 1)
    x, config = torch.tensor([[2.0, 1.0], [0.0, 0.0]]), TopKConfig(dead=3, aid=0.5)
    silent = torch.tensor([7.0, 7.0])
    assert float(topk.loss(coder, x, silent, config)) == pytest.approx(0.4)
    assert silent.tolist() == [0, 8]
    deaf = Coder(torch.tensor([[1.0, 0.0], [0.0, 0.0]]), *list(vars(coder).values())[1:])
    assert float(topk.loss(deaf, x, torch.tensor([7.0, 7.0]), config)) == pytest.approx(0.4 + 0.5)
    assert float(topk.loss(deaf, x, torch.tensor([0.0, 0.0]), config)) == pytest.approx(0.4)


def test_training_finds_directions():
    # every vector is one of 6 random directions times 1 … 2: with one latent each, nearly nothing need be lost
    generator = torch.Generator().manual_seed(1)
    directions = nn.functional.normalize(torch.randn(6, 16, generator=generator), dim=1)
    x = (1 + torch.rand(600, 1, generator=generator)) * directions[torch.arange(600) % 6]
    config = TopKConfig(latents=24, active=2, steps=100, batch=64, rate=2e-2)
    coder = topk.train(x, config)
    lost = (coder.decode(coder.encode(x)) - x).square().sum() / (x - x.mean(0)).square().sum()
    assert lost < 0.05
    with torch.inference_mode():  # as ComfyUI runs nodes
        again = topk.train(x.clone(), config)
    assert torch.equal(again.decoder, coder.decoder)


def test_area_under_the_curve():
    # said in prompts 0, 1. Latent 0: 3, 0 against 2, 0, 0: wins 3 of 3 and 0 + two coins of 3 → 4 / 6; latent 1 tells.
    activations = torch.tensor([[3.0, 5.0], [0.0, 4.0], [2.0, 1.0], [0.0, 0.0], [0.0, 0.0]])
    labels = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    found = latents.auc(activations, labels)
    assert found[0].tolist() == pytest.approx([4 / 6, 1.0])
    assert found[1].tolist() == [0.5, 0.5]  # never said


def test_latents_of_a_concept():
    # concept 0 is said in the first prompt: latent 2 speaks there alone, on one of two tokens, at 4
    x = [torch.tensor([[0.0, 1.0, 4.0], [0.0, 1.0, 0.0]]), torch.tensor([[2.0, 1.0, 0.0], [0.0, 3.0, 0.0]])]
    part = latents.matched(IDENTITY, x, torch.tensor([[1.0, 0.0], [0.0, 1.0]]), 1)
    assert part.latents[0].tolist() == [2] and part.typical[0].tolist() == [4.0]


PART = LatentPart(IDENTITY, torch.tensor([[0], [1]]), torch.tensor([[7.0], [9.0]]))


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        # token 0 says concept 0 at 5, which goes; concept 1 comes there at 9. Token 1 does not speak and stays.
        ((0, 1), [[-5, 9, 0], [0, 0, 0]]),
        ((0, None), [[-5, 0, 0], [0, 0, 0]]),
        ((None, 1), [[0, 9, 0], [0, 9, 0]]),
    ],
)
def test_a_move_by_hand(change, wanted):
    assert PART.move(torch.tensor([[5.0, 0.0, 1.0], [0.0, 0.0, 1.0]]), [change]).tolist() == wanted


def test_the_best_part_makes_the_least_error():
    before, after = torch.tensor([[5.0, 0.0, 1.0]]), torch.tensor([[0.0, 9.0, 1.0]])
    weak = LatentPart(IDENTITY, PART.latents, PART.typical / 2)
    assert latents.best([weak, PART], [(before, after, (0, 1))]) is PART
    assert latents.best([PART, weak], [(before, after / 2, (0, 1))]) is weak
