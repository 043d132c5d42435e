"""What CLIP and LPIPS say of edited pictures that nothing can read: proxies, with no truth behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ...hosts.diffusers import pictures as pictures_of
from ...hosts.diffusers.pictures import PictureConfig
from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.host import Progress
from ..cases import Case, answer
from ..outcomes import Interval, Z
from ..trials import METHODS
from .lpips import MAKE, Lpips
from .swaps import TextConfig, draw_swaps

if TYPE_CHECKING:
    from ...hosts.diffusers.clip import Clip
    from ...hosts.diffusers.text import DiffusersText

ALONE = f'LPIPS was left out: name its weights, a safetensors file. Make it with: python -c "{MAKE}"'
"""Said where no weights were named."""


class Judges(NamedTuple):
    """Who draws pictures, and who looks at them."""

    host: DiffusersText
    """of a whole pipeline"""
    clip: Clip
    lpips: Lpips | None
    config: PictureConfig


class Proxies(NamedTuple):
    """What they say; every mapping goes by method, every interval is of a mean over the cases."""

    config: PictureConfig
    cases: list[Case]
    pictures: Mapping[str, np.ndarray]
    """(n, h, w, 3) bytes"""
    refused: list[str]
    """per case, why the edit was refused, or empty; it then counts as it was drawn, unedited"""
    direction: Mapping[str, list[float]]
    """cosine between what CLIP sees change from ``before`` and what it reads change from prompt to rewrite; ``other
    words``: the edited pictures against another case's words, which is chance"""
    apart: Mapping[str, list[float]]
    """LPIPS from ``before``; empty without weights"""

    @property
    def notes(self) -> list[str]:
        """What was left out, sentences."""
        return [] if self.apart else [ALONE]

    def json(self) -> dict[str, Any]:
        """Return every number, with the warning that they are proxies."""
        config = self.config
        return {
            "proxy": "no truth: CLIP and LPIPS are learnt judges of pictures, and wrong at times",
            "settings": {"size": [config.width, config.height], "steps": config.steps, "cfg": config.cfg},
            "clip_direction": _means(self.direction),
            "lpips_from_before": _means(self.apart),
            "notes": self.notes,
            "cases": [
                {
                    "prompt": case.prompt.text,
                    "rewrite": case.rewrite.text,
                    "edit": f"swap {case.edit.concept}",
                    "seed": case.seed,
                    "refused": self.refused[index],
                    "clip_direction": {name: round(values[index], 4) for name, values in self.direction.items()},
                    "lpips_from_before": {name: round(values[index], 4) for name, values in self.apart.items()},
                }
                for index, case in enumerate(self.cases)
            ],
        }


def _means(found: Mapping[str, Sequence[float]]) -> dict[str, dict[str, float]]:
    return {name: one._asdict() for name, one in means(found).items()}


def means(found: Mapping[str, Sequence[float]]) -> dict[str, Interval]:
    """Return the mean of every method, and of ``edited`` minus ``rewrite`` case by case."""
    if not found:
        return {}
    beside = np.subtract(found["edited"], found["rewrite"])
    return {name: mean(values) for name, values in [*found.items(), ("edited_minus_rewrite", beside)]}


def mean(values: Sequence[float] | np.ndarray) -> Interval:
    """Return a mean of two values or more with its 95 % interval by the normal distribution."""
    middle, half = float(np.mean(values)), Z * float(np.std(values, ddof=1)) / len(values) ** 0.5
    return Interval(middle, middle - half, middle + half, len(values))


def measure(
    dictionary: Dictionary,
    judges: Judges,
    text: TextConfig,
    *,
    progress: Progress | None = None,
) -> Proxies:
    """Draw the first swaps of every split before, edited and rewritten, and have the judges look at them.

    Args:
        dictionary: fitted to the judges' host's encoders.
        judges: the model, CLIP and, if there are weights, LPIPS.
        text: what the swaps are drawn with; they are the first of those that the text metrics judge.
        progress: called with (steps done, steps) of the sampler; may raise to interrupt.
    """
    host, (drawn, _) = judges.host, draw_swaps(dictionary, judges.host, text)
    in_turn = [case for some in zip(*drawn.values(), strict=False) for case in some]
    cases = in_turn[: judges.config.cases]
    before = host.encode([case.prompt.text for case in cases])
    rewrite = host.encode([case.rewrite.text for case in cases])
    made = [answer(dictionary, *one) for one in zip(cases, *before, strict=True)]
    rows = {"before": before, "edited": ([one.cond for one in made], [one.pooled for one in made]), "rewrite": rewrite}
    conds, pooled = ([one for name in METHODS for one in rows[name][part]] for part in (0, 1))
    seeds = [case.seed for case in cases] * len(METHODS)
    flat = pictures_of.draw_pictures(host, conds, pooled, seeds, judges.config, progress=progress)
    pictures: dict[str, np.ndarray] = dict(zip(METHODS, np.split(flat, len(METHODS)), strict=True))
    return Proxies(
        judges.config,
        cases,
        pictures,
        [one.refused for one in made],
        directions(judges.clip, cases, pictures),
        distances(judges.lpips, pictures) if judges.lpips else {},
    )


def directions(clip: Clip, cases: Sequence[Case], pictures: Mapping[str, np.ndarray]) -> dict[str, list[float]]:
    """Return directional CLIP similarities (Gal et al. 2021, arXiv 2108.00946, eq. 2), −1 … 1, of unit features."""
    words = clip.texts([case.rewrite.text for case in cases]) - clip.texts([case.prompt.text for case in cases])
    seen = {name: clip.pictures(list(some)) for name, some in pictures.items()}
    moved = {name: seen[name] - seen["before"] for name in METHODS[1:]}
    found = {name: F.cosine_similarity(one, words).tolist() for name, one in moved.items()}
    return {**found, "other words": F.cosine_similarity(moved["edited"], words.roll(1, 0)).tolist()}


def distances(lpips: Lpips, pictures: Mapping[str, np.ndarray]) -> dict[str, list[float]]:
    """Return how unlike the unedited pictures the others look, 0 for the same."""

    def pixels(picture: np.ndarray) -> Tensor:
        return torch.from_numpy(picture).to(lpips.weights[0].device).permute(2, 0, 1)[None].float() / 255

    pairs = {name: zip(pictures["before"], pictures[name], strict=True) for name in METHODS[1:]}
    return {name: [float(lpips.distance(*map(pixels, pair))) for pair in some] for name, some in pairs.items()}
