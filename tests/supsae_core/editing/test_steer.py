"""Steering inside the model: what is put in where, between noise levels, and on a picture of another size."""

from contextlib import nullcontext

import pytest
import torch

from supsae.supsae_core.editing import steer
from supsae.supsae_core.editing.edits import Swap, resolve_edits
from supsae.supsae_core.editing.steer import STEPS, Stretch, Where, at_level, on_grid, stretches
from supsae.supsae_core.encoders.sites import Site, parse_sites
from supsae.supsae_core.encoders.streams import IMAGE
from supsae.supsae_core.reading.readout import read_conditioning

assert set(STEPS) == set(IMAGE), "every kind of rows has its step, and no other"


@pytest.mark.parametrize(
    ("sites", "inside", "wanted"),
    [
        ("cond, pooled", False, []),
        ("txt@0", False, [("txt", 0, 0)]),
        ("txt@2-4", True, [("txt", 2, 4)]),
        ("txt@0, txt@2-3", True, [("txt", 0, 0), ("txt", 2, 3)]),
        ("txt@0, txt@2-3", False, [("txt", 0, 3)]),  # put in once: the stream carries it on
        ("img@2, txt@3, txt@2", True, [("txt", 2, 3), ("img", 2, 2)]),
    ],
)
def test_stretches(sites, inside, wanted):
    assert stretches(Where(parse_sites(sites), inside=inside)) == [Stretch(*one) for one in wanted]


def test_one_edit_is_not_made_twice():
    with pytest.raises(ValueError, match="cond reaches every block already, so txt@4 would make the edit twice"):
        Where(parse_sites("cond, txt@4"))
    with pytest.raises(ValueError, match="No site is chosen"):
        Where(())


def test_between_noise_levels():
    steps, centres = torch.tensor([[1.0], [3.0], [7.0]]), (0.9, 0.5, 0.1)
    found = [float(at_level(steps, centres, sigma)) for sigma in (1.0, 0.9, 0.7, 0.5, 0.2, 0.1, 0.0)]
    assert found == pytest.approx([1, 1, 2, 3, 6, 7, 7])  # 0.7 is half way from 0.9 to 0.5, 0.2 three quarters on
    assert float(at_level(steps[:1], (0.5,), 0.8)) == 1


def test_another_size_and_a_mask():
    step = torch.arange(4.0)[:, None]  # a grid of 2 × 2: 0 1 / 2 3
    assert on_grid(step, (2, 2), (2, 2), None) is step
    assert on_grid(step[:1], (2, 2), (5, 7), None).shape == (1, 1)
    larger = on_grid(step, (2, 2), (4, 4), None).view(4, 4)
    assert larger[0, 0] == 0 and larger[3, 3] == 3 and torch.equal(larger.T[:, 0], larger[0])
    mask = torch.zeros(8, 8)
    mask[:4] = 1  # the upper half
    assert on_grid(step + 1, (2, 2), (2, 2), mask).flatten().tolist() == [1, 2, 0, 0]
    mask[4:6] = 1  # and a quarter more: half of each lower token
    assert on_grid(step[1:2], (2, 2), (2, 2), mask).flatten().tolist() == [1, 1, 0.5, 0.5]


BLOND, RED, CROWN, BEACH = "hair: blond", "hair: red", "hat: crown", "background: beach"


@pytest.fixture(scope="module")
def moved(deep, person):
    """Return `moved(sites)`: what making blond hair red adds there, next to a crown and a beach."""
    cond = person(BLOND, CROWN, BEACH).cond
    reading = read_conditioning(deep, cond)
    found = resolve_edits(deep, [Swap(RED)], reading.concepts(deep))
    return lambda sites: steer.moves(deep, cond, reading, found, Where(parse_sites(sites)))


def test_only_what_is_asked_for_is_computed(moved):
    both, text, later = moved("cond, pooled"), moved("txt@2"), moved("img@2")
    assert both.cond.shape == (96, 192) and both.pooled.shape == (128,) and not both.streams
    assert torch.equal(text.cond, both.cond) and text.pooled is None and not text.streams
    assert later.cond is None and later.pooled is None
    shapes = {str(site): tuple(step.shape) for site, step in later.streams.items()}
    assert shapes == {"img@2": (2, 1, 6)}


def test_the_mean_of_the_image_moves_by_the_difference_of_effects(deep, moved):
    (codes,) = set(deep.streams["img@2/mean"])
    blond, red = map(deep.table.index, (BLOND, RED))
    wanted = (codes.effect(0)[red] - codes.effect(0)[blond]) @ codes.decoder
    torch.testing.assert_close(moved("img@2").streams[Site("img", 2)][0, 0], wanted)


def test_places_that_attend_take_the_new_phrase_in_the_old_context(deep, moved):
    codes, context = deep.streams["img@3/attention"][0], torch.zeros(len(deep.table))
    context[[deep.table.index(name) for name in (CROWN, BEACH)]] = 1
    old, new = (codes.code(deep.phrase(deep.table.index(name)), 0, context) for name in (BLOND, RED))
    torch.testing.assert_close(moved("img@3").streams[Site("img", 3)][0, 0], (new - old) @ codes.decoder)


@pytest.mark.parametrize(
    ("sites", "masked", "sentence"),
    [
        ("cond, pooled", False, None),
        ("txt@0-2, img@2", False, None),
        ("img@3", True, None),
        ("img@3", False, "Connect a mask"),
        ("txt@2", False, None),
        ("img@1", False, "nothing for img@1; it has cond, pooled, txt@ with any block, img@2, img@3"),
        ("img@0", False, "run Capture with prompts and blocks at img@0"),
    ],
)
def test_sites_that_a_dictionary_has(deep, sites, masked, sentence):
    with pytest.raises(ValueError, match=sentence) if sentence else nullcontext():
        steer.check_sites(deep, Where(parse_sites(sites)), masked=masked)
