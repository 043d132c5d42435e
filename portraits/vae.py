"""The picture auto-encoder of Portraits, in the key layout of TAESD (16 latent channels, factor 8)."""

import torch
from torch import Tensor, nn

WIDTH = 64
LATENT_CHANNELS = 16
LATENT_SCALE, LATENT_SHIFT = 1.5305, 0.0609
"""SD3's latent format; hosts apply it, and the file's ``vae_scale`` and ``vae_shift`` undo it."""


def _conv(inside: int, outside: int, stride: int = 1, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(inside, outside, 3, stride, 1, bias=bias)


class _Clamp(nn.Module):
    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(z / 3) * 3


class _Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Sequential(_conv(WIDTH, WIDTH), nn.ReLU(), _conv(WIDTH, WIDTH), nn.ReLU(), _conv(WIDTH, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.conv(x))


def _encoder() -> nn.Sequential:
    down: list[nn.Module] = []
    for _ in range(3):
        down += [_conv(WIDTH, WIDTH, 2, bias=False), _Block(), _Block(), _Block()]
    return nn.Sequential(_conv(3, WIDTH), _Block(), *down, _conv(WIDTH, LATENT_CHANNELS))


def _decoder() -> nn.Sequential:
    up: list[nn.Module] = []
    for _ in range(3):
        up += [_Block(), _Block(), _Block(), nn.Upsample(scale_factor=2), _conv(WIDTH, WIDTH, bias=False)]
    return nn.Sequential(_Clamp(), _conv(LATENT_CHANNELS, WIDTH), nn.ReLU(), *up, _Block(), _conv(WIDTH, 3))


class AutoEncoder(nn.Module):
    """Pictures (B, 3, H, W) in 0 … 1 ↔ latents (B, 16, H/8, W/8) of about unit variance."""

    def __init__(self) -> None:
        super().__init__()
        self.taesd_encoder = _encoder()
        self.taesd_decoder = _decoder()
        self.vae_scale = nn.Parameter(torch.tensor(LATENT_SCALE), requires_grad=False)
        self.vae_shift = nn.Parameter(torch.tensor(LATENT_SHIFT), requires_grad=False)
        nn.init.constant_(self.taesd_decoder[-1].bias, 0.5)  # type: ignore[arg-type]

    def encode(self, pictures: Tensor) -> Tensor:
        return self.taesd_encoder(pictures)

    def decode(self, latents: Tensor) -> Tensor:
        return self.taesd_decoder(latents)
