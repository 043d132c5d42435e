"""What a node tells its panel in the browser, beside the pictures that ComfyUI draws itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from comfy_api.latest import ui

from ..hosts.comfyui.shelf import Saved

REPORT = "supsae_report"
"""Key of the reports of Fit, Evaluate and Load Dictionary, as ``evaluation.report.panel`` makes them."""
SAVED = "supsae_saved"
"""Key of what Fit Dictionary has written."""


def shown(
    panel: Mapping[str, Any], picture: ui.PreviewImage | None = None, saved: Saved | None = None
) -> dict[str, Any]:
    """Return the ``ui`` of a node's output."""
    file = {SAVED: [{"name": saved.name, "bytes": saved.size}]} if saved else {}
    return {**(picture.as_dict() if picture else {}), REPORT: [dict(panel)], **file}
