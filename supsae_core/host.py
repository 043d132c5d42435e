"""What a host must offer: text encoders, a diffusion model to record or to draw with, and how it tells its progress."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from .capture.sampling import Sampling
from .dictionary.model import Dictionary
from .encoders.base import Family
from .encoders.fingerprints import PRECISION, SAME, distance, project
from .encoders.sites import Site

PROBES = ("a portrait of a person", "red and blue", "snow, forest, smiling")
"""Fixed prompts whose encoding tells one encoder from another."""

Progress = Callable[[int, int], None]
"""Called with (done, total); may raise to interrupt."""
Told = Callable[[int, Tensor | None], None]
"""Called after every step of sampling with (steps done, denoised latents or None); may raise to interrupt."""
Step = Callable[[float, Tensor, Tensor], Tensor]
"""(noise level, x, guided velocity) of a step, (B, C, h, w) each → the velocity to step by."""


class TextHost(Protocol):
    """A set of text encoders behind one conditioning."""

    @property
    def family(self) -> Family:
        """How its text lies in its conditioning."""
        ...

    def counts(self, words: Sequence[str]) -> dict[str, tuple[int, ...]]:
        """Return, per encoder, how many tokens spell each whitespace word, its punctuation included.

        Words stand in the order of one text. Where a tokenizer glues them to their neighbours, they are counted in that
        text, not one by one (``words.counts_in_text``).
        """
        ...

    def encode(self, texts: Sequence[str]) -> tuple[list[Tensor], list[Tensor]]:
        """Return conditionings (L, width) and pooled vectors (P,), float32 on the CPU; P is 0 where there are none."""
        ...


class Recorder(Protocol):
    """What a host tells while it samples: of the main pass on the prompts alone, never of guidance or the negative."""

    @property
    def sites(self) -> tuple[Site, ...]:
        """The streams it wants to hear."""
        ...

    @property
    def attended(self) -> Sequence[Sequence[tuple[int, ...]]] | None:
        """Per prompt, groups of text rows whose attention it wants with the image streams; None if it does not."""
        ...

    def hear(self, site: Site, rows: Tensor, attention: Tensor | None = None) -> None:
        """Take a stream (B, rows, d), and for an image stream the attention (B, rows, groups) where it is wanted."""
        ...

    def step(self) -> None:
        """Note that a step of sampling is made; what was heard last was its."""
        ...


class PictureHost(Protocol):
    """A diffusion model that can be recorded."""

    @property
    def depth(self) -> int:
        """Number of blocks."""
        ...

    @property
    def hidden(self) -> int:
        """Width of its streams."""
        ...

    def sigmas(self, steps: int) -> tuple[float, ...]:
        """Return the noise level of every step."""
        ...

    def sample(
        self, prompts: Sequence[tuple[Tensor, Tensor]], seeds: Sequence[int], how: Sampling, recorder: Recorder,
        told: Told | None = None,
    ) -> None:  # fmt: skip
        """Sample pictures by Euler steps.

        Args:
            prompts: conditionings (L, width), of equal length, and pooled vectors (P,).
            seeds: of the noise, one a picture; noise depends on it alone.
            recorder: hears the sites it wants in every step.
            told: called after every step; may raise to interrupt.
        """
        ...


class Draw(Protocol):
    """How a host draws portraits (n, 128, 128 · people, 3), bytes; equal seeds start from equal noise."""

    def __call__(
        self, conds: Sequence[Tensor], pooled: Sequence[Tensor], seeds: Sequence[int], *,
        progress: Progress | None = None, step: Callable[[list[int]], Step] | None = None, people: int = 1,
    ) -> np.ndarray: ...  # fmt: skip


class Renderer(NamedTuple):
    """A host that draws, and a name for what it draws with."""

    name: str
    """what tells its pictures from another's: the weights, the host, its steps and guidance"""
    draw: Draw


def text_fingerprint(host: TextHost) -> dict[str, tuple[float, ...]]:
    """Return 64 numbers per site that tell this encoder from another: fixed random projections of the probes' rows."""
    conds, pooled = host.encode(PROBES)
    rows = torch.stack([cond.float().mean(0) for cond in conds]).flatten()
    found = {"cond": project(rows)}
    return found | {"pooled": project(torch.stack(pooled).float().flatten())} if host.family.pooled else found


def check_host(dictionary: Dictionary, host: TextHost) -> None:
    """Refuse a dictionary that was made for another text encoder; say so when it is only another precision.

    Raises:
        ValueError: if format or fingerprint do not fit.
    """
    if dictionary.family != host.family:
        raise ValueError(
            f"This dictionary is for the format {dictionary.family.name!r}, not for {host.family.name!r}. Use it with "
            "the model and the program that it was captured in, or capture and fit anew here."
        )
    off = distance(text_fingerprint(host), dictionary.provenance.get("fingerprint", {}))
    if off >= PRECISION:
        raise ValueError(
            f"This dictionary was made for another text encoder (outputs differ by {off:.0%}). Capture and fit anew."
        )
    if off >= SAME:
        print(f"Note: the dictionary was made for these encoders in another precision ({off:.1%} apart).")
