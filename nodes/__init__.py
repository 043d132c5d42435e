"""ComfyUI's side of the pack: thin shells over supsae_core and training. One topic a file, each ends with NODES."""

from __future__ import annotations

from comfy_api.latest import ComfyExtension, io

from ..hosts.comfyui import folders, messages
from ..supsae_core import stopping
from . import (
    audit,
    capture,
    check,
    combine,
    compare,
    concepts,
    conditioning_files,
    dictionaries,
    edit,
    evaluate,
    lock,
    maps,
    mixer,
    portraits,
    quick,
    read_prompt,
    routes,
    sweep,
    trying,
)

TOPICS = (
    portraits, concepts, capture, dictionaries, quick, combine, check, mixer, edit, conditioning_files, compare, lock,
    read_prompt, maps, sweep, trying, audit, evaluate,
)  # fmt: skip
"""Modules of nodes, in the order in which ComfyUI is told of them."""


class SupSAEExtension(ComfyExtension):
    """What ComfyUI asks for when it loads the pack."""

    async def on_load(self) -> None:
        """Register the model folders, so that stock loaders list our weights, the routes, and what Stop stops."""
        folders.register_folders()
        routes.register()
        stopping.ask_with(messages.throw_if_stopped)

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        """Return the nodes of every topic."""
        return [node for topic in TOPICS for node in topic.NODES]
