"""Read a portrait: picture → the value of every category, or ``unreadable``; taught on renders alone."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

from ..supsae_core.tensor_files import TensorFile
from . import paths
from .captions import table
from .pen import SIZE

WEIGHTS = paths.WEIGHTS / "reader.safetensors"
UNREADABLE = "unreadable"
Read = Callable[[Tensor], list[dict[str, str]]]
"""Pictures (n, 3, 128, 128) in 0 … 1 → category → value."""
CONFIDENCE = 0.8
"""Least probability of a value; a half-and-half blend of two values reads 0.5 each."""


class Reader(nn.Module):
    """A small convolutional classifier with one head per category."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 24, 48, 96, 128)
        stages: list[nn.Module] = []
        for inside, outside in pairwise(widths):
            stages += [nn.Conv2d(inside, outside, 3, 2, 1), nn.GroupNorm(8, outside), nn.SiLU()]
        self.features = nn.Sequential(*stages, nn.AdaptiveAvgPool2d(8), nn.Conv2d(128, 48, 1), nn.SiLU(), nn.Flatten())
        self.heads = nn.Sequential(nn.Linear(48 * 64, 192), nn.SiLU(), nn.Linear(192, len(table())))

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 3, 128, 128) in 0 … 1 → (B, K) log-probabilities, normalised within each category."""
        logits = self.heads(self.features(pictures * 2 - 1))
        sizes = [len(members) for members in table().categories.values()]
        return torch.cat([part.log_softmax(1) for part in logits.split(sizes, 1)], 1)

    @torch.no_grad()
    def read(self, pictures: Tensor) -> list[dict[str, str]]:
        """Return, per picture, category → value or ``unreadable``."""
        return [values(row, CONFIDENCE) for row in self(pictures).exp()]


SIDES = ("left", "right")


def place(side: str, category: str) -> str:
    """Return the name of a person's category in a picture of two."""
    return f"{side} {category}"


def read_people(read: Read, pictures: Tensor) -> list[dict[str, str]]:
    """Return what is read in pictures (n, 3, 128, 128 · people): of two people with the side before each category."""
    halves = [read(half) for half in pictures.split(SIZE, -1)]
    if len(halves) == 1:
        return halves[0]
    both = [zip(SIDES, people, strict=True) for people in zip(*halves, strict=True)]
    return [{place(side, name): value for side, own in one for name, value in own.items()} for one in both]


def values(scores: Tensor, least: float) -> dict[str, str]:
    """Name the best value of every category from (K,) scores; ``unreadable`` where the best is below ``least``."""
    found: dict[str, str] = {}
    for category, members in table().categories.items():
        best = max(members, key=lambda index: float(scores[index]))
        found[category] = table().concepts[best].name if float(scores[best]) >= least else UNREADABLE
    return found


def load_reader(path: Path = WEIGHTS) -> Reader:
    """Load the reader that ships with the pack."""
    reader = Reader()
    reader.load_state_dict({key: value.float() for key, value in TensorFile(path).read().items()})
    return reader.eval()
