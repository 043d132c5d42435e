"""Decode what was sampled under a Lock, with the unedited picture's own pixels where the lock held."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor

from ...supsae_core.host import Progress
from ...supsae_core.lock import composite, pixels
from .locking import Lock


class LockedPicture(NamedTuple):
    """What the node gives out."""

    image: Tensor
    """(B, H, W, 3), edited in the mask, outside it the reference's pixels"""
    reference: Tensor
    """(B, H, W, 3)"""
    mask: Tensor
    """(B, H, W)"""


def locked_picture(
    latent: dict[str, Any], vae: Any, lock: Lock, *, reach: int, soft: bool, progress: Progress
) -> LockedPicture:
    """Decode both pictures and lay one into the other, as ``supsae_core.lock.composite`` does.

    Raises:
        ValueError: if the latent did not come out of a sampler with this lock.
    """
    found = lock.result(latent["samples"])
    image = vae.decode(latent["samples"])[..., :3]
    progress(1, 2)
    reference = vae.decode(found.reference.to(latent["samples"]))[..., :3] if found.mask.any() else image
    progress(2, 2)
    mask = found.mask.to(image.device)
    shown = composite(image, reference, mask, reach=reach, soft=soft)
    return LockedPicture(shown, reference, pixels(mask, *image.shape[1:3]))
