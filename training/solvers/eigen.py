"""Eigendecomposition of grams, also of those that single precision does not get through."""

from __future__ import annotations

from contextlib import suppress

import torch
from torch import Tensor

TRIFLE = 1e-12
"""Of a gram's mean diagonal."""


def eigh(gram: Tensor) -> tuple[Tensor, Tensor]:
    """Return eigenvalues (…, n), rising, and eigenvectors (…, n, n) of grams (…, n, n), in their dtype.

    Many concepts and few samples make a gram with hundreds of equal zeros, at which LAPACK's single precision may give
    up; it is then done in double, and where that gives up too, with zeros that differ beyond double's fourth digit from
    the last.

    Raises:
        torch.linalg.LinAlgError: if that does not do either, as of numbers that are none.
    """
    for one in (lambda: gram, gram.double):
        with suppress(torch.linalg.LinAlgError):  # pyright: ignore[reportPrivateImportUsage]
            values, vectors = torch.linalg.eigh(one())
            return values.to(gram.dtype), vectors.to(gram.dtype)
    values, vectors = torch.linalg.eigh(told_apart(gram.double()))
    return values.to(gram.dtype), vectors.to(gram.dtype)


def told_apart(gram: Tensor) -> Tensor:
    """Return grams (…, n, n) with rising trifles on their diagonals, so that no two eigenvalues are the same zero."""
    trifles = torch.arange(1, gram.shape[-1] + 1, dtype=gram.dtype) * TRIFLE
    return gram + torch.diag_embed(trifles * gram.diagonal(dim1=-2, dim2=-1).mean(-1, keepdim=True))
