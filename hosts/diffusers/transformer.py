"""Portraits' files in diffusers' own classes, sampled as ComfyUI's KSampler does it."""

# diffusers' lazy package marks no name as exported, and its schedulers say FloatTensor for any tensor.
# pyright: reportPrivateImportUsage=false, reportArgumentType=false

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny, FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel
from diffusers.loaders.single_file_utils import convert_sd3_transformer_checkpoint_to_diffusers
from einops import rearrange
from torch import Tensor, nn

from ...portraits.mmdit import HEAD, PATCH, position_table
from ...supsae_core.host import Progress, Step
from ...supsae_core.tensor_files import TensorFile

TRAIN_STEPS = 1000
"""Entries of the noise level table both hosts keep."""


SIDE = 8
"""Patches along a portrait; what a model is told to have been made for."""


class SpreadPositions(nn.Module):
    """Patches and their places, as ComfyUI spreads them over any size; diffusers' own table is spaced otherwise."""

    def __init__(self, proj: nn.Module) -> None:
        super().__init__()
        self.proj = proj

    def forward(self, latent: Tensor) -> Tensor:
        """(B, C, h, w) → (B, patches, width)."""
        patches = self.proj(latent)
        width, rows, columns = patches.shape[1:]
        places = position_table(rows, columns, width).to(patches)
        return rearrange(patches, "b d row column -> b (row column) d") + places


def load_transformer(path: Path | str) -> SD3Transformer2DModel:
    """Load an SD3 diffusion model in the original key layout, for latents of any size, in float32.

    Raises ValueError for a file that is no such model, or that stores a position table of its own.
    """
    tensors = _read(path, "joint_blocks.0.context_block.attn.qkv.weight")
    if "pos_embed" in tensors:
        raise ValueError(f"{path} stores pos_embed: load such a model with diffusers' own from_pretrained")
    hidden, width = tensors["context_embedder.weight"].shape
    transformer = SD3Transformer2DModel(
        sample_size=SIDE * PATCH,
        pos_embed_max_size=SIDE,
        patch_size=PATCH,
        in_channels=tensors["x_embedder.proj.weight"].shape[1],
        out_channels=len(tensors["final_layer.linear.bias"]) // PATCH**2,
        num_layers=1 + max(int(key.split(".")[1]) for key in tensors if key.startswith("joint_blocks.")),
        attention_head_dim=HEAD,
        num_attention_heads=hidden // HEAD,
        caption_projection_dim=hidden,
        joint_attention_dim=width,
        pooled_projection_dim=tensors["y_embedder.mlp.0.weight"].shape[1],
        qk_norm="rms_norm" if "joint_blocks.0.x_block.attn.ln_q.weight" in tensors else None,
    )
    tensors["pos_embed"] = torch.zeros(1, SIDE**2, hidden)  # goes with the module that held it
    transformer.load_state_dict(convert_sd3_transformer_checkpoint_to_diffusers(tensors))
    if tensors:  # the converter takes out what it knows
        raise ValueError(
            f"{path} holds tensors that diffusers' SD3 model has no place for: {', '.join(sorted(tensors))}"
        )
    transformer.add_module("pos_embed", SpreadPositions(transformer.pos_embed.proj))
    return transformer.eval().requires_grad_(False)


def load_vae(path: Path | str) -> AutoencoderTiny:
    """Load an auto-encoder in TAESD's key layout, in float32.

    It codes the diffusion model's own latents: the file's ``vae_scale`` and ``vae_shift`` only undo ComfyUI's scaling.
    """
    tensors = _read(path, "taesd_decoder.1.weight")
    vae = AutoencoderTiny(latent_channels=tensors["taesd_decoder.1.weight"].shape[1])
    vae.load_state_dict({_vae_key(key): tensor for key, tensor in tensors.items() if key.startswith("taesd_")})
    # Two thirds of the time. Past diffusers' own, which warns of nothing.
    nn.Module.to(vae, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] - stubs lag
    return vae.eval().requires_grad_(False)


def _read(path: Path | str, mark: str) -> dict[str, Tensor]:
    tensors = {
        key.removeprefix("model.diffusion_model."): tensor.float()
        for key, tensor in TensorFile(Path(path)).read().items()
    }
    if mark not in tensors:
        raise ValueError(
            f"{path} holds no tensor {mark!r}: expected a file in the original layout, as ComfyUI loads it"
        )
    return tensors


def _vae_key(key: str) -> str:
    half, layer, rest = key.removeprefix("taesd_").split(".", 2)
    # The decoder's clamp is layer 0 in the file and no layer in diffusers.
    return f"{half}.layers.{int(layer) - (half == 'decoder')}.{rest}"


def initial_noise(seeds: Sequence[int], side: int = 16, channels: int = 16, *, width: int | None = None) -> Tensor:
    """Draw noise (len(seeds), channels, side, width or side) on the CPU; a row depends on its seed alone.

    A row is what ComfyUI draws for this seed and a batch of one.
    """
    size = (side, side if width is None else width)
    rows = [torch.randn(channels, *size, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    return torch.stack(rows)


def simple_levels(steps: int) -> list[float]:
    """Return the unshifted noise levels of ComfyUI's scheduler 'simple', 1 first, without the final 0.

    diffusers' own default is 'normal', which spends its last step below a level of 0.01.
    """
    if not 1 <= steps <= TRAIN_STEPS:
        raise ValueError(f"steps is {steps}, expected 1 … {TRAIN_STEPS}")
    return [1 - int(step * (TRAIN_STEPS / steps)) / TRAIN_STEPS for step in range(steps)]  # rounded as ComfyUI does


def noise_levels(steps: int, shift: float = 3.0) -> tuple[float, ...]:
    """Return the noise level of every step of ``sample``."""
    return tuple(shift * level / (1 + (shift - 1) * level) for level in simple_levels(steps))


@torch.no_grad()
def sample_latents(
    transformer: SD3Transformer2DModel, cond: Tensor, pooled: Tensor, negative: tuple[Tensor, Tensor], noise: Tensor, *,
    steps: int = 16, cfg: float = 3.0, shift: float = 3.0, progress: Progress | None = None, step: Step | None = None,
) -> Tensor:  # fmt: skip
    """Sample latents as KSampler does with 'euler' and 'simple'; prompt and negative share one call of the model.

    cond (B, L, width), pooled (B, width'), the same two of the negative prompt with B or 1 rows, and noise (B, C, h, w)
    → latents (B, C, h, w) in float32. ``progress`` is told (steps done, steps), ``step`` may change every step's
    velocity. Raises ValueError where sizes differ.
    """
    if cond.shape[1] != negative[0].shape[1]:
        raise ValueError(
            f"the prompt has {cond.shape[1]} rows and the negative prompt {negative[0].shape[1]}: encode both in one "
            "call"
        )
    rows, dtype = len(noise), transformer.dtype
    context = torch.cat([cond, negative[0].expand(rows, -1, -1)]).to(dtype)
    vector = torch.cat([pooled, negative[1].expand(rows, -1)]).to(dtype)
    scheduler = FlowMatchEulerDiscreteScheduler(num_train_timesteps=TRAIN_STEPS, shift=shift)
    scheduler.set_timesteps(sigmas=simple_levels(steps), device=noise.device)
    assert isinstance(scheduler.timesteps, Tensor) and isinstance(scheduler.sigmas, Tensor)
    x = noise.float()
    for done, time in enumerate(scheduler.timesteps, 1):
        both = torch.cat([x, x]).to(dtype)
        velocity = transformer(both, context, vector, time.expand(2 * rows), return_dict=False)[0]
        with_text, without = velocity.float().chunk(2)
        guided = without + cfg * (with_text - without)
        if step:
            guided = step(float(scheduler.sigmas[done - 1]), x, guided)
        x = scheduler.step(guided, time, x, return_dict=False)[0]
        if progress:
            progress(done, steps)
    return x


@torch.no_grad()
def decode_latents(vae: AutoencoderTiny, latents: Tensor) -> np.ndarray:
    """Decode latents (B, C, h, w) to pictures (B, 8h, 8w, 3), bytes rounded to nearest."""
    z = latents.to(vae.dtype).contiguous(memory_format=torch.channels_last)
    pixels = vae.decode(z, return_dict=False)[0].float() / 2 + 0.5
    return rearrange((pixels.clamp(0, 1) * 255).round().byte(), "n c h w -> n h w c").cpu().numpy()
