"""What slider nodes do: the difference of two means over prompts, added to every token of a text encoder.

The mean over a prompt's rows is regressed on the concepts it says, so that a concept's direction is free of those that
happened to stand beside it. All rows of an encoder get the same vector; the pooled vector gets its own.
"""

import torch
from einops import reduce, repeat

from ...supsae_core.capture.captures import Capture
from ...supsae_core.encoders.placing import rows_of
from ...supsae_core.host import Progress, TextHost
from .additive import Additive
from .flattened_ridge import regress
from .paper import flattened, split


def fit(capture: Capture, host: TextHost, *, progress: Progress | None = None) -> Additive:
    """Fit to a capture's fit prompts."""
    prompts, family = flattened(capture, "fit"), capture.plan.family
    cond, vectors = split(prompts.x, prompts.shape)
    effects = torch.zeros(prompts.labels.shape[1], *prompts.shape)
    for encoder in family.encoders:
        rows = list(rows_of(cond[0], family).of(encoder))
        columns = slice(encoder.first, encoder.last)
        mean = reduce(cond[:, rows, columns], "n row column -> n column", "mean")
        direction, _, _ = regress(prompts.labels, mean)
        effects[:, rows, columns] = repeat(direction, "concept column -> concept row column", row=len(rows))
    pooled, _, _ = regress(prompts.labels, vectors)
    if progress:
        progress(1, 1)
    return Additive(effects, pooled)
