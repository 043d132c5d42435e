"""Strength Sweep: one picture for every strength of an edit, on one sheet."""

from __future__ import annotations

from comfy_api.latest import io, ui

from ..hosts.comfyui import shelf
from ..hosts.comfyui.forms import require_choice
from ..hosts.comfyui.pictures import drawing, to_image
from ..hosts.comfyui.sweeping import sweep
from ..supsae_core.editing import factors
from .dictionaries import file_inputs
from .drawing_inputs import drawing_inputs
from .node import Node
from .reports import told
from .sockets import CATEGORY, DictionarySocket, EditsSocket

NO, YES, SAVE = CALIBRATE = "no", "yes", "yes, and save in models/supsae"
"""Whether the slider is calibrated, and what becomes of the dictionary beside going on to the next node."""


class StrengthSweepNode(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SupSAE_StrengthSweep",
            display_name="Strength Sweep",
            category=CATEGORY,
            is_output_node=True,
            description="Draw the same picture at several strengths of the edits, from the same seed, and show them "
            "beside one another. It can calibrate a concept's slider on them, so that equal steps look equal.",
            search_aliases=["supsae grid", "xy plot", "compare strengths", "slider", "calibrate", "save dictionary"],
            inputs=[
                *drawing_inputs(),
                EditsSocket.Input("edits", tooltip="From Concept Edit. Their strengths are multiplied by each number."),
                io.String.Input(
                    "strengths",
                    default="0, 0.25, 0.5, 0.75, 1, 1.25",
                    tooltip="Numbers with commas between them, at most 16, or from here to here: 0 to 1 in 24, at most "
                    "120. Each multiplies the strength of every edit, and is a picture. 0 is the unedited one, 1 the "
                    "edit as it is. For an animation connect pictures to Save Animated WEBP.",
                ),
                io.DynamicCombo.Input(
                    "calibrate",
                    options=[
                        io.DynamicCombo.Option(NO, []),
                        io.DynamicCombo.Option(YES, []),
                        io.DynamicCombo.Option(SAVE, file_inputs()),
                    ],
                    tooltip="yes: bend the slider of the edit's concept so that equal steps move these pictures by "
                    "equal steps, find how far beyond 0 and 1 it is safe, and draw all again. It takes one edit at "
                    "strength 1 and at least three numbers between 0 and 1; several pictures in latent make it surer.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="grid", tooltip="All pictures with their numbers, on one sheet."),
                io.Image.Output(display_name="pictures", tooltip="The pictures alone, in the order of the numbers."),
                io.String.Output(
                    display_name="report", tooltip="What was found in the prompt, and what the largest number changed."
                ),
                DictionarySocket.Output(
                    display_name="dictionary", tooltip="The dictionary, calibrated if that was asked for."
                ),
            ],
        )

    @classmethod
    def execute(cls, dictionary, edits, strengths, calibrate=None, **how) -> io.NodeOutput:
        form = require_choice("calibrate", calibrate, CALIBRATE)
        asked, numbers = form["calibrate"], factors.parse_factors(strengths)
        made = sweep(drawing(**how), dictionary, edits, numbers, asked != NO)
        report = made.report
        if asked == SAVE:
            saved = shelf.save(made.dictionary, form["name"], form["overwrite"])
            report += f"\nsaved as {saved.name} in models/supsae"
        sheet = to_image(made.sheet)
        seen = told(report, ui.PreviewImage(sheet, cls=cls))
        return io.NodeOutput(sheet, made.pictures, report, made.dictionary, ui=seen)


NODES = [StrengthSweepNode]
