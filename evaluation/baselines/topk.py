"""An unsupervised TopK sparse auto-encoder: of every vector only the k strongest latents speak.

Gao et al., "Scaling and evaluating sparse autoencoders" (arXiv 2406.04093): unit decoder rows, tied at the start, and
an auxiliary loss that lets dead latents explain what is left. Libraries for it want a tracker, a hub or pickled files.
Letters: x (n, d) vectors, z (n, m) latents, x̂ = z W + b.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class TopKConfig:
    """Settings of the auto-encoder and of its training."""

    latents: int = 512
    """m"""
    active: int = 16
    """k, latents that speak at once"""
    steps: int = 400
    batch: int = 512
    rate: float = 4e-3
    """of Adam; it rises over the first twentieth of the steps and falls to 0 over the last fifth"""
    dead: int = 20
    """steps without a word after which a latent counts as dead"""
    aid: float = 1 / 32
    """weight of the auxiliary loss"""
    seed: int = 0


TOPK = TopKConfig()


@dataclass(frozen=True)
class Coder:
    """A trained auto-encoder."""

    encoder: Tensor
    """(m, d)"""
    bias: Tensor
    """(m,)"""
    decoder: Tensor
    """W (m, d), rows of length 1"""
    middle: Tensor
    """b (d,)"""
    active: int

    def encode(self, x: Tensor) -> Tensor:
        """Return the latents (…, m) of vectors (…, d)."""
        return strongest(self.heard(x), self.active)

    def heard(self, x: Tensor) -> Tensor:
        """Return what every latent hears, before the strongest are chosen."""
        return F.linear(x - self.middle, self.encoder, self.bias)

    def decode(self, z: Tensor) -> Tensor:
        """Return the vectors (…, d) of latents (…, m)."""
        return z @ self.decoder + self.middle


def strongest(heard: Tensor, active: int) -> Tensor:
    """Keep the largest values of every row where they are positive, and 0 elsewhere."""
    top = heard.topk(active, dim=-1)
    return torch.zeros_like(heard).scatter(-1, top.indices, top.values.relu())


@torch.inference_mode(False)  # ComfyUI runs nodes without gradients
def train(x: Tensor, config: TopKConfig = TOPK, tick: Callable[[], None] = lambda: None) -> Coder:
    """Train on vectors (n, d) by Adam; ``tick`` is called after every step."""
    generator = torch.Generator().manual_seed(config.seed)
    start = F.normalize(torch.randn(config.latents, x.shape[1], generator=generator), dim=1)
    encoder, bias, decoder, middle = start, torch.zeros(config.latents), start.clone(), x.mean(0)
    coder = Coder(encoder, bias, decoder, middle, config.active)
    weights = [weight.requires_grad_() for weight in (encoder, bias, decoder, middle)]
    optimiser = torch.optim.Adam(weights, config.rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _pace(step / config.steps))
    silent = torch.zeros(config.latents)
    for _ in range(config.steps):
        batch = x[torch.randint(len(x), (config.batch,), generator=generator)]
        optimiser.zero_grad()
        loss(coder, batch, silent, config).backward()
        optimiser.step()
        schedule.step()
        decoder.data.copy_(F.normalize(decoder.data, dim=1))
        tick()
    for weight in weights:
        weight.requires_grad_(False)
    return coder


def loss(coder: Coder, x: Tensor, silent: Tensor, config: TopKConfig) -> Tensor:
    """Return the share of the variance of x (n, d) that is lost, and what dead latents fail to explain of the rest.

    ``silent`` (m,) counts the steps since a latent spoke and is brought up to date.
    """
    heard = coder.heard(x)
    z = strongest(heard, coder.active)
    silent += 1
    silent[z.detach().any(0)] = 0
    rest = x - coder.decode(z)
    lost = rest.square().sum() / (x - x.mean(0)).square().sum()
    dead = (silent > config.dead).nonzero()[:, 0]
    if not len(dead):
        return lost
    helped = strongest(heard[:, dead], min(len(dead), x.shape[1] // 2)) @ coder.decoder[dead]
    rest = rest.detach()
    return lost + config.aid * (rest - helped).square().sum() / rest.square().sum()


def _pace(done: float) -> float:
    return min(1.0, 20 * done + 0.05, 5 * (1 - done))
