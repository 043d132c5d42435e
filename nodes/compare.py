"""Compare Pictures: before and after under one handle, and what changed between them."""

from __future__ import annotations

from comfy_api.latest import io, ui

from ..hosts.comfyui.comparing import compare
from ..hosts.comfyui.pictures import to_look_at
from .node import Node
from .sockets import CATEGORY, DictionarySocket

PANEL = "supsae_compared"
"""Key of what the panel is told."""


class ComparePicturesNode(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SupSAE_ComparePictures",
            display_name="Compare Pictures",
            category=CATEGORY,
            is_output_node=True,
            description="Show a picture before and after an edit under one handle that is drawn across, and say what "
            "changed: of Portraits in words, which the Concept Mixer then shows in its rows.",
            search_aliases=["supsae compare", "before after", "wipe", "image compare", "slider"],
            inputs=[
                io.Image.Input("before", tooltip="The picture of the prompt as it stands."),
                io.Image.Input("after", tooltip="The picture after the edit, from the same seed and of the same size."),
                DictionarySocket.Input(
                    "dictionary", optional=True,
                    tooltip="The one of the edit. With Portraits' a reader says what it sees in both pictures; other "
                    "models have none.",
                ),
            ],
            outputs=[
                io.String.Output(display_name="report", tooltip="What changed and what did not. Wire it to Preview."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, before, after, dictionary=None) -> io.NodeOutput:
        found = compare(before, after, dictionary)
        shown = [to_look_at(one[:1]) for one in (after, before)]
        pictures = [ui.PreviewImage(one, cls=cls).as_dict()["images"][0] for one in shown]
        return io.NodeOutput(found.report, ui={"images": pictures, PANEL: [found.to_json()], "text": [found.report]})


NODES = [ComparePicturesNode]
