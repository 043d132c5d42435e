"""The paper's own model, for comparison: features flattened by position, codes shared by all prompts, fitted by Adam.

El Harzli et al., arXiv 2602.00924. Letters (docs/method.md, 1): M (n, K) labels, Y (K, d) codes, W decoder, b bias;
x̂_i = W σ(M_i ⊙ Y) + b with σ a leaky ReLU and x the dimensions of the flattened embedding that vary most.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from einops import pack, rearrange, unpack
from torch import Tensor
from torch.nn import functional as F

from ...supsae_core.capture.captures import Capture
from ...supsae_core.host import Progress, TextHost
from .additive import require_shape


@dataclass(frozen=True)
class PaperConfig:
    """The paper's settings; epochs and rate are where the loss no longer falls on Portraits."""

    width: int = 10
    """d, code width of a concept"""
    keep: int = 1000
    """dimensions of the flattened embedding to model: those of the largest range"""
    epochs: int = 60
    batch: int = 64
    rate: float = 1e-2
    scale: float = 1.0
    """spread of the codes before the first step"""
    fixed: bool = False
    """whether the codes stay as they are before the first step"""
    seed: int = 0


@dataclass(frozen=True)
class Flattened:
    """A fitted model of the paper. It holds for prompts of the captured length only."""

    kept: Tensor
    """(keep,) indices into rows flattened, the pooled vector behind them"""
    codes: Tensor
    """(K, d)"""
    decoder: Tensor
    """(K · d, keep)"""
    bias: Tensor
    """(keep,)"""
    shape: tuple[int, int]
    """rows and width of a conditioning"""

    def decode(self, support: Sequence[int]) -> Tensor:
        """Return the modelled features (keep,) of a set of concepts."""
        return decode(label_matrix([support], len(self.codes)), self.codes, self.decoder, self.bias)[0]

    def edit(
        self, cond: Tensor, pooled: Tensor, old: Sequence[int], new: Sequence[int], strength: float = 1.0
    ) -> tuple[Tensor, Tensor]:
        """Flip the mask from ``old`` to ``new`` and add the decoded difference to the kept dimensions.

        Raises:
            ValueError: if the conditioning has another shape than the captured ones.
        """
        if not strength:
            return cond, pooled
        require_shape(cond, self.shape)
        x, shapes = pack([cond, pooled], "*")
        x[self.kept] += strength * (self.decode(new) - self.decode(old)).to(x.dtype)
        made, vector = unpack(x, shapes, "*")
        return made, vector


def decode(labels: Tensor, codes: Tensor, decoder: Tensor, bias: Tensor) -> Tensor:
    """x̂ = W σ(M ⊙ Y) + b for labels (n, K)."""
    hidden = F.leaky_relu(rearrange(labels, "n concept -> n concept 1") * codes)
    return rearrange(hidden, "n concept d -> n (concept d)") @ decoder + bias


@torch.inference_mode(False)  # ComfyUI runs nodes without gradients
def fit(
    capture: Capture, host: TextHost, config: PaperConfig = PaperConfig(), *, progress: Progress | None = None
) -> Flattened:
    """Fit the paper's model to a capture's fit prompts by Adam; prompts of another length than most are left out."""
    x, labels, shape = flattened(capture, "fit")
    kept = widest(x, config.keep)
    return Flattened(kept, *learn(x[:, kept], labels, config, progress=progress), shape)


def widest(x: Tensor, keep: int) -> Tensor:
    """Return which dimensions of x (n, N) have the largest range, at most ``keep``, and none that never varies."""
    spread = x.amax(0) - x.amin(0)
    varying = int((spread > 0).sum())  # zeros tell rows apart: leave them
    return spread.topk(min(keep, varying)).indices.sort().values


class Learnt(NamedTuple):
    """Codes (K, d), decoder (K · d, N) and bias (N,)."""

    codes: Tensor
    decoder: Tensor
    bias: Tensor


@torch.inference_mode(False)
def learn(x: Tensor, labels: Tensor, config: PaperConfig, *, progress: Progress | None = None) -> Learnt:
    """Fit x (n, N) from labels (n, K) by Adam."""
    generator = torch.Generator().manual_seed(config.seed)
    size = labels.shape[1]
    codes = first_codes(size, config, generator).requires_grad_(not config.fixed)
    decoder = (0.1 * torch.randn(size * config.width, x.shape[1], generator=generator)).requires_grad_()
    bias = x.mean(0).clone().requires_grad_()
    optimiser = torch.optim.Adam([one for one in (codes, decoder, bias) if one.requires_grad], config.rate)
    for epoch in range(config.epochs):
        for batch in torch.randperm(len(x), generator=generator).split(config.batch):
            loss = F.mse_loss(decode(labels[batch], codes, decoder, bias), x[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        if progress:
            progress(epoch + 1, config.epochs)
    return Learnt(codes.detach(), decoder.detach(), bias.detach())


def first_codes(size: int, config: PaperConfig, generator: torch.Generator) -> Tensor:
    """Draw the codes (K, d) before the first step."""
    return config.scale * torch.randn(size, config.width, generator=generator)


class Prompts(NamedTuple):
    """One set of a capture's prompts, flattened by position; prompts of another length than most are left out."""

    x: Tensor
    """(n, N) rows flattened, the pooled vector behind them"""
    labels: Tensor
    """M (n, K)"""
    shape: tuple[int, int]
    """rows and width of a conditioning"""


def flattened(capture: Capture, name: str) -> Prompts:
    """Read the prompts of the set ``name``: ``fit``, ``calibration`` or ``rewrite``."""
    rows = [row for row in capture.read() if row.entry.set == name]
    (length, width), _ = Counter((row.cond.shape[0], row.cond.shape[1]) for row in rows).most_common(1)[0]
    rows = [row for row in rows if len(row.cond) == length]
    x = torch.stack([pack([row.cond, row.pooled], "*")[0] for row in rows])
    table = capture.plan.table
    supports = [row.entry.prompt.support(table) for row in rows]
    return Prompts(x, label_matrix(supports, len(table)), (length, width))


def split(x: Tensor, shape: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Take flattened vectors (n, N) apart: rows (n, L, width) and pooled vectors (n, P)."""
    length, width = shape
    rows = rearrange(x[:, : length * width], "n (row column) -> n row column", row=length)
    return rows, x[:, length * width :]


def label_matrix(supports: Sequence[Sequence[int]], size: int) -> Tensor:
    """Return the labels (n, K) of the concepts that prompts say."""
    labels = torch.zeros(len(supports), size)
    for row, support in zip(labels, supports, strict=True):
        row[list(support)] = 1
    return labels
