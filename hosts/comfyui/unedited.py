"""An edited entry of a conditioning as it was before the edits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from .conditionings import EDITED, REFERENCE


def unedited(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry, its rows under ``cross_attn``, as it was before the edits.

    Raises:
        ValueError: if a node changed the edited rows since, so that what they would be without the edit is not known.
    """
    kept, edited, rows = entry.get(REFERENCE), entry.get(EDITED), entry.get("cross_attn")
    if kept is None:
        return {**entry}
    same = isinstance(rows, Tensor) and isinstance(edited, Tensor) and torch.equal(rows, edited)
    if rows is not edited and not same:
        raise ValueError(
            "A conditioning was joined, averaged or otherwise changed behind Apply Edits, so the Lock cannot "
            "tell what it says without the edit. Remove that node, or connect the model to Apply Edits instead."
        )
    return {**entry, **kept}
