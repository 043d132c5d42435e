"""What CLIP says of edited pictures that nothing can read: a proxy, with no truth behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from einops import rearrange
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from ...hosts.diffusers.pictures import PictureConfig, draw_pictures
from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.host import Progress
from ...training import distributed
from ..cases import Case, answer
from ..intervals import Interval, mean_interval
from ..results import Example, Section
from .cases import TextConfig, text_cases

if TYPE_CHECKING:
    from ...hosts.diffusers.clip import Clip
    from ...hosts.diffusers.text import DiffusersText

WAYS = ("no edit", "SupSAE", "prompt rewrite")
"""The three pictures of a case, from the same noise."""
CHANCE = "SupSAE, against other words"
SHOWN, SIDE = 8, 256
"""Cases shown, and the pixels that they are shown with."""
WARNING = (
    "A proxy, no truth: nobody has checked what these pictures show. CLIP is a learnt judge with faults of its own; "
    "compare the lines of the table, and look at the pictures."
)


class Judges(NamedTuple):
    """Who draws pictures, and who looks at them."""

    host: DiffusersText
    """of a whole pipeline"""
    clip: Clip
    config: PictureConfig


def proxy_section(
    dictionary: Dictionary, judges: Judges, text: TextConfig, *, progress: Progress | None = None
) -> Section:
    """Draw the first swaps of every split before, edited and rewritten, and have CLIP look at them.

    Args:
        dictionary: fitted to the judges' host's encoders.
        text: what the swaps are drawn with; they are the first of those that the text metrics judge.
        progress: called with (steps done, steps) of the sampler; may raise to interrupt.
    """
    host, config = judges.host, judges.config
    drawn, _ = text_cases(dictionary, host, text)
    cases = list(chain.from_iterable(zip(*drawn.values(), strict=False)))[: config.cases]
    before = list(zip(*host.encode([case.prompt.text for case in cases]), strict=True))
    rewrite = list(zip(*host.encode([case.rewrite.text for case in cases]), strict=True))
    made = [answer(dictionary, case, *rows) for case, rows in zip(cases, before, strict=True)]
    conds, pooled = zip(*before, *(one[:2] for one in made), *rewrite, strict=True)
    seeds = [case.seed for case in cases] * len(WAYS)
    asked = list(zip(conds, pooled, seeds, strict=True))
    flat = _drawn(judges, asked, progress)
    by_way = rearrange(flat, "(way case) h w c -> way case h w c", way=len(WAYS))
    pictures: dict[str, np.ndarray] = dict(zip(WAYS, by_way, strict=True))
    directions = clip_directions(judges.clip, cases, pictures)
    return Section(_json(config, cases, [one.refused for one in made], directions), _examples(cases, pictures))


def _drawn(judges: Judges, asked: Sequence[tuple[Tensor, Tensor, int]], progress: Progress | None) -> np.ndarray:
    """Draw a picture of every conditioning, pooled vector and seed, each rank its share; return all (n, h, w, 3)."""
    own, config = distributed.share_of(asked), judges.config
    empty = np.zeros((0, config.height, config.width, 3), np.uint8)

    def draw() -> np.ndarray:
        if not own:
            return empty
        conds, pooled, seeds = zip(*own, strict=True)
        return draw_pictures(judges.host, conds, pooled, seeds, config, progress=progress)

    made = torch.from_numpy(distributed.together(draw))
    return distributed.put_together(made, len(asked)).numpy()


def clip_directions(clip: Clip, cases: Sequence[Case], pictures: Mapping[str, np.ndarray]) -> dict[str, list[float]]:
    """Return directional CLIP similarities (Gal et al. 2021, arXiv 2108.00946, eq. 2), −1 … 1, of unit features.

    Each is the cosine between what CLIP sees change from the unedited picture and what it reads change from prompt to
    rewrite. ``CHANCE`` holds the edited pictures against another case's words.
    """
    said = clip.texts([case.prompt.text for case in cases])
    words = clip.texts([case.rewrite.text for case in cases]) - said
    seen = {name: clip.pictures(list(some)) for name, some in pictures.items()}
    moved = {name: seen[name] - seen[WAYS[0]] for name in WAYS[1:]}
    found = {name: F.cosine_similarity(one, words).tolist() for name, one in moved.items()}
    return {**found, CHANCE: F.cosine_similarity(moved["SupSAE"], words.roll(1, 0)).tolist()}


def means(found: Mapping[str, Sequence[float]]) -> dict[str, Interval]:
    """Return the mean of every way, and of the edit minus the rewrite case by case."""
    apart = np.subtract(found["SupSAE"], found["prompt rewrite"]).tolist()
    return {name: mean_interval(values) for name, values in {**found, "SupSAE − prompt rewrite": apart}.items()}


def _json(
    config: PictureConfig, cases: Sequence[Case], refused: Sequence[str], directions: Mapping[str, Sequence[float]]
) -> dict[str, Any]:
    told = [
        {"prompt": case.prompt.text, "rewrite": case.rewrite.text, "edit": case.title, "seed": case.seed}
        for case in cases
    ]
    for index, one in enumerate(told):
        own = {name: round(values[index], 4) for name, values in directions.items()}
        one |= {"refused": refused[index], "clip_direction": own}
    return {
        "proxy": WARNING,
        "settings": {"size": [config.width, config.height], "steps": config.steps, "cfg": config.cfg},
        "clip_direction": {name: value.json() for name, value in means(directions).items()},
        "cases": told,
    }


def _examples(cases: Sequence[Case], pictures: Mapping[str, np.ndarray]) -> list[Example]:
    """Return the first cases, none picked; nobody has judged them, so none has a fault."""
    made = []
    for index, case in enumerate(cases[:SHOWN]):
        shown = {name: _square(some[index]) for name, some in pictures.items()}
        made.append(Example(case.title, case.prompt.text, shown, dict.fromkeys(shown, "")))
    return made


def _square(picture: np.ndarray) -> np.ndarray:
    """Return the middle square of a picture (h, w, 3), small."""
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = Image.fromarray(picture[top : top + side, left : left + side])
    return np.asarray(square.resize((min(side, SIDE), min(side, SIDE)), Image.Resampling.LANCZOS))
