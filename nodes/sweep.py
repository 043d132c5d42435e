"""Strength Sweep: one picture for every strength of an edit, on one sheet."""

from __future__ import annotations

from comfy_api.latest import io, ui

from ..hosts.comfyui.pictures import drawing, to_image
from ..hosts.comfyui.sweeping import sweep
from ..supsae_core.editing import factors
from .drawing_inputs import drawing_inputs
from .node import Node
from .reports import told
from .sockets import CATEGORY, EditsSocket


class StrengthSweepNode(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SupSAE_StrengthSweep",
            display_name="Strength Sweep",
            category=CATEGORY,
            is_output_node=True,
            description="Draw the same picture at several strengths of the edits, from the same seed, and show them "
            "beside one another.",
            search_aliases=["supsae grid", "xy plot", "compare strengths", "slider"],
            inputs=[
                *drawing_inputs(),
                EditsSocket.Input("edits", tooltip="From Concept Edit. Their strengths are multiplied by each number."),
                io.String.Input(
                    "strengths",
                    default="0, 0.25, 0.5, 0.75, 1, 1.25",
                    tooltip="Numbers with commas between them, at most 16. Each multiplies the strength of every edit, "
                    "and is a picture. 0 is the unedited one, 1 the edit as it is.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="grid", tooltip="All pictures with their numbers, on one sheet."),
                io.Image.Output(display_name="pictures", tooltip="The pictures alone, in the order of the numbers."),
                io.String.Output(
                    display_name="report", tooltip="What was found in the prompt, and what the largest number changed."
                ),
            ],
        )

    @classmethod
    def execute(cls, dictionary, edits, strengths, **how) -> io.NodeOutput:
        made = sweep(drawing(**how), dictionary, edits, factors.parse_factors(strengths))
        sheet = to_image(made.sheet)
        return io.NodeOutput(sheet, made.pictures, made.report, ui=told(made.report, ui.PreviewImage(sheet, cls=cls)))


NODES = [StrengthSweepNode]
