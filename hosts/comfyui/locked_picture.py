"""Decode what was sampled under a Lock, with the unedited picture's own pixels where the lock held."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor

from ...supsae_core.host import Progress
from ...supsae_core.lock import composite, pixels
from .locking import Lock, Result, Through
from .pictures import decoded

HELD_BACK = "held back, nothing of it is strong enough to be let through."


class LockedPicture(NamedTuple):
    """What the node gives out."""

    image: Tensor
    """(B, H, W, 3), edited in the mask, outside it the reference's pixels"""
    reference: Tensor
    """(B, H, W, 3)"""
    mask: Tensor
    """(B, H, W)"""
    told: dict[str, Any]
    """what the panels are told of every edit"""
    report: str


def locked_picture(
    latent: dict[str, Any], vae: Any, lock: Lock, *, reach: int, soft: bool, progress: Progress
) -> LockedPicture:
    """Decode both pictures and lay one into the other, as ``supsae_core.lock.composite`` does.

    Raises:
        ValueError: if the latent did not come out of a sampler with this lock.
    """
    found = lock.result(latent["samples"])
    image = decoded(vae, latent["samples"])
    progress(1, 2)
    reference = decoded(vae, found.reference.to(latent["samples"])) if found.mask.any() else image
    progress(2, 2)
    mask = found.mask.to(image.device)
    shown = composite(image, reference, mask, reach=reach, soft=soft)
    return LockedPicture(shown, reference, pixels(mask, *image.shape[1:3]), _to_json(found), "\n".join(_lines(found)))


def _to_json(found: Result) -> dict[str, Any]:
    edits = [{"category": one.category, "share": one.share} for one in found.told]
    return {"version": 1, "free": found.free, "edits": edits}


def _lines(found: Result) -> list[str]:
    """Say of every edit how much of the picture it may change."""
    if found.free:
        return ["Nothing is held: the mixer's switch lets all of the picture follow."]
    if not found.mask.any() and not found.told:
        return ["Nothing is edited: this is the picture as it was."]
    lines = [f"{one.name}: {_through(one)}" for one in found.told]
    return [*lines, f"Held as it was: {1 - float(found.mask.float().mean()):.0%} of the picture."]


def _through(one: Through) -> str:
    if one.share:
        return f"may change {max(one.share, 0.01):.0%} of the picture."
    return f"{HELD_BACK} Move its slider up, or lower the threshold or the floor of Lock."
