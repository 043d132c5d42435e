"""One file, two hosts: ComfyUI's loaders, KSampler, VAE, Lock, captures and renderer do what diffusers' do."""

import json
from dataclasses import fields
from functools import partial

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from supsae.hosts import locked
from supsae.hosts.diffusers import studio as studios
from supsae.hosts.diffusers import transformer
from supsae.hosts.diffusers.recording import DiffusersPictures
from supsae.portraits import captions
from supsae.portraits.vae import LATENT_SCALE, LATENT_SHIFT
from supsae.supsae_core.capture.activations import load_activations
from supsae.supsae_core.capture.captures import load_capture
from supsae.supsae_core.capture.plan import difference
from supsae.supsae_core.capture.statistics import Statistics
from supsae.supsae_core.dictionary.file import load_dictionary
from supsae.supsae_core.editing.apply import apply
from supsae.supsae_core.editing.edits import Swap
from supsae.supsae_core.encoders.sites import parse_sites
from supsae.supsae_core.lock import LockConfig
from supsae.training import recording
from supsae.training.capture import CaptureConfig
from supsae.training.recording import SamplingConfig


@pytest.fixture(scope="module")
def studio():
    return studios.load_studio()


def to_model_space(latents):
    return (latents - LATENT_SHIFT) * LATENT_SCALE


STEPS = (16, 20, 38)  # with and without rounding; at 38 the float product falls just below a whole entry


def test_same_pictures(comfy_python, studio, tmp_path):
    comfy_python("same_pictures", tmp_path / "made.safetensors", *STEPS)
    made, model, vae = load_file(tmp_path / "made.safetensors"), studio.transformer, studio.vae
    cond, pooled, noise = made["cond"], made["pooled"], made["noise"]
    with torch.no_grad():
        for name, x in (("velocity", noise), ("wide velocity", made["wide noise"])):
            velocity = model(x, cond[:3], pooled[:3], 1000 * made["sigma"], return_dict=False)[0]
            torch.testing.assert_close(made[name], velocity, rtol=1e-4, atol=1e-4)
        codes = vae.encode(2 * made["pixels"].permute(0, 3, 1, 2) - 1).latents
    torch.testing.assert_close(made["latent format"], torch.tensor([LATENT_SCALE, LATENT_SHIFT]))
    # ComfyUI steps by way of the clean latent, so rounding adds up over 16 steps: 3e-6 measured, values of about 2.
    sampled = transformer.sample_latents(model, cond[:3], pooled[:3], (cond[3:], pooled[3:]), noise)
    torch.testing.assert_close(to_model_space(made["latents"]), sampled, rtol=0, atol=1e-4)
    pictures = torch.from_numpy(transformer.decode_latents(vae, sampled))
    # Half a level from rounding; vae_scale and vae_shift lie in the file as fp16 (1.5e-4 relative): 0.15 measured.
    assert (255 * made["decoded"] - pictures).abs().max() <= 0.75
    assert made["decoded"].std() > 0.1
    # vae_scale as fp16 is 1.53027 instead of 1.5305, 1.5e-4 relative; vae_shift is off by 1.5e-5 at most.
    torch.testing.assert_close(to_model_space(made["encoded"]), codes, rtol=2e-4, atol=1e-4)
    assert torch.equal(made["prepared noise"], transformer.initial_noise([7]))
    for steps in STEPS:
        levels = torch.tensor([*transformer.simple_levels(steps), 0])
        torch.testing.assert_close(made[f"sigmas {steps}"], 3 * levels / (1 + 2 * levels))


PROMPT = "a portrait of a person with blond hair, green eyes, smiling, sandy beach"


def test_same_locked_latent(comfy_python, studio, tmp_path):
    comfy_python("lock_whole", tmp_path / "locked.safetensors")
    comfys = load_file(tmp_path / "locked.safetensors")
    learnt = load_dictionary(studios.WEIGHTS / "supsae" / "portraits.safetensors")
    (cond,), (pooled,) = studio.host.encode([PROMPT])
    edited = apply(learnt, cond, pooled, [Swap("hair: red")])
    noise, recorder = transformer.initial_noise([3]), locked.StepKeeper()

    def sampled(cond, pooled, step):
        empty, given = studios.negative(studio, cond), (cond[None], pooled[None])
        return transformer.sample_latents(studio.transformer, *given, empty, noise, steps=8, step=step)

    reference = sampled(cond, pooled, recorder)
    holder = locked.Holder(LockConfig(), recorder.velocity, recorder.denoised)
    made = sampled(edited.cond, edited.pooled, holder)
    mask = comfys["mask"]
    outside = ~mask[:, None].expand_as(made)
    assert 0.02 < mask.float().mean() < 0.9 and torch.equal(comfys["samples"][outside], comfys["reference"][outside])
    # A cell at the very threshold may fall on either side: the hosts' rounding differs by about 1e-5.
    assert (mask == holder.mask.now).float().mean() > 0.99
    for one, other in ((comfys["reference"], reference), (comfys["samples"], made)):
        far = (to_model_space(one) - other).abs().amax(1)
        assert far[mask == holder.mask.now].quantile(0.95) < 1e-3


TEXTS = (
    "blond hair, green eyes, sandy beach",
    "red hair, green eyes, sandy beach",
    "red hair, no hat, smiling, green forest",
    "black hair, " + "soft light, " * 20 + "woolly beanie",  # two chunks: more rows than the others
)
SEEDS = (1, 1, 2, 3)
EDITED = (1, 1, 2, 3)  # which text is drawn under the lock, held to each of TEXTS: the first is an edit of its own


def far(one, other):
    return int(np.abs(one.astype(int) - other).max())


def test_both_renderers_draw_the_same(comfy_python, studio, tmp_path):
    comfy_python("evaluate_drawn", tmp_path, *map(json.dumps, (TEXTS, SEEDS, EDITED)))
    ours = np.load(tmp_path / "drawn.npz")
    conds, pooled = studio.host.encode(TEXTS)
    draw = partial(studios.draw_portraits, studio)
    references = locked.reference(draw, conds, pooled, SEEDS)
    others = ([some[i] for i in EDITED] for some in (conds, pooled))
    held = locked.hold(draw, *others, references, LockConfig())
    # The latents differ by 3e-6 and vae_scale by 1.5e-4 relative: a level by rounding.
    assert far(ours["plain"], references.pictures) <= 2 and far(ours["held"], held.pictures) <= 2
    assert far(ours["held"][0], ours["plain"][0]) > 50  # red hair where blond was
    assert (ours["held"][1:] == ours["plain"][1:]).all()  # the same prompts again
    assert far(ours["everywhere"][0], ours["plain"][1]) <= 1  # let through: text and seed of the second


CONFIG = CaptureConfig(prompts=10, calibration=4, seed=3)
HOW = {
    "attention": SamplingConfig(parse_sites("txt@0-2, img@0-3"), 3, 3.0, 128, 128, "attention", 2),
    "mean": SamplingConfig(parse_sites("img@0, img@3"), 2, 3.0, 128, 128, "mean", 2),
    "positions": SamplingConfig(parse_sites("img@1"), 2, 3.0, 128, 128, "positions", 1),
}


@pytest.fixture(scope="module")
def comfys_captures(comfy_python, tmp_path_factory):
    folder = tmp_path_factory.mktemp("captures")
    how = {name: {**vars(one), "sites": ", ".join(map(str, one.sites))} for name, one in HOW.items()}
    comfy_python("activations_heard", folder, json.dumps(how))
    return folder


@pytest.mark.parametrize("image", HOW)
def test_both_hosts_sum_up_the_same(comfys_captures, studio, tmp_path, image):
    pictures = DiffusersPictures(studio.transformer, partial(studios.negative, studio))
    plan = recording.plan_activations(captions.table(), studio.host, pictures, CONFIG, HOW[image], captions.WORDING)
    ours = recording.capture_activations(studio.host, pictures, tmp_path, plan)
    theirs = load_capture(comfys_captures / image)
    assert difference(theirs.plan, plan) == ""  # noise levels and fingerprints of the model among them
    one, other = load_activations(ours), load_activations(theirs)
    assert not other.missing
    for name in plan.sampling.parts(plan.family):
        for a, b in zip(one.sums(name), other.sums(name), strict=True):
            for field in (f.name for f in fields(Statistics)):
                x, y = getattr(a, field), getattr(b, field)
                assert float((x - y).double().norm() / x.double().norm()) < 1e-4, (name, field)
    site = HOW[image].sites[-1]
    x, y = one.rows(10, site), other.rows(10, site)
    assert float((x - y).norm() / x.norm()) < 1e-3  # half precision
