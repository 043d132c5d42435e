"""The paper's model solved exactly: ridge regression of the flattened embedding on the concepts said.

With codes shared by all prompts, x̂ = W σ(M ⊙ Y) + b gives every concept one constant vector, so its optimum is linear
in M. All dimensions are modelled; the ridge strength is the best of five folds.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from einops import pack
from torch import Tensor

from ...supsae_core.capture.captures import Capture
from ...supsae_core.host import Progress, TextHost
from .additive import Additive
from .paper import flattened, label_matrix, split, usual_length

FOLDS = 5
STRENGTHS = (1e-3, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
"""Candidates, in prompts: added to the diagonal of MᵀM."""


class Normal(NamedTuple):
    """The normal equations of some prompts: A = [M, 1]."""

    gram: Tensor
    """AᵀA (K + 1, K + 1)"""
    cross: Tensor
    """AᵀX (K + 1, N)"""
    square: float
    """‖X‖²"""


def fit(capture: Capture, host: TextHost, *, progress: Progress | None = None) -> Additive:
    """Fit to a capture's fit prompts."""
    prompts = flattened(capture, "fit")
    effects, _, _ = regress(prompts.labels, prompts.x)
    if progress:
        progress(1, 1)
    rows, pooled = split(effects, prompts.shape)
    return Additive(rows, pooled)


def by_sums(capture: Capture, strength: float = 1.0) -> Additive:
    """Fit like ``fit``, with a given ridge strength: rows are read once, and no prompt's are kept."""
    table, length = capture.plan.table, usual_length(capture, "fit")
    gram = torch.zeros(len(table) + 1, len(table) + 1, dtype=torch.double)
    cross = torch.zeros(0)
    for row in capture.read():
        if row.entry.set == "fit" and len(row.cond) == length:
            x, _ = pack([row.cond, row.pooled], "*")
            said = torch.cat([label_matrix([row.entry.prompt.support(table)], len(table))[0], torch.ones(1)])
            cross = cross if len(cross) else torch.zeros(len(said), len(x))
            gram += torch.outer(said, said)
            cross[said.bool()] += x
    solved = solve(Normal(gram, cross.double(), 0.0), strength).float()
    return Additive(*split(solved[:-1], (length, capture.plan.family.width)))


def regress(labels: Tensor, x: Tensor) -> tuple[Tensor, Tensor, float]:
    """Regress x (n, N) on labels (n, K); return effects (K, N), bias (N,) and the ridge strength the folds chose."""
    folds = [_normal(labels[fold::FOLDS], x[fold::FOLDS]) for fold in range(FOLDS)]
    best = min(STRENGTHS, key=lambda strength: _held_out(folds, strength))
    solved = solve(_sum(folds), best).to(x.dtype)
    return solved[:-1], solved[-1], best


def solve(normal: Normal, strength: float) -> Tensor:
    """Return the coefficients (K + 1, N); the last row, the bias, is not shrunk."""
    ridge = torch.full((len(normal.gram),), strength, dtype=normal.gram.dtype)
    ridge[-1] = 0
    return torch.linalg.solve(normal.gram + ridge.diag(), normal.cross)


def _normal(labels: Tensor, x: Tensor) -> Normal:
    a, x = torch.cat([labels, torch.ones(len(labels), 1)], 1).double(), x.double()
    return Normal(a.T @ a, a.T @ x, float(x.square().sum()))


def _sum(folds: Sequence[Normal]) -> Normal:
    gram, cross, square = zip(*folds, strict=True)
    return Normal(torch.stack(gram).sum(0), torch.stack(cross).sum(0), sum(square))


def _held_out(folds: Sequence[Normal], strength: float) -> float:
    """Return the squared error of every fold under the solution of the others, summed."""
    error = 0.0
    for left_out, fold in enumerate(folds):
        b = solve(_sum([*folds[:left_out], *folds[left_out + 1 :]]), strength)
        error += fold.square - 2 * float((b * fold.cross).sum()) + float((b * (fold.gram @ b)).sum())
    return error
