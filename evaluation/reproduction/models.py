"""The models of the experiment, fitted once and kept in its folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from ...supsae_core.capture.captures import Capture
from ...supsae_core.dictionary.file import load_dictionary, save_dictionary
from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.files import TensorFile, write_tensors
from ...supsae_core.host import Progress
from ...training.fit import fit_dictionary
from ..baselines import flattened_ridge, paper
from ..baselines.additive import Additive
from ..baselines.paper import Flattened, PaperConfig
from ..results import Hooks

HALF = torch.float16


class Informed(Protocol):
    """A model that is told which concepts a prompt says before and after."""

    def edit(self, cond: Tensor, pooled: Tensor, old: tuple[int, ...], new: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """Edit a conditioning (L, width) and a pooled vector (P,)."""
        ...


class Fits(NamedTuple):
    """All that was learnt."""

    ours: Dictionary
    told: Mapping[str, Informed]
    """rivals"""


def fitted(capture: Capture, config: PaperConfig, folder: Path, hooks: Hooks) -> Fits:
    """Fit what is missing in the folder, and load all of it."""
    ours, published, solved = (folder / f"{name}.safetensors" for name in ("supsae", "paper", "solved"))
    if not ours.exists():
        save_dictionary(fit_dictionary(capture, progress=onto(hooks.part("fit SupSAE", 1))), ours)
    if not published.exists():
        told = onto(hooks.part("fit the paper's", config.epochs))
        _save(published, vars(paper.fit(capture, None, config, progress=told)))
    if not solved.exists():
        _save(solved, vars(flattened_ridge.by_sums(capture)))
    rivals = {"the paper's": _flattened(published), "the paper's, solved": Additive(**TensorFile(solved).read())}
    return Fits(load_dictionary(ours), rivals)


def _save(file: Path, fields: Mapping[str, object]) -> None:
    tensors = {name: one.contiguous() for name, one in fields.items() if isinstance(one, Tensor)}
    others = {name: json.dumps(one) for name, one in fields.items() if name not in tensors}
    write_tensors(file, tensors, others)


def _flattened(file: Path) -> Flattened:
    opened = TensorFile(file)
    length, width = json.loads(opened.metadata["shape"])
    return Flattened(**opened.read(), shape=(length, width))


def onto(tick: Callable[[int], None]) -> Progress:
    """Return what tells a part of a run how far it is."""
    before = [0]

    def progress(done: int, total: int) -> None:
        tick(done - before[0])
        before[0] = done

    return progress
