"""The pack's socket types, each spelled once. What travels on them are small objects of the core, never models."""

from __future__ import annotations

from comfy_api.latest import io

CATEGORY = "SupSAE"
"""Where every node of the pack stands in the menu."""

SHOWN_AGAIN = {name: True for name in ("has_intermediate_output",) if name in io.Schema.__dataclass_fields__}
"""In the schema of a node with a panel: what its last run found is sent again when nothing ran (ComfyUI 0.33)."""

Table = io.Custom("SUPSAE_TABLE")
"""A ``ConceptTable``."""
Capture = io.Custom("SUPSAE_CAPTURE")
"""A ``Capture``: a folder on disk and its plan."""
Dictionary = io.Custom("SUPSAE_DICTIONARY")
"""A ``Dictionary``."""
Edits = io.Custom("SUPSAE_EDITS")
"""A tuple of edits, in the order in which they were chained."""
Lock = io.Custom("SUPSAE_LOCK")
"""A ``Lock`` of ``locking``: the newest reference and the last results of one Lock node."""
