"""Try Concepts: the picture without and with each concept, and whether it took."""

from __future__ import annotations

from comfy_api.latest import io, ui

from ..hosts.comfyui.pictures import drawing, to_image
from ..hosts.comfyui.trying import MOST, try_concepts
from .drawing_inputs import drawing_inputs
from .node import Node
from .reports import told
from .sockets import CATEGORY


class TryConceptsNode(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SupSAE_TryConcepts",
            display_name="Try Concepts",
            category=CATEGORY,
            is_output_node=True,
            description="Draw the same picture without and with each concept of a dictionary, from one seed, and say "
            "of each whether it took: the first look at words that were just learnt.",
            search_aliases=["supsae try", "contact sheet", "preview concepts", "test dictionary", "strip"],
            inputs=[
                *drawing_inputs(),
                io.String.Input(
                    "concepts",
                    default="",
                    tooltip="Categories or concepts with commas between them, such as: hair, hat: crown. Empty for "
                    f"all, the first {MOST} of them.",
                ),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=-2.0,
                    max=3.0,
                    step=0.05,
                    tooltip="Of every edit; 1 is writing the word.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="grid", tooltip="All pictures with their concepts, on one sheet."),
                io.Image.Output(
                    display_name="pictures", tooltip="The pictures alone: unedited, then concept by concept."
                ),
                io.String.Output(display_name="report", tooltip="How many took, and of the others why not."),
            ],
        )

    @classmethod
    def execute(cls, dictionary, concepts="", strength=1.0, **how) -> io.NodeOutput:
        made = try_concepts(drawing(**how), dictionary, concepts, strength)
        sheet = to_image(made.sheet)
        return io.NodeOutput(sheet, made.pictures, made.report, ui=told(made.report, ui.PreviewImage(sheet, cls=cls)))


NODES = [TryConceptsNode]
