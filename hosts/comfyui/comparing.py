"""Pictures before and after: how much of each differs, and what of Portraits a reader sees change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from torch import Tensor

from ...portraits.compare import SeenChange, all_seen_changes
from ...supsae_core.dictionary.model import Dictionary

VISIBLE = 8 / 255
"""Mean difference of a pixel's channels that an eye notices."""
READABLE = "portraits"
"""The family whose pictures can be read."""
NO_READER = "Only pictures of Portraits can be read by a machine; of these, judge with your own eyes."
UNASKED = "A change that nobody asked for is the model's own: Lock, or a higher threshold of it, holds more."


class Comparison(NamedTuple):
    """What pictures before and after have in common."""

    pictures: list[list[SeenChange]]
    """of every picture of the batch; empty lists where nothing can be read"""
    changed: float
    """share of all pixels that differ visibly"""
    report: str

    def to_json(self) -> dict[str, Any]:
        """Return what the panel is told."""
        read = [[one._asdict() for one in seen] for seen in self.pictures]
        return {"version": 1, "seen": read[0], "pictures": read, "changed": self.changed}


def compare(before: Tensor, after: Tensor, dictionary: Dictionary | None) -> Comparison:
    """Compare two pictures (B, H, W, 3) in 0 … 1.

    Args:
        dictionary: of Portraits if the pictures are; else nothing is read.

    Raises:
        ValueError: if their sizes differ.
    """
    if before.shape != after.shape:
        sizes = [f"{len(one)} of {one.shape[2]} × {one.shape[1]}" for one in (before, after)]
        raise ValueError(f"The pictures differ in number or size ({' and '.join(sizes)}). Draw both from one latent.")
    differs = (before[..., :3] - after[..., :3]).abs().mean(-1) > VISIBLE
    nothing: list[list[SeenChange]] = [[] for _ in before]
    seen = (all_seen_changes(before[..., :3], after[..., :3]) if is_readable(dictionary) else None) or nothing
    changed = differs.float().mean((1, 2)).tolist()
    return Comparison(seen, float(differs.float().mean()), _told(seen, changed))


def is_readable(dictionary: Dictionary | None) -> bool:
    """Tell whether there is a reader of the pictures that are drawn of a dictionary's prompts."""
    return dictionary is not None and dictionary.family.name == READABLE


def _told(pictures: Sequence[Sequence[SeenChange]], changed: Sequence[float]) -> str:
    """Return some lines a picture, and which one it is where there are several."""
    lines = list[str]()
    for number, (seen, share) in enumerate(zip(pictures, changed, strict=True), 1):
        own = _told_one(seen, share)
        lines += own if len(pictures) == 1 else [f"picture {number:d}: {line}" for line in own]
    stray = any(sum(one.before != one.after for one in seen) > 1 for seen in pictures)
    if not any(pictures):
        lines[-1] += f" {NO_READER}"
    return "\n".join([*lines, UNASKED] if stray else lines)


def _told_one(seen: Sequence[SeenChange], changed: float) -> list[str]:
    lines = [f"{changed:.0%} of the picture differs visibly."]
    if not seen:
        return lines
    moved = [f"{one.category} {one.before} → {one.after}" for one in seen if one.before != one.after]
    same = [f"{one.category} {one.after}" for one in seen if one.before == one.after]
    return [
        *lines,
        f"Changed in the picture: {', '.join(moved) or 'nothing'}.",
        f"Same: {', '.join(same) or 'nothing'}.",
    ]
