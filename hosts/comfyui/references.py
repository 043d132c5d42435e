"""CLIP Vision as a proxy for a reader: which of two sets of reference pictures a picture is nearer to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

PLACE, LIKE, UNLIKE = "CLIP", "like", "unlike"
"""What is read, and its two values, named as the inputs that hold the references."""
Look = Callable[[Tensor], list[dict[str, str]] | None]
"""Pictures (B, H, W, 3) in 0 … 1 → category → value, a picture each; None if they cannot be read."""


class References(NamedTuple):
    """Two sets of pictures, and what encodes others as it encoded them."""

    clip_vision: Any
    like: Tensor
    """(n, width) of length 1: pictures that show what is asked"""
    unlike: Tensor
    """(m, width): pictures that do not"""

    def look(self, pictures: Tensor) -> list[dict[str, str]]:
        """Say of each picture which references it is nearer to; as near to both is not nearer."""
        leans = _lean(encoded(self.clip_vision, pictures), self.like, self.unlike)
        return [{PLACE: LIKE if lean > 0 else UNLIKE} for lean in leans.tolist()]

    def told(self) -> str:
        """Say what is compared, and how many references are told apart by the others."""
        lines = ["By CLIP Vision, a proxy: which reference pictures, 'like' or 'unlike', a picture is nearer to."]
        if min(len(self.like), len(self.unlike)) > 1:
            right = _held_out(self.like, self.unlike) + _held_out(self.unlike, self.like)
            count = len(self.like) + len(self.unlike)
            lines.append(f"It tells {right:d} of the {count:d} reference pictures by the others.")
        return "\n".join(lines)


def references(form: Mapping[str, Any]) -> References:
    """Encode the pictures of ``like`` and ``unlike`` by ``clip_vision``."""
    like, unlike = (encoded(form["clip_vision"], form[name]) for name in (LIKE, UNLIKE))
    return References(form["clip_vision"], like, unlike)


def encoded(clip_vision: Any, pictures: Tensor) -> Tensor:
    """Return what CLIP Vision makes of pictures (B, H, W, 3), as (B, width) of length 1; the middle square is seen.

    Raises:
        ValueError: if the model gives no vector for a whole picture.
    """
    rows = [clip_vision.encode_image(one[None, ..., :3])["image_embeds"] for one in pictures]
    if any(not isinstance(row, Tensor) or row.ndim != 2 for row in rows):
        raise ValueError("'clip_vision' gives no vector for a whole picture. Load CLIP's or SigLIP's vision model.")
    return F.normalize(torch.cat(rows).float().cpu(), dim=-1)


def _lean(rows: Tensor, like: Tensor, unlike: Tensor) -> Tensor:
    """Return (B,) how much nearer rows are to one set than to the other: the difference of mean cosines."""
    return rows @ (like.mean(0) - unlike.mean(0))


def _held_out(own: Tensor, other: Tensor) -> int:
    """Return how many of a set are nearer to the rest of it than to the other set."""
    rest = [torch.cat([own[:index], own[index + 1 :]]) for index in range(len(own))]
    return sum(bool(_lean(row, some, other) > 0) for row, some in zip(own, rest, strict=True))
