"""The paper's own model, kept for comparison: flattened by position, codes shared by all prompts, fitted by Adam."""

from dataclasses import replace

import pytest
import torch

from supsae.evaluation.baselines import paper
from supsae.evaluation.baselines.paper import PaperConfig
from supsae.portraits import captions
from supsae.training import capture
from supsae.training.capture import CaptureConfig

CONFIG = PaperConfig(width=3, keep=40, epochs=15)


@pytest.fixture(scope="module")
def captured(learnt, tmp_path_factory):
    plan = capture.plan_text(learnt.table, learnt.host, CaptureConfig(prompts=40, calibration=4), captions.WORDING)
    return capture.capture_text(learnt.host, tmp_path_factory.mktemp("paper"), plan)


@pytest.fixture(scope="module")
def fitted(captured):
    return paper.fit(captured, None, CONFIG)


def features(captured):
    rows = [row for row in captured.read() if row.entry.set == "fit" and row.cond.shape == (96, 192)]
    return torch.stack([torch.cat([row.cond.flatten(), row.pooled]) for row in rows]), rows


def test_decode_by_hand():
    # K = 2 concepts of d = 2 codes; both present: σ(Y) = [1, −0.02 | 3, 4] (slope 0.01 below 0), W picks and adds
    codes = torch.tensor([[1.0, -2.0], [3.0, 4.0]])
    decoder = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 10.0]])
    bias = torch.tensor([0.5, -0.5])
    made = paper.decode(torch.tensor([[1.0, 1.0], [1.0, 0.0], [0.0, 0.0]]), codes, decoder, bias)
    torch.testing.assert_close(made, torch.tensor([[1 + 3 + 0.5, -0.02 + 3 + 40 - 0.5], [1.5, -0.52], [0.5, -0.5]]))


def test_the_kept_dimensions_are_those_of_the_largest_range(captured, fitted):
    x, _ = features(captured)
    spread = x.amax(0) - x.amin(0)
    assert len(fitted.kept) == 40 and fitted.shape == (96, 192)
    assert set(fitted.kept.tolist()) == set(spread.topk(40).indices.tolist())


def test_adam_explains_more_than_the_mean(captured, fitted):
    # iterative: compare residuals. The bias starts at the mean, so the mean's error is what must be beaten.
    x, rows = features(captured)
    x, table = x[:, fitted.kept], captured.plan.table
    made = torch.stack([fitted.decode(row.entry.prompt.support(table)) for row in rows])
    assert (made - x).square().sum() < 0.8 * (x - x.mean(0)).square().sum()


def test_progress_and_reproducibility(captured, fitted):
    seen = []
    again = paper.fit(captured, None, CONFIG, progress=lambda *at: seen.append(at))
    assert seen == [(i, 15) for i in range(1, 16)] and torch.equal(again.codes, fitted.codes)
    assert not torch.equal(paper.fit(captured, None, replace(CONFIG, seed=1, epochs=1)).codes, fitted.codes)


def test_an_edit_adds_the_decoded_difference_to_the_kept_dimensions(captured, fitted):
    x, rows = features(captured)
    row, old, new = rows[0], [0, 5], [1, 5]
    cond, pooled = fitted.edit(row.cond, row.pooled, old, new, 0.5)
    moved = torch.cat([cond.flatten(), pooled]) - x[0]
    torch.testing.assert_close(
        moved[fitted.kept], 0.5 * (fitted.decode(new) - fitted.decode(old)), rtol=1e-4, atol=1e-5
    )
    moved[fitted.kept] = 0
    assert not moved.any() and torch.equal(torch.cat([row.cond.flatten(), row.pooled]), x[0])
