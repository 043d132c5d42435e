"""Read Prompt: which concepts an encoded prompt says, where, how weighted, and how much of it nothing explains."""

from __future__ import annotations

from comfy_api.latest import io, ui

from ..hosts.comfyui.pictures import to_image
from ..hosts.comfyui.prompt_reading import as_json, as_picture, as_text, read_prompt
from ..hosts.comfyui.prompt_text import taught_text
from .node import ASKS_FOR_TEXT, Node
from .reports import told
from .sockets import CATEGORY, DictionarySocket


class ReadPromptNode(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SupSAE_ReadPrompt",
            display_name="Read Prompt",
            category=CATEGORY,
            is_output_node=True,
            description="Say which of the dictionary's concepts stand in an encoded prompt: what an edit will find. "
            "The prompt's text is not needed.",
            search_aliases=["supsae inspect", "analyse conditioning", "interrogate", "concepts", "weights"],
            inputs=[
                io.Conditioning.Input("conditioning", tooltip="An encoded prompt, edited or not, of any wording."),
                DictionarySocket.Input("dictionary", tooltip="A dictionary of the same text encoders."),
            ],
            outputs=[
                io.String.Output(
                    display_name="report",
                    tooltip="The list as text, for Preview as Text. Prompt weights from 0.5 to 2 are read within 0.1 "
                    "(measured with Portraits).",
                ),
                io.String.Output(
                    display_name="json", tooltip="The same for programs; the help page says how it reads."
                ),
                io.Image.Output(display_name="bars", tooltip="The same as a picture."),
            ],
            hidden=ASKS_FOR_TEXT,
        )

    @classmethod
    def execute(cls, conditioning, dictionary) -> io.NodeOutput:
        found = read_prompt(conditioning, dictionary, taught_text(dictionary.family, conditioning, cls.text_before()))
        bars = to_image(as_picture(found))
        report = as_text(found)
        return io.NodeOutput(report, as_json(found), bars, ui=told(report, ui.PreviewImage(bars, cls=cls)))


NODES = [ReadPromptNode]
