"""diffusers runs Portraits' files as Portraits' own modules do: same velocity, same codes, same pictures."""

from typing import Any, NamedTuple

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
from supsae.portraits import mmdit
from supsae.portraits.mmdit import MMDiT
from supsae.portraits.text import CAUSAL_WIDTH, CHUNK, WIDTH
from supsae.portraits.vae import AutoEncoder

# Everything is compared with torch.testing's defaults for float32 (1.3e-6 relative, 1e-5 absolute): both sides do the
# same sums in float32 in another order, on values of about 1 through three blocks. Measured: 2e-6 at worst.


def write_random(module, path):
    """Fill every tensor with noise, gates included, and write the file as `portraits.train` does: fp16, bare keys."""
    torch.manual_seed(0)
    drawn = {
        key: torch.randn_like(tensor) * (tensor[0].numel() ** -0.5 if tensor.dim() > 1 else 0.1) + ("ln_" in key)
        for key, tensor in module.state_dict().items()
    }
    kept = {key: tensor for key, tensor in module.state_dict().items() if key.startswith("vae_")}
    save_file({key: tensor.half() for key, tensor in (drawn | kept).items()}, path)
    module.load_state_dict({key: tensor.float() for key, tensor in load_file(path).items()})
    return module.eval().requires_grad_(False)


class World(NamedTuple):
    mmdit: Any
    transformer: Any
    autoencoder: Any
    vae: Any


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("weights")


@pytest.fixture(scope="module")
def world(folder):
    model, vae = folder / "model.safetensors", folder / "vae.safetensors"
    own = write_random(MMDiT(), model), write_random(AutoEncoder(), vae)
    return World(own[0], load_transformer(model), own[1], load_vae(vae))


@pytest.fixture
def prompts():
    """Conditioning of three prompts and of an empty one."""
    generator = torch.Generator().manual_seed(1)
    cond = torch.randn(4, 2 * CHUNK, WIDTH, generator=generator)
    pooled = torch.randn(4, CAUSAL_WIDTH, generator=generator)
    return cond[:3], pooled[:3], (cond[3:], pooled[3:])


@pytest.mark.parametrize(("rows", "columns"), [(8, 8), (5, 5), (8, 16), (6, 4)])
def test_transformer_is_portraits_own(world, prompts, rows, columns):
    cond, pooled, _ = prompts
    noise, sigma = initial_noise([0, 1, 2], 2 * rows, width=2 * columns), torch.tensor([0.1, 0.5, 1.0])
    made = world.transformer(noise, cond, pooled, 1000 * sigma, return_dict=False)[0]
    torch.testing.assert_close(made, world.mmdit(noise, sigma, cond, pooled))
    assert made.std() > 0.1


def test_prefixed_keys_load_too(world, folder, tmp_path):
    bare = load_file(folder / "model.safetensors")
    save_file({f"model.diffusion_model.{key}": bare[key] for key in bare}, tmp_path / "model.safetensors")
    for key, tensor in load_transformer(tmp_path / "model.safetensors").state_dict().items():
        assert torch.equal(tensor, world.transformer.state_dict()[key])


def test_vae_is_portraits_own(world):
    pixels, latents = torch.rand(2, 3, 64, 48), torch.randn(2, 16, 8, 6)
    torch.testing.assert_close(world.vae.encode(2 * pixels - 1).latents, world.autoencoder.encode(pixels))
    made = world.vae.decode(latents).sample / 2 + 0.5
    torch.testing.assert_close(made, world.autoencoder.decode(latents))
    assert made.std() > 0.1


def test_decode_rounds_to_bytes(world):
    latents = torch.randn(2, 16, 4, 4)
    pictures = decode_latents(world.vae, latents)
    assert (pictures.shape, pictures.dtype) == ((2, 32, 32, 3), "uint8")
    wanted = world.autoencoder.decode(latents).clamp(0, 1).permute(0, 2, 3, 1) * 255
    # Half a level from rounding; the rest for a sum on the edge that falls to the other side.
    assert (torch.from_numpy(pictures) - wanted).abs().max() <= 0.5 + 1e-3


@pytest.mark.parametrize("steps", [1, 8])
def test_sample_is_portraits_own_where_the_steps_divide_1000(world, prompts, steps):
    # There 'simple' needs no rounding, so its levels are evenly spaced before the shift as Portraits' are.
    noise = initial_noise([0, 1, 2])
    seen = []
    made = sample_latents(world.transformer, *prompts, noise, steps=steps, progress=lambda *at: seen.append(at))
    torch.testing.assert_close(made, mmdit.sample(world.mmdit, *prompts, noise, steps=steps))
    assert seen == [(done, steps) for done in range(1, steps + 1)]


def test_simple_levels_take_table_entries():
    # ComfyUI steps through 1000 entries by 1000 / steps and drops the fraction: 0, 333, 666.
    assert simple_levels(3) == pytest.approx([1, 0.667, 0.334])
    assert simple_levels(1000)[-1] == pytest.approx(0.001)


def test_a_picture_depends_on_its_seed_alone(world, prompts):
    cond, pooled, negative = prompts
    together, alone = initial_noise([5, 7, 9]), initial_noise([7])
    assert torch.equal(together[1:2], alone) and not torch.equal(together[0], together[1])
    batch = sample_latents(world.transformer, cond, pooled, negative, together, steps=4)
    single = sample_latents(world.transformer, cond[1:2], pooled[1:2], negative, alone, steps=4)
    torch.testing.assert_close(batch[1:2], single)


def test_negative_may_have_a_row_per_prompt(world, prompts):
    cond, pooled, (empty, none) = prompts
    noise = initial_noise([0, 1, 2])
    once = sample_latents(world.transformer, cond, pooled, (empty, none), noise, steps=1)
    each = (empty.expand_as(cond), none.expand_as(pooled))
    assert torch.equal(once, sample_latents(world.transformer, cond, pooled, each, noise, steps=1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 0}, "steps is 0, expected 1 … 1000"),
        ({"cond": torch.zeros(3, 3 * CHUNK, WIDTH)}, "144 rows and the negative prompt 96"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(world, prompts, change, message):
    cond, pooled, negative = prompts
    sizes = {"cond": cond, "pooled": pooled, "negative": negative, "noise": initial_noise([0, 1, 2])} | change
    with pytest.raises(ValueError, match=message):
        sample_latents(world.transformer, **sizes)


def test_other_files_are_refused(world, folder, tmp_path):
    with pytest.raises(ValueError, match="no tensor 'joint_blocks.0"):
        load_transformer(folder / "vae.safetensors")
    with pytest.raises(ValueError, match="no tensor 'taesd_decoder.1.weight'"):
        load_vae(folder / "model.safetensors")
    tensors = load_file(folder / "model.safetensors")
    refused = {"pos_embed": "stores pos_embed.*from_pretrained", "extra.weight": "no place for: extra"}
    for key, message in refused.items():
        save_file(tensors | {key: torch.zeros(1)}, tmp_path / "more.safetensors")
        with pytest.raises(ValueError, match=message):
            load_transformer(tmp_path / "more.safetensors")
