"""Strength Sweep: one picture for every strength of an edit, on one sheet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from comfy_api.latest import io, ui
from PIL import Image
from torch import Tensor

from ..drawing.grid import grid
from ..hosts.comfyui import comfy_host, conditionings, drawing
from ..hosts.comfyui.drawing import Drawing
from ..supsae_core.dictionary.model import Dictionary
from ..supsae_core.editing import factors
from ..supsae_core.editing.edits import AnyEdit, spelled
from .drawing_inputs import drawing_inputs
from .sockets import CATEGORY, Edits
from .sockets import Dictionary as DictionarySocket


class StrengthSweep(io.ComfyNode):
    """Strength Sweep."""

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
                DictionarySocket.Input("dictionary", tooltip="A dictionary of the same text encoders."),
                Edits.Input("edits", tooltip="From Concept Edit. Their strengths are multiplied by each number."),
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
        made = sweep(drawing.drawing(**how), dictionary, edits, factors.parse(strengths))
        sheet = comfy_host.to_image(made.sheet)
        return io.NodeOutput(sheet, made.pictures, made.report, ui=ui.PreviewImage(sheet, cls=cls))


class Sweep(NamedTuple):
    """What a sweep made."""

    sheet: Image.Image
    pictures: Tensor
    """(strengths × B, H, W, 3), strength by strength"""
    report: str
    """of the largest number"""


def sweep(one: Drawing, dictionary: Dictionary, edits: Sequence[AnyEdit], numbers: Sequence[float]) -> Sweep:
    """Draw the picture at every multiple of the edits' strengths.

    Raises:
        ValueError: if a strength leaves its range, or an edit finds nothing to change; before anything is drawn.
    """
    some = [factors.multiplied(edits, number) for number in numbers]
    made = [conditionings.edit(one.positive, dictionary, own) for own in some]
    told = drawing.progress(one, len(numbers))
    pictures = [drawing.draw(one._replace(positive=made[i][0]), told(i)) for i in range(len(numbers))]
    cells = [comfy_host.to_bytes(own) for own in pictures]
    rows = [[cell[row] for cell in cells] for row in range(len(cells[0]))]
    names = [f"picture {row + 1}" if len(rows) > 1 else "" for row in range(len(rows))]
    title = f"{', '.join(spelled(own) for own in edits)}, times"
    sheet = grid(rows, [f"{number:g}" for number in numbers], names, title)
    strongest = max(range(len(numbers)), key=lambda i: abs(numbers[i]))
    return Sweep(sheet, torch.cat(pictures), f"times {numbers[strongest]:g}:\n{made[strongest][1]}")


NODES = [StrengthSweep]
