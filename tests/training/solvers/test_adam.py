"""The paper's optimiser: its loss against the samples themselves, and its optimum against the truncated SVD."""

import pytest
import torch

from supsae.supsae_core.capture.statistics import FOLDS, Statistics
from supsae.training.solvers.adam import AdamConfig, Weights, adam, learn, loss, start, targets
from supsae.training.solvers.groups import Groups

GROUPS = Groups(torch.tensor([0, 0, 1]), 2)
LENGTHS, CONCEPTS, WIDTH = (2, 1, 2), 3, 5


def noise(count=20):
    """Per slot labels (n, K) and rows (n, T, d), the same number in every fold."""
    generator = torch.Generator().manual_seed(0)
    number = FOLDS * count
    return [
        (
            torch.randint(0, 2, (number, CONCEPTS), generator=generator).double(),
            1 + torch.randn(number, length, WIDTH, generator=generator).double(),
        )
        for length in LENGTHS
    ]


def summed(samples):
    statistics = Statistics.zeros(len(LENGTHS), CONCEPTS, max(LENGTHS), WIDTH)
    for slot, (labels, rows) in enumerate(samples):
        for fold in range(FOLDS):
            statistics.add(fold, slot, labels[fold::FOLDS], rows[fold::FOLDS])
    return statistics


def test_the_loss_is_that_of_the_samples():
    """Two sets of weights: their losses differ by as much as the mean squared errors of the decoded samples do."""
    samples = noise()
    wanted = targets(summed(samples).total(), GROUPS)

    def error(weights):
        total, number = 0.0, 0
        for slot, (labels, rows) in enumerate(samples):
            code = weights.constant[slot, None, : LENGTHS[slot]] + (
                (labels - labels.mean(0)).float() @ weights.shared[GROUPS.of[slot]]
            ).unsqueeze(1)
            off = code @ weights.decoder + weights.bias - rows.float() / wanted.scale
            total, number = total + float(off.square().sum()), number + off.numel()
        return total / number

    one, other = (start(wanted, AdamConfig(rank=4, seed=seed)) for seed in (0, 1))
    torch.testing.assert_close(
        float(loss(one, wanted) - loss(other, wanted)), error(one) - error(other), rtol=1e-4, atol=1e-5
    )


@pytest.mark.slow
def test_one_slot_ends_at_the_truncated_svd():
    """White labels make it plain: the best codes of width 1 are along the first singular vector of the effects."""
    labels = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]).double().repeat(4, 1)
    slope = torch.tensor([[3.0, 0.0, 0.0], [0.0, 2.0, 0.0]]).double()  # orthogonal, so the SVD is itself
    statistics = Statistics.zeros(1, 2, 1, 3)
    for fold in range(FOLDS):
        statistics.add(fold, 0, labels, (labels @ slope)[:, None])
    found = adam(statistics, Groups(torch.zeros(1, dtype=torch.int64), 0), AdamConfig(rank=1, steps=400))
    # Of ‖x − mean‖² = (9 + 4) / 4 a sample, the second direction's 4 / 4 is what one code cannot say.
    assert abs(found.measured["fvu_slot"] - 4 / 13) < 1e-3
    made = (found.group_effects[0] @ found.decoder).double()
    torch.testing.assert_close(made, torch.tensor([[3.0, 0.0, 0.0], [0.0, 0.0, 0.0]]).double(), rtol=0, atol=2e-2)


def test_it_learns_where_a_host_forbids_gradients():
    with torch.inference_mode():  # as ComfyUI runs nodes
        wanted = targets(summed(noise()).total(), GROUPS)
        made = learn(wanted, AdamConfig(rank=2, steps=3))
    assert isinstance(made, Weights) and not any(one.requires_grad for one in made)
