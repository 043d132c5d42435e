"""Eigendecomposition of grams, also of those that single precision does not get through."""

from __future__ import annotations

import torch
from torch import Tensor


def eigh(gram: Tensor) -> tuple[Tensor, Tensor]:
    """Return eigenvalues (…, n), rising, and eigenvectors (…, n, n) of grams (…, n, n), in their dtype.

    Many concepts and few samples make a gram with hundreds of equal zeros, at which LAPACK's single precision may give
    up; it is then done in double.

    Raises:
        torch.linalg.LinAlgError: if double does not do either, as of numbers that are none.
    """
    try:
        values, vectors = torch.linalg.eigh(gram)
    except torch.linalg.LinAlgError:  # pyright: ignore[reportPrivateImportUsage]
        values, vectors = (one.to(gram.dtype) for one in torch.linalg.eigh(gram.double()))
    return values, vectors
