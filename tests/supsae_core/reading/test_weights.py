"""Prompt weights: reading them off, finding weighted phrases, and editing them."""

import pytest
import torch

from supsae.supsae_core.editing.apply import apply
from supsae.supsae_core.editing.edits import Swap
from supsae.supsae_core.encoders.base import Rows
from supsae.supsae_core.reading import weights
from supsae.supsae_core.reading.coded import CodedRows
from supsae.supsae_core.reading.readout import read_conditioning
from supsae.training.calibration import known_reading

RED, BLACK = "hair: red", "hair: black"
HAIR = [1 + 5, 1 + 6, 48 + 5, 48 + 6]
"""Rows of the hair: five words stand before it, and the causal rows begin with a start."""


@pytest.mark.parametrize("weight", [0.5, 0.8, 1.0, 1.2, 1.9])
def test_a_weighted_phrase_is_found_and_its_weight_read_off(learnt, weighted, weight):
    row = weighted(RED, weight)
    reading, truth = read_conditioning(learnt.dictionary, row.cond), known_reading(learnt.dictionary, row)
    for name, layout in reading.layouts.items():
        assert [span.rows for span in layout.spans] == [span.rows for span in truth.layouts[name].spans]
        hair, *others = (span.weight for span in layout.spans)
        assert hair == (1 if weight == 1 else pytest.approx(weight, abs=0.12))
        assert others == [1, 1]


@pytest.mark.parametrize("weight", [0.7, 1.4])
def test_a_weighted_phrase_swaps_to_its_weighted_rewrite(learnt, weighted, weight):
    before, after = (weighted(hair, weight) for hair in (RED, BLACK))
    made = apply(learnt.dictionary, before.cond, before.pooled, [Swap(BLACK)])
    off, change = (one.cond[HAIR] - after.cond[HAIR] for one in (made, before))
    unaware = known_reading(learnt.dictionary, before)  # of plain words
    plain = apply(learnt.dictionary, before.cond, before.pooled, [Swap(BLACK)], unaware)
    # 0.19 of the change is left, as without a weight; with it ignored also (1 − w)² / w², 0.18 or 0.08 of it
    assert off.square().sum() < 0.25 * change.square().sum(), off.square().sum() / change.square().sum()
    assert off.square().sum() < 0.9 * (plain.cond[HAIR] - after.cond[HAIR]).square().sum()


def test_the_empty_prompt_is_an_end_and_pads(learnt):
    # behind the start row of a chunk, and at the first of the other rows, stands the end of the empty prompt
    causal, other = learnt.dictionary.family.encoders
    for encoder, places in ((causal, [1, 2, 5, 49, 50]), (other, [96, 97, 99])):
        own, part = range(96) if encoder is causal else range(96, 144), learnt.dictionary.parts[encoder.name]
        codes = CodedRows(learnt.dictionary, encoder, Rows({encoder.name: own}, own.stop), part).empty(places)
        same = [bool((code == codes[0]).all()) for code in codes]
        assert same == [place in (1, 49, 96) for place in places]


@pytest.mark.parametrize("weight", [0.5, 1.0, 1.7])
def test_the_mismatch_is_least_at_the_best_weight(weight):
    """Against a fine grid of weights: 2 · −log p(u | w), for u = w (t + noise), is ‖u / w − t‖² + 2 n log w."""
    torch.manual_seed(0)
    t, n = 4 * torch.randn(12), 12
    u = weight * (t + torch.randn(12))
    grid = torch.linspace(*weights.WEIGHTS, 4001)
    wanted = ((u / grid[:, None] - t).square().sum(1) + 2 * n * grid.log()).min()
    found = weights.mismatch(weights.inverse_weight(u @ u, u @ t, torch.tensor(n)), u @ u, u @ t, t @ t, n)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-3)
