"""What a node tells its panel in the browser, beside the pictures that ComfyUI draws itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from comfy_api.latest import ui

REPORT = "supsae_report"
"""Key of the reports of Fit, Evaluate and Load Dictionary, as ``training.panel`` makes them."""


def shown(panel: Mapping[str, Any], picture: ui.PreviewImage | None = None) -> dict[str, Any]:
    """Return the ``ui`` of a node's output."""
    return {**(picture.as_dict() if picture else {}), REPORT: [dict(panel)]}
