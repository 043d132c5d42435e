"""The Lock inside ComfyUI: every sampler equal to the reference outside the mask, what is cached, refused and left."""

import pytest
import torch
from safetensors.torch import load_file

from supsae.hosts import locked
from supsae.hosts.diffusers import studio, transformer
from supsae.portraits.vae import LATENT_SCALE, LATENT_SHIFT
from supsae.supsae_core.dictionary.file import load_dictionary
from supsae.supsae_core.editing.apply import apply
from supsae.supsae_core.editing.edits import Swap
from supsae.supsae_core.lock import LockConfig

PROMPT = "a portrait of a person with blond hair, green eyes, smiling, sandy beach"


SETTING_NAMES = [
    "batch", "batch of prompts", "cfg 1", "unequal lengths", "regions", "edited twice", "skip-layer guidance",
    "ControlNet", "inpainting", "churned", "dual guider", "dual guider, cfg++", "perp-neg guider, cfg++",
]  # fmt: skip


OTHERS = ("seed", "noise", "cfg", "sampler", "scheduler", "negative", "prompt", "patch", "weights")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("lock") / "locked.safetensors"


@pytest.fixture(scope="module")
def seen(comfy_python):
    scripts = ("lock_samplers", "lock_settings", "lock_steered", "lock_cached", "lock_told")
    return {name: one for script in scripts for name, one in comfy_python(script, PROMPT).items()}


EXACT = [
    "euler", "heun", "dpmpp_2m", "dpmpp_sde", "dpmpp_2m_sde", "uni_pc", "euler_ancestral_cfg_pp", "dpm_fast",
]  # fmt: skip


def test_every_sampler_that_is_not_adaptive_is_exact_outside_the_mask(seen):
    found = seen["samplers"]
    assert set(EXACT) <= set(found) and len(found) > 40
    assert [name for name, value in found.items() if value != [True] * 4] == []


@pytest.mark.parametrize("setting", SETTING_NAMES)
def test_settings_hold_too(seen, setting):
    assert seen["ControlNet acts"]
    assert seen[setting] == [True] * 4


@pytest.mark.parametrize(
    "case",
    [
        "steered is edited", "lock behind", "both", "no edit", "no edit, result", "strength 0", "nothing may change",
        "model unchanged", "nothing left", "allowed", "allowed nowhere", "the last lock counts",
        "cached is fresh", "other edit is fresh", "reference", "composite", "inside", "no edit, no mask",
        "usable after an error",
    ],
)  # fmt: skip
def test_equal_to_the_bit(seen, case):
    assert seen[case] is True


def test_a_known_reference_is_not_sampled_again(seen):
    # 3 steps of Euler; the positive and the negative prompt of a step go through the model together
    assert (seen["first run"], seen["second run"], seen["other edit"]) == (6, 3, 3)
    assert seen["slider of Apply Edits"][1:] == [3, 3]


@pytest.mark.parametrize("other", OTHERS)
def test_another_run_has_another_reference(seen, other):
    assert seen[f"other {other}"]


def test_bar_moves_through_both_runs_and_previews_the_second(seen):
    # 4 steps: the reference's move it to 2 of 4, ours from there on; a known reference leaves the bar as ever
    assert seen["reference's half"] == [[0, 4], [1, 4], [1, 4], [2, 4]]
    assert seen["second half"] == [3, 3, 4, 4] and seen["previews from"] == 5
    assert seen["cached"] == [1, 2, 3, 4]


def test_interrupt_leaves_nothing_behind(seen):
    assert seen["interrupted"] == [True, True]


def test_pictures_have_the_pictures_size(seen):
    assert seen["pictures"] == [[1, 64, 64, 3], [1, 64, 64, 3], [1, 64, 64]]


@pytest.mark.parametrize(
    ("case", "sentence"),
    [
        ("adaptive", "The sampler dpm_adaptive chooses its steps by the picture"),
        ("another adaptive", "The sampler stepping chooses its steps by the picture"),
        ("averaged", "changed behind Apply Edits"),
        ("averaged and edited again", "changed behind Apply Edits"),
        ("masks", "2 masks do not fit 3 pictures"),
        ("foreign latent", "did not come out of a sampler with this Lock"),
    ],
)
def test_refused(seen, case, sentence):
    assert sentence in seen["refused"][case]


def test_diffusers_locks_the_same_picture(comfy_python, file):
    comfy_python("lock_whole", PROMPT, file)
    models = studio.load_studio()
    learnt = load_dictionary(studio.WEIGHTS / "supsae" / "portraits.safetensors")
    (cond,), (pooled,) = models.host.encode([PROMPT])
    edited = apply(learnt, cond, pooled, [Swap("hair: red")])
    noise, recorder = transformer.initial_noise([3]), locked.StepKeeper()

    def sampled(cond, pooled, step):
        empty = studio.negative(models, cond)
        return transformer.sample_latents(
            models.transformer, cond[None], pooled[None], empty, noise, steps=8, step=step
        )

    reference = sampled(cond, pooled, recorder)
    holder = locked.Holder(LockConfig(), recorder.velocity, recorder.denoised)
    made, comfys = sampled(edited.cond, edited.pooled, holder), load_file(file)
    mask = comfys["mask"]
    outside = ~mask[:, None].expand_as(made)
    assert 0.02 < mask.float().mean() < 0.9 and torch.equal(comfys["samples"][outside], comfys["reference"][outside])
    # A cell at the very threshold may fall on either side: the hosts' rounding differs by about 1e-5.
    assert (mask == holder.state.mask).float().mean() > 0.99
    for one, other in ((comfys["reference"], reference), (comfys["samples"], made)):
        far = ((one - LATENT_SHIFT) * LATENT_SCALE - other).abs().amax(1)
        assert far[mask == holder.state.mask].quantile(0.95) < 1e-3
