"""What a host shows of a model that is checked: swaps drawn three ways, and whether its blocks can be listened to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ..supsae_core.dictionary.model import Dictionary
from ..supsae_core.editing.edits import AnyEdit


class WantedTrio(NamedTuple):
    """An edit to draw."""

    prompt: str
    edits: Sequence[AnyEdit]
    rewrite: str


class Trio(NamedTuple):
    """Three pictures (H, W, 3), bytes, of one seed."""

    unedited: np.ndarray
    edited: np.ndarray
    rewritten: np.ndarray


class HeardBlocks(NamedTuple):
    """What came of listening to every block in one step."""

    depth: int
    heard: int
    """blocks that were heard"""
    same: bool | None
    """whether the picture is equal to the last bit; None if the model alone does not draw the same one twice"""


DrawTrios = Callable[[Dictionary, Sequence[WantedTrio]], Sequence[Trio]]
HearBlocks = Callable[[], HeardBlocks]
