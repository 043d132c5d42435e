"""Two pictures beside each other: how much of them differs, and what of Portraits a reader sees change."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor

from ...portraits.compare import SeenChange, seen_changes
from ...supsae_core.dictionary.model import Dictionary

VISIBLE = 8 / 255
"""Mean difference of a pixel's channels that an eye notices."""
READABLE = "portraits"
"""The family whose pictures can be read."""
NO_READER = "Only pictures of Portraits can be read by a machine; of these, judge with your own eyes."
UNASKED = "A change that nobody asked for is the model's own: Lock, or a higher threshold of it, holds more."


class Comparison(NamedTuple):
    """What two pictures have in common, of the first of a batch."""

    seen: list[SeenChange]
    """empty where nothing can be read"""
    changed: float
    """share of the pixels that differ visibly"""
    report: str

    def to_json(self) -> dict[str, Any]:
        """Return what the panel is told."""
        return {"version": 1, "seen": [one._asdict() for one in self.seen], "changed": self.changed}


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
    difference = (before[..., :3] - after[..., :3]).abs().mean(-1)
    changed = float((difference > VISIBLE).float().mean())
    seen = (seen_changes(before[0, ..., :3], after[0, ..., :3]) if is_readable(dictionary) else None) or []
    return Comparison(seen, changed, _told(seen, changed))


def is_readable(dictionary: Dictionary | None) -> bool:
    """Tell whether there is a reader of the pictures that are drawn of a dictionary's prompts."""
    return dictionary is not None and dictionary.family.name == READABLE


def _told(seen: list[SeenChange], changed: float) -> str:
    lines = [f"{changed:.0%} of the picture differs visibly."]
    if not seen:
        return f"{lines[0]} {NO_READER}"
    moved = [f"{one.category} {one.before} → {one.after}" for one in seen if one.before != one.after]
    same = [f"{one.category} {one.after}" for one in seen if one.before == one.after]
    lines.append(f"Changed in the picture: {', '.join(moved) or 'nothing'}.")
    lines.append(f"Same: {', '.join(same) or 'nothing'}.")
    return "\n".join([*lines, UNASKED] if len(moved) > 1 else lines)
