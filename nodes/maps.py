"""Concept Map and Block Map: where in the picture, and where in the model, a concept acts."""

from __future__ import annotations

from comfy_api.latest import io, ui

from ..hosts.comfyui import messages, sampling, transformer
from ..hosts.comfyui.forms import require_choice
from ..hosts.comfyui.map_reports import as_json, as_text, over, pictured, plotted, said
from ..hosts.comfyui.mapping import METHODS, Wanted, concept_map
from ..hosts.comfyui.patching import block_map, drawings
from ..hosts.comfyui.pictures import drawing, drawing_progress, to_image, to_look_at
from ..supsae_core.editing.blocks import parse_blocks
from ..supsae_core.editing.windows import Window
from .drawing_inputs import BLOCKS, drawing_inputs
from .node import Node
from .reports import told
from .sockets import CATEGORY, RESEARCH, EditsSocket


class ConceptMapNode(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        percent = {"min": 0.0, "max": 1.0, "step": 0.01}
        blocks = io.String.Input(
            "blocks", default="all", tooltip="The blocks to average over, such as 0-2 or 4, 8, 12, or all."
        )
        return io.Schema(
            node_id="SupSAE_ConceptMap",
            display_name="Concept Map",
            category=CATEGORY,
            is_output_node=True,
            description="Draw the picture and show where in it a concept of the prompt lives, as a mask and as light "
            "over the picture. The picture is the one that KSampler draws.",
            search_aliases=["supsae attention", "heatmap", "where", "localise", "mask from prompt"],
            inputs=[
                *drawing_inputs(BLOCKS),
                io.String.Input(
                    "concept", default="hair: blond",
                    tooltip="category: concept, as Concept Edit has it. The prompt must say it; Read Prompt shows what "
                    "it says.",
                ),
                io.Float.Input("start", default=0.0, **percent, tooltip="Share of sampling after which to look."),
                io.Float.Input("end", default=1.0, **percent, tooltip="Share of sampling up to which to look."),
                io.DynamicCombo.Input(
                    "method",
                    options=[io.DynamicCombo.Option("effect", []), io.DynamicCombo.Option("attention", [blocks])],
                    tooltip="effect: where the model would draw otherwise if the prompt said something else in the "
                    "concept's place; takes twice the time. attention: how much the picture's tokens look at its "
                    "words; in Portraits that says nothing about the place.",
                ),
            ],
            outputs=[
                io.Mask.Output(
                    display_name="mask", tooltip="0 to 1 at the picture's size, e.g. for Lock or Apply Edits."
                ),
                io.Image.Output(display_name="overlay", tooltip="The picture with the map as light over it."),
                io.Image.Output(display_name="image", tooltip="The picture alone, as KSampler draws it."),
                io.String.Output(display_name="report", tooltip="The map's values before it was stretched to 0 … 1."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, dictionary, concept, start, end, method=None, **how) -> io.NodeOutput:
        one = drawing(**how)
        form = require_choice("method", method, tuple(METHODS))
        chosen = parse_blocks(form.get("blocks", "all"), transformer.depth(one.model))
        wanted = Wanted(concept, form["method"], chosen, Window(start, end), sampling.to_sigma(one.model))
        found = concept_map(one, dictionary, wanted, drawing_progress(one, 1)(0))
        shown = over(found)
        report = said(wanted, found)
        return io.NodeOutput(
            found.mask, shown, found.pictures, report, ui=told(report, ui.PreviewImage(to_look_at(shown), cls=cls))
        )


class BlockMapNode(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SupSAE_BlockMap",
            display_name="Block Map",
            category=RESEARCH,
            is_output_node=True,
            description="Draw the picture with the edit from every block of the model on, and with the edit only "
            "before it, and plot how much of the edit is left: which blocks matter.",
            search_aliases=["supsae blocks", "activation patching", "which blocks", "layers", "causal trace"],
            inputs=[
                *drawing_inputs(BLOCKS),
                EditsSocket.Input("edits", tooltip="From Concept Edit."),
                io.String.Input(
                    "blocks", default="all",
                    tooltip="all, or some such as 0, 4, 8, 12 or 0-5. Each costs two pictures of twice the time.",
                ),
                io.Boolean.Input(
                    "pooled", default=True,
                    tooltip="On: the edit's pooled vector, which acts in all blocks alike, is there in every picture "
                    "but the unedited; 100 % is what Apply Edits does to a conditioning, and what is left at the end "
                    "is the pooled vector's own part. Off: the edit's rows alone.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="plot", tooltip="How much of the edit is left, by block."),
                io.Image.Output(display_name="pictures", tooltip="The pictures behind the numbers, on one sheet."),
                io.String.Output(display_name="report", tooltip="The numbers as text. Wire it to Preview as Text."),
                io.String.Output(display_name="json", tooltip="The numbers for programs; see the help page."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, dictionary, edits, blocks, pooled, **how) -> io.NodeOutput:
        one = drawing(**how)
        depth = transformer.depth(one.model)
        chosen = parse_blocks(blocks, depth)
        count = drawings(chosen, pooled)
        messages.say(f"Block Map samples {count} times, {count - 2 - pooled} of them at twice the cost")
        found = block_map(one, dictionary, edits, chosen, pooled=pooled, told=drawing_progress(one, count))
        shown = to_image(plotted(found, ", ".join(edit.concept for edit in edits), depth))
        sheet = to_image(pictured(found, depth))
        report = as_text(found)
        return io.NodeOutput(shown, sheet, report, as_json(found), ui=told(report, ui.PreviewImage(shown, cls=cls)))


NODES = [ConceptMapNode, BlockMapNode]
