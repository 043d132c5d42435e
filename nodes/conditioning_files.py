"""Save Conditioning and Load Conditioning: an encoded, edited prompt as a file, so that no encoder is needed again."""

from __future__ import annotations

from comfy_api.latest import io

from ..hosts.comfyui import folders, keeping
from .node import Node
from .reports import told
from .sockets import CATEGORY, SHOWN_AGAIN


class SaveConditioningNode(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SupSAE_SaveConditioning",
            display_name="Save Conditioning",
            category=CATEGORY,
            is_output_node=True,
            description="Write an encoded prompt to a file, edited or not, with what was edited and by which "
            "dictionary. Load Conditioning brings it back to the last bit: the text encoders need not be loaded "
            "again, and the file is safe to share.",
            search_aliases=["supsae export", "store conditioning", "cache prompt", "conditioning to disk"],
            inputs=[
                io.Conditioning.Input("conditioning", tooltip="From CLIP Text Encode, Concept Mixer or Apply Edits."),
                io.String.Input(
                    "name", default="conditioning",
                    tooltip="File name, without folder and ending. The file goes to output/supsae/conditionings, and "
                    "is overwritten only by the very same conditioning.",
                ),
                io.Boolean.Input(
                    "overwrite", default=False,
                    tooltip="Replace a file of this name. Otherwise it is kept and a number is put behind the new "
                    "name.",
                ),
            ],
            outputs=[
                io.Conditioning.Output(display_name="conditioning", tooltip="What came in, as it is."),
                io.String.Output(display_name="report", tooltip="What the file is called and what it holds."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, conditioning, name, overwrite=False) -> io.NodeOutput:
        made = keeping.keep(conditioning, name, overwrite)
        return io.NodeOutput(made.conditioning, made.report, ui=told(made.report))


class LoadConditioningNode(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SupSAE_LoadConditioning",
            display_name="Load Conditioning",
            category=CATEGORY,
            description="Read a conditioning that Save Conditioning wrote: no text encoder and no dictionary is "
            "loaded. Lock and further edits go on with it.",
            search_aliases=["supsae import", "open conditioning", "saved prompt", "conditioning from disk"],
            **SHOWN_AGAIN,
            inputs=[
                io.Combo.Input(
                    "name", options=folders.conditioning_names(),
                    tooltip="A file in output/supsae/conditionings. Those that somebody put into ComfyUI's input "
                    "folder end in [input].",
                )
            ],
            outputs=[
                io.Conditioning.Output(display_name="conditioning", tooltip="For a sampler, or a further edit."),
                io.String.Output(
                    display_name="report",
                    tooltip="What was edited, by which dictionary, and for which text encoders.",
                ),
            ],
        )  # fmt: skip

    @classmethod
    def fingerprint_inputs(cls, name: str):
        return folders.changed(folders.conditioning_file(name))

    @classmethod
    def execute(cls, name) -> io.NodeOutput:
        made = keeping.take(name)
        return io.NodeOutput(made.conditioning, made.report, ui=told(made.report))


NODES = [SaveConditioningNode, LoadConditioningNode]
