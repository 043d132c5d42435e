"""What slider nodes do: the difference of two means over prompts, added to every token of a text encoder.

The mean over a prompt's rows is regressed on the concepts it says, so that a concept's direction is free of those that
happened to stand beside it. All rows of an encoder get the same vector; the pooled vector gets its own.
"""

from __future__ import annotations

import torch

from ...supsae_core.capture.captures import Capture
from ...supsae_core.encoders.placing import rows_of
from ...supsae_core.host import Progress, TextHost
from .additive import Additive
from .flattened_ridge import regress
from .paper import flattened


def fit(capture: Capture, host: TextHost, *, progress: Progress | None = None) -> Additive:
    """Fit to a capture's fit prompts."""
    prompts, family = flattened(capture, "fit"), capture.plan.family
    length, width = prompts.shape
    cond = prompts.x[:, : length * width].unflatten(1, prompts.shape)
    effects = torch.zeros(prompts.labels.shape[1], length, width)
    for encoder in family.encoders:
        rows = list(rows_of(cond[0], family).of(encoder))
        columns = slice(encoder.first, encoder.last)
        direction, _, _ = regress(prompts.labels, cond[:, rows, columns].mean(1))
        effects[:, rows, columns] = direction[:, None]
    pooled, _, _ = regress(prompts.labels, prompts.x[:, length * width :])
    if progress:
        progress(1, 1)
    return Additive(effects, pooled)
