"""The pictures of the experiment, drawn once and kept in its folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from ...supsae_core.files import replacing
from ...training import distributed
from .painters import Painter

Rows = tuple[Tensor, Tensor]
"""A conditioning (L, width) and its pooled vector (P,)"""


class Pictures:
    """A folder of pictures, and the model that draws what is missing."""

    def __init__(self, painter: Painter, folder: Path) -> None:
        self.painter, self._folder = painter, folder
        folder.mkdir(parents=True, exist_ok=True)

    def draw(
        self, names: Sequence[str], rows: Sequence[Callable[[], Rows]], seeds: Sequence[int],
        tick: Callable[[int], None],
    ) -> None:  # fmt: skip
        """Draw what is missing of some pictures, given what makes each one's conditioning, and its seed.

        Every rank draws its share of the batches.
        """
        looked = [index for index, name in enumerate(names) if not self._file(name).exists()]
        missing: list[int] = distributed.share(0, {}, looked)[1]
        tick(len(names) - len(missing) if distributed.rank() == 0 else 0)
        batch = self.painter.batch

        def draw(first: int) -> None:
            chosen = missing[first : first + batch]
            conds, pooled = zip(*(rows[index]() for index in chosen), strict=True)
            made = self.painter.draw(conds, pooled, [seeds[index] for index in chosen])
            for index, picture in zip(chosen, made, strict=True):
                with replacing(self._file(names[index]), sync=False) as part:
                    Image.fromarray(picture).save(part, "PNG")
            tick(len(chosen))

        distributed.shared(range(0, len(missing), batch), draw)
        tick(0)

    def load(self, name: str) -> np.ndarray:
        """Return a picture, (h, w, 3) bytes."""
        return np.array(Image.open(self._file(name)).convert("RGB"))

    def read(self, names: Sequence[str]) -> list[Mapping[str, str]] | None:
        """Return what pictures show; None where nobody reads."""
        read = self.painter.read
        return None if read is None else distributed.shared(names, lambda name: dict(read(self.load(name)[None])[0]))

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.png"
