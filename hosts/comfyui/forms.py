"""What a choice with fields of its own (a DynamicCombo) hands to a node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def require_choice(name: str, form: Mapping[str, Any] | None, choices: Sequence[str]) -> Mapping[str, Any]:
    """Return a form; ComfyUI leaves one out whose choice is unknown or missing, without a word.

    Raises:
        ValueError: naming the choices.
    """
    if form is None:
        raise ValueError(
            f"{name} is missing, or none of its choices: {', '.join(map(repr, choices))}. Write one of them."
        )
    return form
