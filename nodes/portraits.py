"""The embedded model: its text encoders as a stock CLIP. Its transformer and VAE load through the stock loaders."""

from __future__ import annotations

from comfy_api.latest import io

from ..hosts.comfyui.portraits_clip import portraits_clip
from .node import Node
from .sockets import CATEGORY


class LoadPortraitsCLIPNode(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SupSAE_LoadPortraitsCLIP",
            display_name="Load Portraits CLIP",
            category=CATEGORY,
            description="Load the text encoders of Portraits, the small model that comes with SupSAE. Use them with "
            "supsae_portraits_mmdit in Load Diffusion Model and supsae_portraits_vae in Load VAE.",
            search_aliases=["supsae demo", "portraits text encoder", "sparse autoencoder"],
            outputs=[io.Clip.Output(display_name="CLIP", tooltip="For CLIP Text Encode (Prompt) and for Capture.")],
        )

    @classmethod
    def execute(cls) -> io.NodeOutput:
        return io.NodeOutput(portraits_clip())


NODES = [LoadPortraitsCLIPNode]
