"""Codes and decoder, the slider's map, and the phrase that an edit writes."""

from dataclasses import replace

import pytest
import torch

from supsae.supsae_core.dictionary.model import POOLED
from supsae.supsae_core.dictionary.slider_map import SliderMap


def test_encode_is_the_inverse_of_decode(learnt):
    # the decoder's rows are orthonormal up to its half precision, 2⁻¹¹ a number; codes are sums over about 200 columns
    for part in learnt.dictionary.parts.values():
        codes = torch.randn(7, len(part.decoder), generator=torch.Generator().manual_seed(0))
        torch.testing.assert_close(part.encode(part.decode(codes)), codes, rtol=0, atol=0.02)


@pytest.mark.parametrize(
    ("slider", "strength"), [(0, 0), (0.25, 0.3), (0.5, 0.6), (0.75, 0.8), (1, 1), (2, 2), (3, 3), (-0.5, -0.6)]
)
def test_strength_runs_through_the_knots(learnt, slider, strength):
    # knots (0, 0), (0.5, 0.6), (1, 1), (2, 2); straight between them and beyond the ends: slope 1.2, then 0.8, then 1
    bent = replace(learnt.dictionary, slider=((0.5, 0.6), (1.0, 1.0), (2.0, 2.0)))
    assert bent.strength(slider) == pytest.approx(strength, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(
    ("given", "strength"), [(-3, -2.5), (-1, -0.5), (0, 0), (0.25, 0.35), (0.5, 0.7), (0.75, 0.85), (1, 1), (2, 2)]
)
def test_a_concepts_map_runs_through_zero_and_its_knots(given, strength):
    # between the knots by straight lines, and below them by the first one's slope, 1
    found = SliderMap(((-2.0, -1.5), (-1.0, -0.5), (0.5, 0.7), (1.0, 1.0), (3.0, 3.0)), 0.0, 1.0)
    assert found.strength(given) == pytest.approx(strength, rel=1e-12, abs=1e-12)


def test_no_edit_is_none_to_the_last_bit():
    # by the straight line from (−3.7476…, −1.1) to (0, 0) rounding may leave something of 0
    for low in torch.linspace(-4, -0.1, 50).tolist():
        assert SliderMap(((low, low / 3), (1.0, 1.0)), 0.0, 1.0).strength(0.0) == 0


def test_codes_are_about_their_category(learnt):
    codes = learnt.dictionary.codes
    ranks = [len(part.decoder) for name, part in learnt.dictionary.parts.items() if name != POOLED]
    assert codes.shape == (len(learnt.table), sum(ranks))
    for members in learnt.table.categories.values():
        torch.testing.assert_close(codes[list(members)].sum(0), torch.zeros(sum(ranks)), rtol=0, atol=1e-4)


def test_an_edit_writes_the_first_phrase_that_was_captured_in_every_encoder(learnt):
    def uncaptured(*phrases):
        part = learnt.dictionary.parts["clip"]
        lengths = part.slot_tokens.index_fill(0, torch.tensor(phrases), 0)
        return replace(learnt.dictionary, parts=learnt.dictionary.parts | {"clip": replace(part, slot_tokens=lengths)})

    # background: beach has phrases 0 and 1
    assert learnt.dictionary.writes == learnt.table.first_phrase
    assert uncaptured(0).phrase(0) == 1 and uncaptured(0, 1).writes[0] is None
    with pytest.raises(ValueError, match="'background: beach' was never written in the captured prompts. Capture more"):
        uncaptured(0, 1).phrase(0)


def test_cuts_of_an_older_file_change_nothing(learnt):
    # two thresholds: the second one is for everything, the second look alone decides, and no token counts apart
    part = replace(learnt.dictionary.parts["t5"], thresholds=torch.tensor([0.5, -2.0]))
    assert part.cuts == (0.5, -2.0, -2.0, -2.0, 1.0, 0.0, -2.0, 0.0, -1.0)
