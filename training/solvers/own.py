"""What one slot's effects deviate by, by the smaller gram: that of its samples where these are fewer than concepts.

With labels A (n, K) and rows X (n, d), both about the slot's means, a ridge step is Aᵀ (A Aᵀ + λ)⁻¹ X as well as
(Aᵀ A + λ)⁻¹ Aᵀ X, and its rank is no more than n: it is held as a product, never as K · d numbers (docs/method.md, 5).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor

from .effects import NEVER

SMALLEST = 1e-9
"""Share of a gram's largest value below which a direction is rounding."""


class OwnStep(NamedTuple):
    """A ridge step of one slot at every strength: effects are ``left``ᵀ · weights · ``turned``."""

    left: Tensor
    """(p, K)"""
    values: Tensor
    """(p,) of the gram"""
    sizes: Tensor
    """(p,) of what the labels make of each row of ``left``"""
    turned: Tensor
    """(p, d)"""

    @classmethod
    def of(cls, labels: Tensor, rows: Tensor) -> OwnStep:
        """Prepare the step of samples with labels (n, K) and rows (n, d), about their means."""
        few = len(labels) <= labels.shape[1]
        a = labels.double()
        values, vectors = torch.linalg.eigh(a @ a.T if few else a.T @ a)
        held = values > SMALLEST * values[-1:].clamp(min=1)
        values, across = values[held], vectors[:, held].T.to(rows.dtype)
        if few:
            return cls(across @ labels, values, values, across @ rows)
        return cls(across, values, values.sqrt(), across @ (labels.T @ rows))

    def weights(self, strength: float) -> Tensor:
        """Return (p,)."""
        made = 1 / (self.values + strength) if strength < NEVER else torch.zeros_like(self.values)
        return made.to(self.turned.dtype)

    def said(self, labels: Tensor, strength: float) -> Tensor:
        """Return what the step makes (n, d) of labels (n, K)."""
        return (labels @ self.left.T * self.weights(strength)) @ self.turned

    def errors(self, strengths: Sequence[float], labels: Tensor, rows: Tensor) -> Tensor:
        """Return what the step changes of Σ‖x‖² of rows (n, d) with labels (n, K), at every strength."""
        along = labels @ self.left.T
        # ‖x − H w V‖² − ‖x‖² = −2 Σ w (Hᵀx ∘ V) + wᵀ (HᵀH ∘ V Vᵀ) w
        linear = (along.T @ rows * self.turned).sum(1)
        quadratic = (along.T @ along) * (self.turned @ self.turned.T)
        ws = torch.stack([self.weights(one) for one in strengths])
        return ((ws @ quadratic) * ws).sum(1) - 2 * ws @ linear

    def factors(self, strength: float) -> tuple[Tensor, Tensor]:
        """Return the effects as left (K, p) times right (p, d), the rows of right orthonormal, most needed first.

        The first so many are the best effects of that rank: of all these the nearest to what the step says of its own
        samples.
        """
        weights = self.weights(strength).double()
        turned = self.turned.double()
        said = rearrange(self.sizes * weights, "p -> p 1") * turned
        values, across = torch.linalg.eigh(said @ said.T)
        values, across = values.flip(0), across.flip(1)
        held = values > SMALLEST * values[:1]
        right = torch.linalg.qr(said.T @ (across[:, held] / values[held].sqrt())).Q.T
        left = self.left.double().T @ (rearrange(weights, "p -> p 1") * (turned @ right.T))
        return left.to(self.turned), right.to(self.turned)
