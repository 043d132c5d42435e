"""The models of the experiment, fitted once and kept in its folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from ...supsae_core.capture.captures import Capture
from ...supsae_core.dictionary.file import load_dictionary, save_dictionary
from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.tensor_files import TensorFile, write_tensors
from ...training import distributed
from ...training.fit import fit_dictionary
from ..baselines import flattened_ridge, paper
from ..baselines.additive import Additive
from ..baselines.paper import Flattened, PaperConfig
from ..results import Hooks, part_progress

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
    """Fit what is missing in the folder, each model on one rank, and load all of it."""
    ours, published, solved = (folder / f"{name}.safetensors" for name in ("supsae", "paper", "solved"))

    def learn_ours() -> None:
        save_dictionary(fit_dictionary(capture, progress=part_progress(hooks, "fit SupSAE", 1)), ours)

    def learn_published() -> None:
        told = part_progress(hooks, "fit the paper's", config.epochs)
        _save(published, vars(paper.fit(capture, None, config, progress=told)))

    def solve() -> None:
        _save(solved, vars(flattened_ridge.by_sums(capture)))

    def additive(file: Path) -> Additive:
        return Additive(**TensorFile(file).read())

    keep = [
        partial(_keep, ours, load_dictionary, learn_ours),
        partial(_keep, published, _flattened, learn_published),
        partial(_keep, solved, additive, solve),
    ]
    distributed.shared(keep, lambda one: one())
    rivals: dict[str, Informed] = {"the paper's": _flattened(published), "the paper's, solved": additive(solved)}
    return Fits(load_dictionary(ours), rivals)


def _keep(file: Path, load: Callable[[Path], object], make: Callable[[], None]) -> None:
    """See to it that there is what a run before has made; make it where it is missing or damaged."""
    if file.exists():
        with suppress(ValueError, TypeError, KeyError):
            load(file)
            return
    with distributed.alone():  # on one rank, while others do something else
        make()


def _save(file: Path, fields: Mapping[str, object]) -> None:
    tensors = {name: one.contiguous() for name, one in fields.items() if isinstance(one, Tensor)}
    others = {name: json.dumps(one) for name, one in fields.items() if name not in tensors}
    write_tensors(file, tensors, others)


def _flattened(file: Path) -> Flattened:
    opened = TensorFile(file)
    length, width = json.loads(opened.metadata["shape"])
    return Flattened(**opened.read(), shape=(length, width))
