"""The benchmark of concepts from pictures, on Portraits' own models: no figure is judged."""

import numpy as np
import pytest
import torch

from supsae.evaluation.outcomes import Outcome
from supsae.portraits import scene

pytest.importorskip("diffusers")
from supsae.hosts.diffusers import studio

pytestmark = pytest.mark.slow
HAIR, SKIN = 0, 3


@pytest.fixture(scope="module")
def models():
    return studio.load_studio()


@pytest.mark.parametrize("tone", [0.0, 0.3, 0.65, 0.9])
def test_skin_is_read_as_it_was_drawn(benchmark, tone):
    factors = scene.sample_factors(np.random.default_rng(3))
    picture = np.asarray(scene.draw_portrait(factors, scene.Nuisance(skin=tone)))
    (found,) = benchmark("pole_pictures").skins(picture[None])
    assert found == pytest.approx(tone, abs=0.02)  # colours are whole bytes, tones a hundredth apart


@pytest.mark.parametrize("at", [HAIR, SKIN])
def test_paired_pictures_differ_in_the_concept_alone(benchmark, at):
    own = benchmark("pole_pictures")
    low, high = own.pictures(own.CONCEPTS[at], 3, np.random.default_rng(0))
    assert low.shape == (3, 128, 128, 3) and (low != high).any((1, 2, 3)).all()
    assert (low[:, :8] == high[:, :8]).all()  # the backdrop above the head
    apart, other = own.pictures(own.CONCEPTS[at], 3, np.random.default_rng(0), paired=False)
    assert (apart == low).all() and (apart[:, :8] != other[:, :8]).any()


def test_what_pictures_differ_in_turns_round_with_them(benchmark, models):
    own = benchmark("pole_pictures")
    both = own.pictures(own.CONCEPTS[HAIR], 2, np.random.default_rng(0))
    found = own.recorded(models, both)
    assert found.shape == (len(own.LEVELS), 64, models.transformer.inner_dim)  # 128 pixels are 8 x 8 tokens
    assert not found[0].any()  # at noise level 1 nothing is left of a picture
    assert found[-1].any() and torch.equal(own.recorded(models, both[::-1].copy()), -found)


def test_a_case_says_the_low_pole_and_its_rewrite_the_high_one(benchmark):
    own = benchmark("from_pictures")
    asked = own.asked_of(own.CONCEPTS[HAIR], np.random.default_rng(2))
    assert "black hair" in asked.prompt and asked.rewrite == asked.prompt.replace("black hair", "red hair")
    skin = own.asked_of(own.CONCEPTS[SKIN], np.random.default_rng(2))
    assert skin.rewrite == f"{skin.prompt}, dark skin" and "skin" not in skin.prompt


def test_the_strength_with_most_of_both_is_taken(benchmark):
    yes, moved, no = Outcome(True, {"hat": True}), Outcome(True, {"hat": False}), Outcome(False, {"hat": True})
    best = benchmark("from_pictures").best
    assert best({0.5: [yes, no], 1.0: [yes, yes], 2.0: [moved, yes]}) == 1.0
    assert best({0.5: [no, yes], 1.0: [moved, yes], 2.0: [moved, yes]}) == 1.0  # more shown, then less strength
