"""The paper's own model, for comparison: features flattened by position, codes shared by all prompts, fitted by Adam.

El Harzli et al., arXiv 2602.00924. Letters (docs/method.md, 1): M (n, K) labels, Y (K, d) codes, W decoder, b bias;
x̂_i = W σ(M_i ⊙ Y) + b with σ a leaky ReLU and x the dimensions of the flattened embedding that vary most.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from einops import pack, rearrange, unpack
from torch import Tensor
from torch.nn import functional as F

from ...supsae_core.capture.captures import Capture, Encoded
from ...supsae_core.host import Progress, TextHost
from ...supsae_core.stopping import heed
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
    last_rate: float | None = None
    """to which the rate falls evenly; None leaves it as it is"""
    scaled: bool = False
    """whether every dimension is first brought into 0 … 1"""
    seed: int = 0


EDGE = 1e-6
"""Added to every range before dividing by it."""
PUBLISHED = PaperConfig(epochs=100, batch=16, rate=1e-3, last_rate=1e-4, scaled=True)
"""The settings of the paper's public code; its epochs are not told, 100 is where the loss hardly falls any more."""


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
    capture: Capture, host: TextHost | None, config: PaperConfig = PaperConfig(), *, progress: Progress | None = None
) -> Flattened:
    """Fit the paper's model to a capture's fit prompts by Adam; prompts of another length than most are left out."""
    kept, (x, labels, shape) = narrowed(capture, config.keep)
    return Flattened(kept, *learn(x, labels, config, progress=progress), shape)


def narrowed(capture: Capture, keep: int) -> tuple[Tensor, "Prompts"]:
    """Return the dimensions of the largest range, and the fit prompts with these alone.

    Rows are read twice, so that no more than a shard of them is in memory beside what is kept.
    """
    table, width = capture.plan.table, capture.plan.family.width
    length = usual_length(capture, "fit")

    def rows() -> Iterator[tuple[Encoded, Tensor]]:
        for row in capture.read():
            if row.entry.set == "fit" and len(row.cond) == length:
                yield row, pack([row.cond, row.pooled], "*")[0]

    _, least = next(rows())
    most = least.clone()
    for _, x in rows():
        least, most = torch.minimum(least, x), torch.maximum(most, x)
    kept = of_range(most - least, keep)
    found = [(row.entry.prompt.support(table), x[kept]) for row, x in rows()]
    labels = label_matrix([support for support, _ in found], len(table))
    return kept, Prompts(torch.stack([x for _, x in found]), labels, (length, width))


def usual_length(capture: Capture, name: str) -> int:
    """Return the number of rows that most prompts of a set have."""
    rows = zip(capture.plan.entries, capture.rows(), strict=True)
    return Counter(length for entry, length in rows if entry.set == name).most_common(1)[0][0]


def widest(x: Tensor, keep: int) -> Tensor:
    """Return which dimensions of x (n, N) have the largest range, at most ``keep``, and none that never varies."""
    return of_range(x.amax(0) - x.amin(0), keep)


def of_range(spread: Tensor, keep: int) -> Tensor:
    """Return the indices of the largest ranges (N,), at most ``keep``, and of none that is 0."""
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
    least, size = (x.amin(0), x.amax(0) - x.amin(0) + EDGE) if config.scaled else (x.new_zeros(()), x.new_ones(()))
    x = (x - least) / size
    generator = torch.Generator().manual_seed(config.seed)
    concepts = labels.shape[1]
    codes = first_codes(concepts, config, generator).requires_grad_(not config.fixed)
    decoder = (0.1 * torch.randn(concepts * config.width, x.shape[1], generator=generator)).requires_grad_()
    bias = x.mean(0).clone().requires_grad_()
    optimiser = torch.optim.Adam([one for one in (codes, decoder, bias) if one.requires_grad], config.rate)
    last = (config.last_rate or config.rate) / config.rate
    fall = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, last, config.epochs)
    for epoch in range(config.epochs):
        for batch in torch.randperm(len(x), generator=generator).split(config.batch):
            heed()
            loss = F.mse_loss(decode(labels[batch], codes, decoder, bias), x[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        fall.step()
        if progress:
            progress(epoch + 1, config.epochs)
    return Learnt(codes.detach(), decoder.detach() * size, bias.detach() * size + least)


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
