"""The pack's socket types and menu categories, each spelled once. Small objects of the core travel, never models."""

from __future__ import annotations

from comfy_api.latest import io

CATEGORY = "SupSAE"
"""Where the nodes for editing pictures stand in the menu."""
LEARN = "SupSAE/learn"
"""Where the nodes stand that make a dictionary."""
RESEARCH = "SupSAE/research"
"""Where the nodes stand that measure: no picture needs them."""

SHOWN_AGAIN = {name: True for name in ("has_intermediate_output",) if name in io.Schema.__dataclass_fields__}
"""In the schema of a node with a panel: what its last run found is sent again when nothing ran (ComfyUI 0.33)."""

TableSocket = io.Custom("SUPSAE_TABLE")
"""A ``ConceptTable``."""
CaptureSocket = io.Custom("SUPSAE_CAPTURE")
"""A ``Capture``: a folder on disk and its plan."""
DictionarySocket = io.Custom("SUPSAE_DICTIONARY")
"""A ``Dictionary``."""
EditsSocket = io.Custom("SUPSAE_EDITS")
"""A tuple of edits, in the order in which they were chained."""
LockSocket = io.Custom("SUPSAE_LOCK")
"""A ``Lock`` of ``locking``: the newest reference and the last results of one Lock node."""
