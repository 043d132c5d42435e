"""Nodes that change a conditioning or a model, whichever is connected: their checks, and what the other output says."""

from __future__ import annotations

from typing import Any

from .messages import blocked

ONE_ONLY = (
    "{node} has a {has} connected and no {lacks}, so its {lacks} output is empty. Use its {has} output here, or "
    "connect a {lacks} to it instead."
)
"""What a node says that is wired to the other output."""


def require_one(node: str, conditioning: object, model: object) -> None:
    """Refuse both or neither.

    Raises:
        ValueError: saying which.
    """
    if conditioning is not None and model is not None:
        raise ValueError(
            f"{node} is connected to a conditioning and to a model, so the edit would be made twice. Disconnect one of "
            "them."
        )
    if conditioning is None and model is None:
        raise ValueError(f"{node} has nothing to change. Connect a conditioning (from CLIP Text Encode) or a model.")


def outputs(node: str, *, conditioning: object = None, model: object = None) -> tuple[Any, Any]:
    """Return what goes out as conditioning and as model: what was made of one, and a sentence in place of the other."""
    if model is None:
        return conditioning, blocked(ONE_ONLY.format(node=node, has="conditioning", lacks="model"))
    return blocked(ONE_ONLY.format(node=node, has="model", lacks="conditioning")), model
