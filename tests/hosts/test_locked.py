"""Locked drawing with the weights that ship: what is the same to the bit, and what is not."""

from functools import partial

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from supsae.hosts import locked
from supsae.hosts.diffusers import studio, transformer
from supsae.supsae_core import lock
from supsae.supsae_core.lock import LockConfig

pytestmark = pytest.mark.slow

PROMPTS = ["a portrait of a person with blond hair, smiling", "black hair, a hat"]
REWRITES = ["a portrait of a person with red hair, smiling", "blue hair, a hat"]
SEEDS = [3, 4]


@pytest.fixture(scope="module")
def models():
    return studio.load_studio()


@pytest.fixture(scope="module")
def draw(models):
    return partial(studio.draw_portraits, models)


@pytest.fixture(scope="module")
def references(models, draw):
    return locked.reference(draw, *models.host.encode(PROMPTS), SEEDS)


@pytest.fixture(scope="module")
def drawn(models, draw, references):
    return locked.hold(draw, *models.host.encode(REWRITES), references, LockConfig(), reach=1)


def test_reference_is_the_picture_drawn_alone(models, references):
    assert np.array_equal(references.pictures, studio.draw_portraits(models, *models.host.encode(PROMPTS), SEEDS))


def test_without_an_edit_nothing_changes(models, draw, references):
    same = locked.hold(draw, *models.host.encode(PROMPTS), references, LockConfig())
    assert np.array_equal(same.pictures, references.pictures) and not same.masks.any()


def test_drawing_many_quickly_draws_the_same_picture(references):
    quick = studio.quickened(studio.load_studio())
    made = studio.draw_portraits(quick, *quick.host.encode(PROMPTS), SEEDS).astype(int)
    assert np.abs(made - references.pictures).mean() < 3  # of 255; two prompts are 30 and more apart
    assert np.abs(references.pictures[0].astype(int) - references.pictures[1]).mean() > 30


def test_references_may_be_shared_in_another_order_of_lengths(models, draw, references):
    # the second prompt now has more rows than the first, so that it is sampled after it, in another batch
    conds, pooled = models.host.encode([REWRITES[0], "red hair, " * 30])
    assert len(conds[0]) < len(conds[1])
    made = locked.hold(draw, conds, pooled, references, LockConfig(floor=100.0))
    far = made.pictures.astype(int) - references.pictures  # the same latents, decoded in batches of another size
    assert np.abs(far).max() <= 1 and not np.array_equal(*references.pictures)


def test_composite_is_the_reference_outside_the_grown_mask(references, drawn):
    far = F.interpolate(lock.grown(drawn.masks, 1)[:, None].float(), (128, 128))[:, 0].numpy() == 0
    assert 0.1 < far.mean() < 1
    assert np.array_equal(drawn.composites[far], references.pictures[far])
    assert not np.array_equal(drawn.composites, references.pictures)


def test_latent_is_the_reference_outside_the_mask(models):
    noise = transformer.initial_noise(SEEDS)
    recorder = locked.StepKeeper()

    def sampled(prompts, step):
        conds, pooled = (torch.stack(one) for one in models.host.encode(prompts))
        empty = studio.negative(models, conds[0])
        return transformer.sample_latents(models.transformer, conds, pooled, empty, noise, steps=4, step=step)

    reference = sampled(PROMPTS, recorder)
    holder = locked.Holder(LockConfig(), recorder.velocity, recorder.denoised)
    held, free = sampled(REWRITES, holder), sampled(REWRITES, None)
    outside = ~holder.mask.now[:, None].expand_as(held)
    assert torch.equal(held[outside], reference[outside]) and not torch.equal(free[outside], reference[outside])
    assert torch.equal(sampled(PROMPTS, None), reference)


def test_of_several_edits_each_has_a_mask_of_its_own(models, draw, references):
    hair = ["a portrait of a person with red hair, green eyes, smiling, sandy beach", PROMPTS[1]]
    behind = ["a portrait of a person with blond hair, green eyes, smiling, pine forest", PROMPTS[1]]
    both = ["a portrait of a person with red hair, green eyes, smiling, pine forest", PROMPTS[1]]
    alone = [list(zip(*models.host.encode(texts), strict=True)) for texts in (hair, behind)]
    masks = [
        locked.masks_of_each(draw, *models.host.encode(texts), references, LockConfig())[-1] for texts in (hair, behind)
    ]
    made = locked.hold(draw, *models.host.encode(both), references, LockConfig(), alone=alone)
    assert torch.equal(made.masks, masks[0] | masks[1]) and masks[0][0].any() and masks[1][0].any()
    assert not made.masks[1].any()  # of the other picture neither changes anything
    assert np.array_equal(made.pictures[1], references.pictures[1])
