"""A tiny MMDiT in the original SD3.5 key layout: hosts load its file with their own classes, training uses this one."""

import math

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from .text import CAUSAL_WIDTH, WIDTH
from .vae import LATENT_CHANNELS

DEPTH = 3
HEAD = 64
HIDDEN = DEPTH * HEAD
"""Hosts read the depth off the hidden width, so the two are tied."""
PATCH = 2


def _frequencies(half: int) -> Tensor:
    return torch.exp(-math.log(10000) * torch.arange(half, dtype=torch.float32) / half)


def position_table(rows: int, columns: int, width: int = HIDDEN) -> Tensor:
    """Return the fixed sin-cos positions (rows · columns, width) of a grid, x first.

    The shorter side has coordinates 0 … 15, the longer one goes beyond both ends at the same distances, as hosts do
    it where a file brings no table.
    """
    y, x = (7.5 + torch.linspace(-7.5, 7.5, n) * n / min(rows, columns) for n in (rows, columns))
    y, x = torch.meshgrid(y, x, indexing="ij")
    across, down = (rearrange(axis, "row column -> (row column) 1") * _frequencies(width // 4) for axis in (x, y))
    return torch.cat([across.sin(), across.cos(), down.sin(), down.cos()], 1)


def _embed_number(value: Tensor, width: int = 256) -> Tensor:
    angle = rearrange(value.float(), "b -> b 1") * _frequencies(width // 2).to(value.device)
    return torch.cat([angle.cos(), angle.sin()], 1)


def _two_layers(inside: int, outside: int) -> nn.ModuleDict:
    return nn.ModuleDict({"mlp": nn.Sequential(nn.Linear(inside, outside), nn.SiLU(), nn.Linear(outside, outside))})


def _modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    shift, scale = (rearrange(one, "b d -> b 1 d") for one in (shift, scale))
    return F.layer_norm(x, x.shape[-1:], eps=1e-6) * (1 + scale) + shift


def _rms_norm(x: Tensor, weight: Tensor) -> Tensor:
    return F.rms_norm(x, x.shape[-1:], weight.to(x.dtype), 1e-6)


def _attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Plain attention: at 160 rows in bf16 on a CPU a training step takes a third of the fused kernel's time."""
    return ((q * HEAD**-0.5) @ rearrange(k, "b h row d -> b h d row")).softmax(-1).to(v.dtype) @ v


class _Attention(nn.Module):
    def __init__(self, last: bool) -> None:
        super().__init__()
        self.qkv = nn.Linear(HIDDEN, 3 * HIDDEN)
        self.ln_q, self.ln_k = nn.RMSNorm(HEAD, eps=1e-6), nn.RMSNorm(HEAD, eps=1e-6)
        if not last:
            self.proj = nn.Linear(HIDDEN, HIDDEN)

    def split(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        q, k, v = rearrange(self.qkv(x), "b row (qkv h d) -> qkv b h row d", qkv=3, d=HEAD)
        return _rms_norm(q, self.ln_q.weight), _rms_norm(k, self.ln_k.weight), v


class _Mlp(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(HIDDEN, 4 * HIDDEN), nn.Linear(4 * HIDDEN, HIDDEN)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x), approximate="tanh"))


class _Stream(nn.Module):
    """One stream's half of a joint block; the context's last half only feeds the attention."""

    def __init__(self, last: bool = False) -> None:
        super().__init__()
        self.last = last
        self.attn = _Attention(last)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(HIDDEN, (2 if last else 6) * HIDDEN))
        if not last:
            self.mlp = _Mlp()

    def before(self, x: Tensor, vec: Tensor) -> tuple[tuple[Tensor, Tensor, Tensor], tuple[Tensor, ...]]:
        shift, scale, *rest = self.adaLN_modulation(vec).chunk(2 if self.last else 6, 1)
        return self.attn.split(_modulate(x, shift, scale)), tuple(rest)

    def after(self, x: Tensor, attended: Tensor, rest: tuple[Tensor, ...]) -> Tensor:
        gate_attention, shift, scale, gate_mlp = rest
        x = x + rearrange(gate_attention, "b d -> b 1 d") * self.attn.proj(attended)
        return x + rearrange(gate_mlp, "b d -> b 1 d") * self.mlp(_modulate(x, shift, scale))


class _JointBlock(nn.Module):
    def __init__(self, last: bool) -> None:
        super().__init__()
        self.context_block, self.x_block = _Stream(last), _Stream()

    def forward(self, context: Tensor, x: Tensor, vec: Tensor) -> tuple[Tensor | None, Tensor]:
        context_qkv, context_rest = self.context_block.before(context, vec)
        x_qkv, x_rest = self.x_block.before(x, vec)
        q, k, v = (torch.cat(pair, 2) for pair in zip(context_qkv, x_qkv, strict=True))
        attended = rearrange(_attend(q, k, v), "b h row d -> b row (h d)")
        length = context.shape[1]
        after = (
            None if self.context_block.last else self.context_block.after(context, attended[:, :length], context_rest)
        )
        return after, self.x_block.after(x, attended[:, length:], x_rest)


class _Final(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(HIDDEN, PATCH * PATCH * LATENT_CHANNELS)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(HIDDEN, 2 * HIDDEN))

    def forward(self, x: Tensor, vec: Tensor) -> Tensor:
        return self.linear(_modulate(x, *self.adaLN_modulation(vec).chunk(2, 1)))


class MMDiT(nn.Module):
    """Predict the flow's velocity (noise − latent) of latents (Esser et al., arXiv 2403.03206)."""

    def __init__(self) -> None:
        super().__init__()
        self.x_embedder = nn.ModuleDict({"proj": nn.Conv2d(LATENT_CHANNELS, HIDDEN, PATCH, PATCH)})
        self.t_embedder = _two_layers(256, HIDDEN)
        self.y_embedder = _two_layers(CAUSAL_WIDTH, HIDDEN)
        self.context_embedder = nn.Linear(WIDTH, HIDDEN)
        self.joint_blocks = nn.ModuleList(_JointBlock(i == DEPTH - 1) for i in range(DEPTH))
        self.final_layer = _Final()
        self.apply(_initialise)

    def forward(self, x: Tensor, sigma: Tensor, context: Tensor, pooled: Tensor) -> Tensor:
        """(B, 16, h, w) noisy latents, (B,) noise levels 0 … 1, (B, L, WIDTH), (B, CAUSAL_WIDTH) → (B, 16, h, w)."""
        patches = self.x_embedder["proj"](x)
        rows, columns = patches.shape[-2:]
        places = position_table(rows, columns).to(x.device)
        tokens = rearrange(patches, "b d row column -> b (row column) d") + places
        vec = self.t_embedder["mlp"](_embed_number(sigma * 1000)) + self.y_embedder["mlp"](pooled)
        context = self.context_embedder(context)
        for block in self.joint_blocks:
            context, tokens = block(context, tokens, vec)
        laid = "b (row column) (y x c) -> b c (row y) (column x)"
        return rearrange(self.final_layer(tokens, vec), laid, row=rows, y=PATCH, x=PATCH)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)
    if isinstance(module, (_Stream, _Final)):  # gates start closed: every block begins as the identity
        nn.init.zeros_(module.adaLN_modulation[1].weight)  # type: ignore[arg-type]


@torch.no_grad()
def sample(
    model: MMDiT,
    cond: Tensor,
    pooled: Tensor,
    empty: tuple[Tensor, Tensor],
    noise: Tensor,
    *,
    steps: int = 16,
    cfg: float = 3.0,
) -> Tensor:
    """Sample latents by Euler steps with classifier-free guidance, on ComfyUI's schedule ``simple`` with shift 3."""
    line = torch.tensor([1 - int(i * (1000 / steps)) / 1000 for i in range(steps)] + [0.0])
    sigmas = 3 * line / (1 + 2 * line)
    x = noise
    for now, after in zip(sigmas[:-1], sigmas[1:], strict=True):
        level = torch.full((2 * len(x),), float(now), device=x.device)
        context = torch.cat([cond, empty[0].expand(len(x), -1, -1)])
        vector = torch.cat([pooled, empty[1].expand(len(x), -1)])
        with_text, without = model(torch.cat([x, x]), level, context, vector).chunk(2)
        x = x + (after - now) * (without + cfg * (with_text - without))
    return x
