"""What a node tells its panel in the browser, beside the pictures that ComfyUI draws itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from comfy_api.latest import ui

from ..hosts.comfyui.shelf import Saved

REPORT = "supsae_report"
"""Key of the reports of Fit, Evaluate and Load Dictionary, as ``evaluation.report.panel`` makes them."""
TOLD = "supsae_told"
"""Key of a report in a few lines, which the node shows as it is."""
SAVED = "supsae_saved"
"""Key of what Fit Dictionary has written."""


def told(report: str, picture: ui.PreviewImage | None = None) -> dict[str, Any]:
    """Return the ``ui`` of a node that shows its report below itself."""
    return {**(picture.as_dict() if picture else {}), TOLD: [report]}


def shown(
    panel: Mapping[str, Any], picture: ui.PreviewImage | None = None, saved: Saved | None = None
) -> dict[str, Any]:
    """Return the ``ui`` of a node's output."""
    file = {SAVED: [{"name": saved.name, "bytes": saved.size}]} if saved else {}
    return {**(picture.as_dict() if picture else {}), REPORT: [dict(panel)], **file}
