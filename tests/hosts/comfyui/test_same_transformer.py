"""One file, two hosts: ComfyUI's loaders, KSampler and VAE give what diffusers_host gives."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from supsae.hosts.diffusers.transformer import (
    decode_latents,
    initial_noise,
    load_transformer,
    load_vae,
    sample_latents,
    simple_levels,
)
from supsae.portraits.mmdit import MMDiT
from supsae.portraits.text import CAUSAL_WIDTH, CHUNK, WIDTH
from supsae.portraits.vae import LATENT_SCALE, LATENT_SHIFT, AutoEncoder

STEPS = (16, 20, 38)  # with and without rounding; at 38 the float product falls just below a whole entry


def write_random(module, path):
    """Fill every tensor with noise, gates included, and write the file as `portraits.train` does: fp16, bare keys."""
    torch.manual_seed(0)
    drawn = {
        key: torch.randn_like(tensor) * (tensor[0].numel() ** -0.5 if tensor.dim() > 1 else 0.1) + ("ln_" in key)
        for key, tensor in module.state_dict().items()
    }
    kept = {key: tensor for key, tensor in module.state_dict().items() if key.startswith("vae_")}
    save_file({key: tensor.half() for key, tensor in (drawn | kept).items()}, path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    write_random(MMDiT(), folder / "model.safetensors")
    write_random(AutoEncoder(), folder / "vae.safetensors")
    return folder


@pytest.fixture(scope="module")
def given(folder):
    """Three prompts and an empty one, noise for three, and a picture."""
    generator = torch.Generator().manual_seed(1)
    given = {
        "cond": torch.randn(4, 2 * CHUNK, WIDTH, generator=generator),
        "pooled": torch.randn(4, CAUSAL_WIDTH, generator=generator),
        "sigma": torch.tensor([0.1, 0.5, 1.0]),
        "noise": initial_noise([0, 1, 2]),
        "pixels": torch.rand(1, 64, 64, 3, generator=generator),
    }
    save_file(given, folder / "given.safetensors")
    return given


@pytest.fixture(scope="module")
def made(comfy_python, folder, given):
    comfy_python("same_transformer", folder, *STEPS)
    return load_file(folder / "made.safetensors")


@pytest.fixture(scope="module")
def transformer(folder):
    return load_transformer(folder / "model.safetensors")


@pytest.fixture(scope="module")
def vae(folder):
    return load_vae(folder / "vae.safetensors")


@pytest.fixture(scope="module")
def sampled(transformer, given):
    cond, pooled = given["cond"], given["pooled"]
    return sample_latents(transformer, cond[:3], pooled[:3], (cond[3:], pooled[3:]), given["noise"])


def to_model_space(latents):
    return (latents - LATENT_SHIFT) * LATENT_SCALE


def test_same_velocity(made, transformer, given):
    cond, pooled = given["cond"][:3], given["pooled"][:3]
    velocity = transformer(given["noise"], cond, pooled, 1000 * given["sigma"], return_dict=False)[0]
    torch.testing.assert_close(made["velocity"], velocity)


@pytest.mark.parametrize("steps", STEPS)
def test_same_noise_levels(made, steps):
    levels = torch.tensor([*simple_levels(steps), 0])
    torch.testing.assert_close(made[f"sigmas {steps}"], 3 * levels / (1 + 2 * levels))


def test_same_latents(made, sampled):
    torch.testing.assert_close(made["latent format"], torch.tensor([LATENT_SCALE, LATENT_SHIFT]))
    # ComfyUI steps by way of the clean latent, so rounding adds up over 16 steps: 3e-6 measured, values of about 2.
    torch.testing.assert_close(to_model_space(made["latents"]), sampled, rtol=0, atol=1e-4)


def test_same_pictures(made, vae, sampled):
    pictures = torch.from_numpy(decode_latents(vae, sampled))
    # Half a level from rounding; vae_scale and vae_shift lie in the file as fp16 (1.5e-4 relative): 0.05 measured.
    assert (255 * made["decoded"] - pictures).abs().max() <= 0.6
    assert made["decoded"].std() > 0.1


def test_same_codes(made, vae, given):
    codes = vae.encode(2 * given["pixels"].permute(0, 3, 1, 2) - 1).latents
    # vae_scale as fp16 is 1.53027 instead of 1.5305, 1.5e-4 relative; vae_shift is off by 1.5e-5 at most.
    torch.testing.assert_close(to_model_space(made["encoded"]), codes, rtol=2e-4, atol=1e-4)


def test_same_noise_for_a_seed(made):
    assert torch.equal(made["prepared noise"], initial_noise([7]))
