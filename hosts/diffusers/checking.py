"""A model of diffusers that is checked: swaps drawn three ways, and its blocks listened to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.editing.apply import apply
from ...supsae_core.encoders.sites import Site
from ...supsae_core.host import TextHost
from ..sights import HeardBlocks, Trio, WantedTrio
from .recording import Negative, listening
from .transformer import initial_noise, sample_latents

SEEN = "a photo of a person"
"""Prompt while the blocks are listened to."""
Draw = Callable[[Sequence[Tensor], Sequence[Tensor]], np.ndarray]
"""Conditionings (L, width) and pooled vectors (P,) → pictures (n, H, W, 3), bytes, all from one seed."""


def draw_trios(host: TextHost, draw: Draw, dictionary: Dictionary, wanted: Sequence[WantedTrio]) -> list[Trio]:
    """Draw each swap three ways; an edit that is refused leaves the picture as it was."""
    conds, vectors = list[Tensor](), list[Tensor]()
    for one in wanted:
        (before, after), (pooled, vector) = host.encode([one.prompt, one.rewrite])
        edited: tuple[Tensor, Tensor | None] = before, pooled
        with suppress(ValueError):
            made = apply(dictionary, before, pooled, one.edits)
            edited = made.cond, made.pooled
        conds += [before, edited[0], after]
        vectors += [pooled, pooled if edited[1] is None else edited[1], vector]
    drawn = draw(conds, vectors)
    return [Trio(*drawn[start : start + 3]) for start in range(0, len(drawn), 3)]


class _Ears:
    """A ``host.Recorder`` that only notes which blocks it hears."""

    attended = None

    def __init__(self, depth: int) -> None:
        self.sites = tuple(Site("txt", block) for block in range(depth))
        self.heard = set[Site]()

    def hear(self, site: Site, rows: Tensor, attention: Tensor | None = None) -> None:
        self.heard.add(site)

    def step(self) -> None:
        """Steps do not matter."""


def hear_blocks(host: TextHost, transformer: Any, depth: int, negative: Negative, seed: int) -> HeardBlocks:
    """Draw one step twice, the second time with a listener at every block."""
    device, ears = transformer.device, _Ears(depth)
    (cond,), (pooled,) = host.encode([SEEN])
    rows, vector = cond[None].to(device), pooled[None].to(device)
    empty, nothing = (one.to(device) for one in negative(cond))
    noise = initial_noise([seed]).to(device)

    def step() -> Tensor:
        return sample_latents(transformer, rows, vector, (empty, nothing), noise, steps=1)

    before = step()
    with listening(transformer, ears, 1):
        after = step()
    same = torch.equal(before, after)
    known = None if not same and not torch.equal(before, step()) else same
    return HeardBlocks(depth, len(ears.heard), known)
