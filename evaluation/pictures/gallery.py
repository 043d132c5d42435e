"""Pictures drawn once and kept on disk, named by what they were drawn from, so that a run goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from einops import rearrange, reduce
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from ...hosts import locked
from ...hosts.locked import Reference
from ...supsae_core.files import replacing
from ...supsae_core.host import Renderer
from ...supsae_core.lock import LockConfig
from ...supsae_core.version import __version__
from ...training import distributed

Item = TypeVar("Item")
BATCH = 8
"""Pictures drawn together: what an interrupt costs at most, and what a rank takes at once."""
LET_THROUGH = "let_through"
"""Key in a picture's file: the share of it that the lock let the edit change."""
Ticked = Callable[[int], None]
"""Called with the number of pictures drawn since the last call; may raise to interrupt."""


class ModelChange(NamedTuple):
    """A change of the model itself, such as a low-rank adapter."""

    name: str
    """what tells it from others: a hash of its weights"""
    on: Callable[[float], AbstractContextManager[None]]
    """(strength) → holds the model changed for a while"""


class LazyRows(NamedTuple):
    """A conditioning that is made when it is needed."""

    name: str
    """everything that decides it, in words"""
    make: Callable[[], tuple[Tensor, Tensor]]
    """returns cond (L, width) and pooled (P,)"""


class Shot(NamedTuple):
    """All that decides a picture."""

    rows: LazyRows
    seed: int
    held_to: LazyRows | None = None
    """the unedited conditioning, if drawn under the lock"""
    change: tuple[ModelChange, float] | None = None
    """and its strength"""
    alone: tuple[LazyRows, ...] = ()
    """under the lock, of several edits: each of them alone"""


class Picture(NamedTuple):
    """One picture."""

    pixels: np.ndarray
    """(128, 128 · people, 3) bytes"""
    let_through: float
    """share of it that the lock let the edit change; 1 without a lock"""


class Gallery:
    """A folder of pictures, and the host that draws what is missing."""

    def __init__(self, renderer: Renderer, folder: Path, lock: LockConfig, people: int = 1) -> None:
        self._renderer, self._folder, self._lock, self._people = renderer, folder, lock, people
        self._pictures = partial(renderer.draw, people=people)
        folder.mkdir(parents=True, exist_ok=True)

    def of_two(self) -> Gallery:
        """Return the same gallery for pictures of two people side by side."""
        return Gallery(self._renderer, self._folder, self._lock, people=2)

    def key(self, shot: Shot) -> str:
        """Return the name of a shot's picture: a hash of everything that decides it."""
        said = [__version__, self._renderer.name, shot.seed, shot.rows.name, *_change(shot)]
        said += [self._people] if self._people > 1 else []
        if shot.held_to:
            said += [shot.held_to.name, self._lock, *(one.name for one in shot.alone)]
        return hashlib.sha256(repr(said).encode()).hexdigest()[:32]

    def draw(self, shots: Sequence[Shot], told: Ticked | None = None) -> list[Picture]:
        """Return the shots' pictures, drawing those that are not there yet; every rank draws its share of batches."""
        keys, told = [self.key(shot) for shot in shots], told or (lambda count: None)
        wanted = dict(zip(keys, shots, strict=True))
        looks, led = distributed.rank() == 0, told if distributed.rank() == 0 else lambda count: None
        known = {key: picture for key in wanted if looks and (picture := self._load(key)) is not None}
        missing = _agreed([key for key in wanted if key not in known])
        led(len(wanted) - len(missing))
        held = {key: wanted[key] for key in missing if wanted[key].held_to}
        distributed.together(lambda: self._draw_held(held, told))
        left = [key for key in missing if not wanted[key].held_to]
        free = _agreed([key for key in left if not self._file(key).exists()])
        led(len(left) - len(free))
        distributed.together(lambda: self._draw_free([(key, wanted[key]) for key in free], told))
        told(0)
        return [known.get(key) or self._require(key) for key in keys]

    def _draw_free(self, shots: list[tuple[str, Shot]], told: Ticked) -> None:
        """Draw this rank's share of shots, by batches that are the same for any number of ranks."""
        alike = _grouped(shots, lambda one: _change(one[1]))
        batches = [some for one in alike for some in _chunks(one)]
        for some in distributed.share_of(batches):
            with _changed(some[0][1]):
                pictures = self._pictures(*_columns([shot for _, shot in some]))
            for (key, _), pixels in zip(some, pictures, strict=True):
                self._save(key, pixels)
            told(len(some))

    def _draw_held(self, shots: dict[str, Shot], told: Ticked) -> None:
        """Draw the references of a batch once, and hold to them whatever asks for it; this rank's share of batches."""
        by_reference: dict[str, tuple[Shot, list[tuple[str, Shot]]]] = {}
        for key, shot in shots.items():
            assert shot.held_to
            reference = Shot(shot.held_to, shot.seed)
            by_reference.setdefault(self.key(reference), (reference, []))[1].append((key, shot))
        for some in distributed.share_of(list(_chunks(list(by_reference.items())))):
            references = locked.reference(self._pictures, *_columns([shot for _, (shot, _) in some]))
            for (key, _), pixels in zip(some, references.pictures, strict=True):
                if not self._file(key).exists():
                    self._save(key, pixels)
            asked = [(index, key, shot) for index, (_, (_, own)) in enumerate(some) for key, shot in own]
            for alike in _grouped(asked, lambda one: (*_change(one[2]), len(one[2].alone))):
                for these in _chunks(alike):
                    self._hold(these, references)
                    told(len(these))

    def _hold(self, asked: Sequence[tuple[int, str, Shot]], references: Reference) -> None:
        """Draw shots (index of the reference, key, shot) of one change, and as many edits, held to their references."""
        conds, pooled, _ = _columns([shot for _, _, shot in asked])
        alone = list(zip(*([one.make() for one in shot.alone] for _, _, shot in asked), strict=True))
        with _changed(asked[0][2]):
            own = references.at([index for index, _, _ in asked])
            drawn = locked.hold(self._pictures, conds, pooled, own, self._lock, alone=alone)
        areas = reduce(drawn.masks.float(), "n h w -> n", "mean").tolist()
        for (_, key, _), pixels, area in zip(asked, drawn.pictures, areas, strict=True):
            self._save(key, pixels, area)

    def _file(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.png"

    def _save(self, key: str, pixels: np.ndarray, let_through: float | None = None) -> None:
        file, notes = self._file(key), PngInfo()
        file.parent.mkdir(parents=True, exist_ok=True)
        if let_through is not None:
            notes.add_text(LET_THROUGH, json.dumps(let_through))
        with replacing(file, sync=False) as part:
            Image.fromarray(pixels).save(part, "png", compress_level=1, pnginfo=notes)

    def _load(self, key: str) -> Picture | None:
        """Return a picture that is there and whole; None for what is to be drawn."""
        try:
            with Image.open(self._file(key)) as picture:
                return Picture(np.asarray(picture), float(json.loads(picture.info.get(LET_THROUGH, "1"))))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, SyntaxError, EOFError):  # Pillow's ways of saying that a picture is damaged
            self._file(key).unlink(missing_ok=True)
            return None

    def _require(self, key: str) -> Picture:
        found = self._load(key)
        if found is None:
            raise OSError(f"{self._file(key)} was drawn and cannot be read. Is another run using this folder?")
        return found


def _agreed(keys: list[str]) -> list[str]:
    """Return what rank 0 has found: others may look while pictures are drawn already."""
    return distributed.share(0, {}, keys)[1]


def _change(shot: Shot) -> tuple[str, float]:
    return (shot.change[0].name, shot.change[1]) if shot.change else ("", 0.0)


def _changed(shot: Shot) -> AbstractContextManager[None]:
    return shot.change[0].on(shot.change[1]) if shot.change else nullcontext()


def _grouped(items: Iterable[Item], key: Callable[[Item], tuple[str | float, ...]]) -> Iterator[list[Item]]:
    """Yield items that are alike together: a change of the model is put on once for all of them."""
    for _, alike in groupby(sorted(items, key=key), key=key):
        yield list(alike)


def _chunks(items: Sequence[Item]) -> Iterator[list[Item]]:
    for start in range(0, len(items), BATCH):
        yield list(items[start : start + BATCH])


def _columns(shots: Iterable[Shot]) -> tuple[list[Tensor], list[Tensor], list[int]]:
    made = [(*shot.rows.make(), shot.seed) for shot in shots]
    conds, pooled, seeds = zip(*made, strict=True)
    return list(conds), list(pooled), list(seeds)


def stacked(pictures: Sequence[Picture]) -> Tensor:
    """Return pictures (n, 3, 128, 128 · people) in 0 … 1."""
    return rearrange(torch.from_numpy(pixels(pictures)), "n h w c -> n c h w").float() / 255


def pixels(pictures: Sequence[Picture]) -> np.ndarray:
    """Return pictures (n, 128, 128 · people, 3) of bytes."""
    return np.stack([one.pixels for one in pictures])
