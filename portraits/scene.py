"""Draw the cartoon portraits of the embedded Portraits world from named factors.

The person is drawn on white and cut out with a margin, which gives the white sticker edge that keeps every hair colour
apart from every background.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import yaml
from PIL import Image, ImageFilter

from . import paths
from .accessories import EYEWEAR, HATS
from .backdrops import BACKGROUNDS
from .clothing import CLOTHING
from .face import EXPRESSIONS, IRIS_COLORS, draw_eyes, draw_head, skin_color
from .hair import HAIR_BEHIND, HAIR_COLORS, HAIR_FRONT
from .pen import OVERSAMPLING, SIZE, Palette, Pen, canvas, lighter

EDGE = 5  # odd filter width in pixels: the sticker edge is (EDGE - 1) / 2 wide


def _read_factors() -> dict[str, tuple[str, ...]]:
    table = yaml.safe_load(paths.TABLE.read_text(encoding="utf-8"))
    return {str(category): tuple(map(str, values)) for category, values in table.items()}


FACTORS = _read_factors()


@dataclass(frozen=True)
class Nuisance:
    """Everything in a picture that no factor names."""

    x: float = 0.0
    """Shift of the head to the right, pixels."""
    y: float = 0.0
    """Shift of the head downwards, pixels."""
    scale: float = 1.0
    """Size of the person relative to the usual one."""
    tilt: float = 0.0
    """Clockwise rotation of the head, degrees."""
    skin: float = 0.3
    """Skin tone from 0 (light) to 1 (dark)."""
    hair_light: float = 0.0
    """Lightness added to the hair, fraction of full range."""
    clothes_light: float = 0.0
    """Lightness added to the clothes, fraction of full range."""
    layout: int = 0
    """Seed of the arrangement of the background."""

    @classmethod
    def sample(cls, rng: np.random.Generator) -> Self:
        """Draw every field uniformly from its range."""
        return cls(
            x=rng.uniform(-3, 3),
            y=rng.uniform(-3, 3),
            scale=rng.uniform(0.94, 1.06),
            tilt=rng.uniform(-4, 4),
            skin=rng.uniform(0, 1),
            hair_light=rng.uniform(-0.05, 0.05),
            clothes_light=rng.uniform(-0.05, 0.05),
            layout=int(rng.integers(2**31)),
        )


def sample_factors(rng: np.random.Generator) -> dict[str, str]:
    """Draw one value of every category, uniformly and independently."""
    return {category: values[rng.integers(len(values))] for category, values in FACTORS.items()}


def draw_portrait(factors: Mapping[str, str], nuisance: Nuisance) -> Image.Image:
    """Draw the portrait with one value per category.

    Returns an RGB picture of SIZE x SIZE pixels; the same inputs give the same bytes.
    Raises ValueError when a category is missing or unknown or has an unknown value.
    """
    return draw_people([factors], [nuisance])


def draw_people(people: Sequence[Mapping[str, str]], nuisances: Sequence[Nuisance]) -> Image.Image:
    """Draw people side by side, the first on the left, before the first one's background.

    Returns an RGB picture of SIZE pixels a person x SIZE; raises ValueError as ``draw_portrait`` does.
    """
    width = SIZE * len(people)
    picture = canvas("RGB", width=width)
    for factors in people:
        _check(factors)
    BACKGROUNDS[people[0]["background"]](Pen(picture), np.random.default_rng(nuisances[0].layout), width)
    picture = picture.reduce(OVERSAMPLING)
    for place, (factors, nuisance) in enumerate(zip(people, nuisances, strict=True)):
        person, silhouette = canvas("RGB", width=width), canvas("L", 0, width=width)
        _person(person, silhouette, factors, nuisance, middle=(place + 0.5) * SIZE)
        mask = silhouette.reduce(OVERSAMPLING).filter(ImageFilter.MaxFilter(EDGE))
        picture = Image.composite(person.reduce(OVERSAMPLING), picture, mask)
    return picture


def _check(factors: Mapping[str, str]) -> None:
    if factors.keys() != FACTORS.keys():
        raise ValueError(f"factors: got the categories {sorted(factors)}, expected exactly {sorted(FACTORS)}")
    for category, value in factors.items():
        if value not in FACTORS[category]:
            raise ValueError(f"factors: {category} is {value!r}, expected one of {list(FACTORS[category])}")


def _person(
    picture: Image.Image, silhouette: Image.Image, factors: Mapping[str, str], nuisance: Nuisance, middle: float
) -> None:
    """Draw a person from back to front, about ``middle`` pixels from the left."""
    palette = _palette(factors, nuisance)
    place = {"x": middle + nuisance.x, "y": 69 + nuisance.y, "scale": nuisance.scale}
    body = Pen(picture, silhouette, **place)
    head = Pen(picture, silhouette, **place, tilt=nuisance.tilt)
    HAIR_BEHIND[factors["haircut"]](head, palette)
    CLOTHING[factors["clothing"]](body, palette)
    draw_head(head, palette)
    draw_eyes(head, palette)
    HAIR_FRONT[factors["haircut"]](head, palette)
    EXPRESSIONS[factors["expression"]](head, palette)
    EYEWEAR[factors["eyewear"]](head)
    HATS[factors["hat"]](head)


def _palette(factors: Mapping[str, str], nuisance: Nuisance) -> Palette:
    return Palette(
        skin=skin_color(nuisance.skin),
        hair=lighter(HAIR_COLORS[factors["hair"]], nuisance.hair_light),
        iris=IRIS_COLORS[factors["eyes"]],
        clothes_light=nuisance.clothes_light,
    )
