"""The paper's optimiser on the same sums: codes, one decoder and a bias by gradient (docs/method.md, 9).

El Harzli et al., arXiv 2602.00924, with features aligned by phrase instead of position. Letters: K concepts, S slots, T
tokens, d columns, r code width, G groups. Token j of slot s in context a is  x̂ = (y_sj + (a − ā_s) Y_g) W + b.
The paper's σ, a leaky ReLU, is left out: it acts on each number of a code by itself, one to one, and a mask is 0 or 1,
so σ(M ⊙ Y) = M ⊙ σ(Y) and it only renames the codes.
"""

from dataclasses import dataclass, field
from typing import NamedTuple, Self

import torch
from einops import einsum, rearrange, reduce
from torch import Tensor

from ...supsae_core.capture.kept import Summed
from ...supsae_core.capture.statistics import Sums
from ...supsae_core.stopping import heed
from .effects import Effects
from .groups import Groups
from .held_out import base_over, error_over, folds_of, measured, require_enough
from .options import about
from .solution import Solution, encoded


@dataclass(frozen=True)
class AdamConfig:
    """Options of the solver by gradient; steps and rate are where the loss no longer falls on Portraits."""

    rank: int = field(default=64, metadata=about("code width"))
    steps: int = field(default=500, metadata=about("steps of Adam, each on all prompts"))
    rate: float = field(default=0.1, metadata=about("of Adam; it falls to 0 over the second half of the steps"))
    seed: int = field(default=0, metadata=about("of the random codes that it starts from"))

    def __post_init__(self) -> None:
        for name in ("rank", "steps", "rate"):
            if not getattr(self, name) > 0:
                raise ValueError(f"The option {name} is {getattr(self, name):g}. It must be above 0.")

    def for_streams(self) -> Self:
        """Return these options for the streams inside a model."""
        return self


ADAM = AdamConfig()


class Weights(NamedTuple):
    """What is learnt; the first two are the paper's codes Y."""

    constant: Tensor
    """(S, T, r) codes of the slots' own tokens"""
    shared: Tensor
    """(G, K, r) codes of the concepts of a context, one for all slots of a group"""
    decoder: Tensor
    """W (r, d)"""
    bias: Tensor
    """b (d,)"""


class Targets(NamedTuple):
    """All that the squared error needs of the samples, as means over tokens; float32, columns of variance 1.

    Labels are centred per slot, so that the error of the means and that of the effects are two separate terms.
    """

    mean: Tensor
    """(S, T, d) of the slots' tokens"""
    share: Tensor
    """(S, T) of all tokens; 0 from a slot's length on, and where it never occurred"""
    gram: Tensor
    """(G, K, K) of (a − ā)(a − ā)ᵀ"""
    cross: Tensor
    """(G, K, d) of (a − ā) xᵀ"""
    scale: Tensor
    """() what columns were divided by"""


def adam(statistics: Summed, groups: Groups, config: AdamConfig = ADAM) -> Solution:
    """Fit one part: codes, decoder and bias by Adam from random codes, to every fold's rest and then to all.

    Raises:
        ValueError: if nothing occurs twice.
    """
    statistics = statistics.whole()
    folds, total = folds_of(statistics), statistics.total()
    base = base_over(folds, groups)
    require_enough(base)
    parts = [targets(fold.train, groups) for fold in folds]
    learnt = [decoded(learn(part, config), part) for part in parts]
    error = error_over(folds, learnt, groups)._replace(base=base)
    wanted = targets(total, groups)
    weights = learn(wanted, config)
    # Any basis of the decoder's rows decodes the same; a file's is orthonormal, so that rows can be encoded.
    basis = torch.linalg.qr(weights.decoder.double().T).Q.T
    bias = (wanted.scale * weights.bias).double()
    return encoded(decoded(weights, wanted), total, basis, bias, measured(error, statistics, groups.judged, len(basis)))


def targets(sums: Sums, groups: Groups) -> Targets:
    """Return what is to be learnt from sums: nothing of a sample is needed but these."""
    number = sums.count[:, None] * sums.valid
    tokens = number.sum()
    middle = reduce(sums.token, "s t d -> d", "sum") / tokens
    scale = ((sums.square.sum() / tokens - middle.square().sum()) / len(middle)).clamp(min=1e-12).sqrt()
    gram, cross = sums.centred()
    # One effect for all tokens of a phrase: a slot counts as often as it has tokens, a group as its slots together.
    times = rearrange(sums.lengths.double(), "s -> s 1 1")
    group_gram, group_cross = (
        torch.zeros(groups.count, *one.shape[1:], dtype=one.dtype).index_add_(0, groups.of, times * one) / tokens
        for one in (gram, cross)
    )
    found = (sums.mean_token / scale, number / tokens, group_gram, group_cross / scale, scale)
    return Targets(*(one.float() for one in found))


def loss(weights: Weights, wanted: Targets) -> Tensor:
    """Return the mean squared error of all tokens, up to what no weights can change, per column."""
    made = weights.constant @ weights.decoder + weights.bias
    means = wanted.share * reduce((made - wanted.mean).square(), "s t d -> s t", "sum")
    # Σ‖r − aᵀY W‖² − Σ‖r‖² = −2 ⟨Y W, Σ a rᵀ⟩ + ⟨Y W, Σ a aᵀ Y W⟩
    effect = weights.shared @ weights.decoder
    heard = effect * (wanted.gram @ effect - 2 * wanted.cross)
    return (means.sum() + heard.sum()) / wanted.mean.shape[-1]


@torch.inference_mode(False)  # ComfyUI runs nodes without gradients
def learn(wanted: Targets, config: AdamConfig = ADAM) -> Weights:
    """Descend from random codes, a small random decoder and the mean as bias, as the paper does."""
    wanted = Targets(*(one.clone() for one in wanted))  # tensors made in inference mode take no part in gradients
    weights = start(wanted, config)
    for one in weights:
        one.requires_grad_()
    optimiser = torch.optim.Adam(weights, config.rate)
    pace = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: min(1.0, 2 - 2 * step / config.steps))
    for _ in range(config.steps):
        heed()
        optimiser.zero_grad()
        loss(weights, wanted).backward()
        optimiser.step()
        pace.step()
    return Weights(*(one.detach() for one in weights))


def start(wanted: Targets, config: AdamConfig = ADAM) -> Weights:
    """Return the random weights that learning begins with.

    A code that no prompt ever switches on would keep its random start, so it starts, and stays, at 0.
    """
    generator = torch.Generator().manual_seed(config.seed)
    slots, tokens, columns = wanted.mean.shape
    groups, concepts, _ = wanted.cross.shape

    def random(*shape: int) -> Tensor:
        return torch.randn(*shape, config.rank, generator=generator)

    constant = random(slots, tokens) * rearrange(wanted.share > 0, "s t -> s t 1")
    shared = random(groups, concepts) * rearrange(wanted.gram.diagonal(dim1=1, dim2=2) > 0, "g k -> g k 1")
    decoder = 0.1 * torch.randn(config.rank, columns, generator=generator)
    return Weights(constant, shared, decoder, einsum(wanted.share, wanted.mean, "s t, s t d -> d"))


def decoded(weights: Weights, wanted: Targets) -> Effects:
    """Return what weights say in full width, in the features' own scale; no slot has effects of its own."""
    codes, shared, decoder, bias = (one.double() for one in weights)
    scale = wanted.scale.double()
    mean = scale * (codes @ decoder + bias) * rearrange(wanted.share > 0, "s t -> s t 1")
    shared = scale * (shared @ decoder)
    return Effects(mean, shared, torch.zeros(len(mean), *shared.shape[1:], dtype=shared.dtype))
