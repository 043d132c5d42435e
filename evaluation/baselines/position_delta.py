"""What delta nodes do: encode a text that says the concept and one that does not, and subtract them row by row.

As ConDelta nodes are used, with absolute positions: the difference is added to the rows of the same numbers, whatever
the prompt has there. Every phrase of the concept is encoded in every template, and averaged.
"""

from collections.abc import Sequence

import torch
from einops import reduce
from torch import Tensor

from ...portraits import captions
from ...supsae_core.capture.captures import Capture
from ...supsae_core.host import Progress, TextHost
from .additive import Additive

TEMPLATES = tuple(f"{opener} {{}}" for opener in captions.WORDING.openers)
"""Bare phrases among them; several say half again as much of what a rewrite changes as bare phrases do."""


def fit(
    capture: Capture,
    host: TextHost,
    templates: Sequence[str] = TEMPLATES,
    *,
    progress: Progress | None = None,
) -> Additive:
    """Encode every concept; of the capture only the table is used."""
    table = capture.plan.table
    empty, empty_pooled = _mean(host, [template.format("") for template in templates])
    rows, pooled = [], []
    for done, concept in enumerate(table.concepts, 1):
        said = [template.format(phrase) for template in templates for phrase in concept.phrases]
        cond, vector = _mean(host, said)
        rows.append(cond - empty)
        pooled.append(vector - empty_pooled)
        if progress:
            progress(done, len(table))
    return Additive(torch.stack(rows), torch.stack(pooled))


def _mean(host: TextHost, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
    conds, pooled = host.encode([" ".join(text.split()) for text in texts])
    rows, vectors = torch.stack(conds), torch.stack(pooled)
    return reduce(rows, "text row column -> row column", "mean"), reduce(vectors, "text column -> column", "mean")
