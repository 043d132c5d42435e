"""Poles in pictures: Portraits' drawings that differ in one thing, and what they differ in inside the model."""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from supsae.hosts.diffusers.recording import listening
from supsae.hosts.diffusers.studio import Studio
from supsae.hosts.diffusers.transformer import initial_noise, noise_levels
from supsae.portraits import scene
from supsae.portraits.face import skin_color
from supsae.supsae_core.encoders.sites import Site

NOISE, BATCH = 90210, 16
LEVELS = noise_levels(16)
SITE = Site("img", 2)
"""Where effects are recorded and put in; chosen on other cases, among img@0 … img@3."""
TONES = {"light": 0.1, "dark": 0.9}
"""Skin tones of the pictures of either pole."""
CHEEKS, REACH = ((47, 91), (81, 91)), 3
"""Places of bare skin, x and y, and pixels about them that are looked at."""
Rows = tuple[Tensor, Tensor]
"""cond (L, width) and pooled (P,)"""


class Concept(NamedTuple):
    """One change, in pictures and in words."""

    category: str
    low: str
    high: str
    poles: tuple[str, str]
    """as they are typed"""


CONCEPTS = (
    Concept("hair", "black", "red", ("black hair", "red hair")),
    Concept("hat", "none", "top hat", ("no hat", "top hat")),
    Concept("expression", "sad", "smile", ("sad face", "smiling")),
    Concept("skin", "light", "dark", ("light skin", "dark skin")),
)


def drawn(concept: Concept, pole: str, factors: Mapping[str, str], nuisance: scene.Nuisance) -> np.ndarray:
    """Draw (128, 128, 3) bytes with one pole of a concept."""
    if concept.category in scene.FACTORS:
        return np.asarray(scene.draw_portrait({**factors, concept.category: pole}, nuisance))
    return np.asarray(scene.draw_portrait(factors, replace(nuisance, skin=TONES[pole])))


def pictures(concept: Concept, count: int, rng: np.random.Generator, paired: bool = True) -> np.ndarray:
    """Draw (2, count, 128, 128, 3) bytes, the low pole first; unpaired pictures differ in all else too."""
    some = [(scene.sample_factors(rng), scene.Nuisance.sample(rng)) for _ in range(count if paired else 2 * count)]
    low, high = some[:count], some[-count:]
    both = [(low, concept.low), (high, concept.high)]
    return np.stack([[drawn(concept, pole, *one) for one in own] for own, pole in both])


class Heard:
    """What the image stream holds in one call."""

    sites, attended = (SITE,), None

    def __init__(self) -> None:
        self.rows = torch.empty(0)

    def hear(self, site: Site, rows: Tensor, attention: Tensor | None = None) -> None:
        """Take the stream (B, tokens, d)."""
        self.rows = rows.float()

    def step(self) -> None:
        """Nothing is sampled here."""


@torch.no_grad()
def latents_of(models: Studio, some: np.ndarray) -> Tensor:
    """Encode (n, 128, 128, 3) bytes to latents (n, 16, 16, 16)."""
    pixels = torch.from_numpy(some).movedim(-1, 1).to(models.vae.dtype) / 127.5 - 1
    return torch.cat([models.vae.encode(few, return_dict=False)[0] for few in pixels.split(BATCH)]).float()


@torch.no_grad()
def recorded(models: Studio, both: np.ndarray) -> Tensor:
    """Return (levels, tokens, d): what the second pole's pictures have in the stream and the first one's have not.

    Args:
        both: (2, n, 128, 128, 3) bytes; an empty prompt stands beside them, and one noise for all.
    """
    (cond,), (pooled,) = models.host.encode([""])
    noise, (low, high) = initial_noise([NOISE]), (latents_of(models, own) for own in both)
    found = []
    for level in LEVELS:
        means = [_mean(models, level * noise + (1 - level) * own, level, (cond, pooled)) for own in (low, high)]
        found.append(means[1] - means[0])
    return torch.stack(found)


def _mean(models: Studio, noised: Tensor, level: float, text: Rows) -> Tensor:
    """Return the stream's mean (tokens, d) over noised latents."""
    sums, dtype = list[Tensor](), models.transformer.dtype
    for some in noised.split(BATCH):
        heard, rows = Heard(), len(some)
        beside = [one.expand(rows, *one.shape).to(dtype) for one in text]
        with listening(models.transformer, heard, rows):
            models.transformer(some.to(dtype), *beside, torch.full((rows,), 1000 * level), return_dict=False)
        sums.append(heard.rows.sum(0))
    return torch.stack(sums).sum(0) / len(noised)


def skins(some: np.ndarray) -> list[float]:
    """Return the skin tone, 0 … 1, that pictures (n, 128, 128, 3) show under the cheeks."""
    tones = np.linspace(0, 0.99, 100)
    colours = np.array([skin_color(float(tone)) for tone in tones], np.float32)
    around = [
        some[:, y - REACH : y + REACH + 1, x - REACH : x + REACH + 1].reshape(len(some), -1, 3) for x, y in CHEEKS
    ]
    shown = np.median(np.concatenate(around, 1), 1)
    return [float(tones[np.square(colours - one).sum(1).argmin()]) for one in shown]
