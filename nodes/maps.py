"""Concept Map and Block Map: where in the picture, and where in the model, a concept acts."""

from __future__ import annotations

import json

import torch
from comfy_api.latest import io, ui
from PIL import Image
from torch import Tensor

from ..drawing.grid import grid
from ..drawing.overlay import overlay
from ..drawing.plot import Line, plot
from ..hosts.comfyui import comfy_host, comfy_model, drawing, mapping, patching
from ..hosts.comfyui.mapping import METHODS, Mapped, Wanted
from ..hosts.comfyui.patching import SIDES, BlockMap
from ..supsae_core.editing.blocks import parse
from ..supsae_core.editing.windows import Window
from .drawing_inputs import drawing_inputs
from .sockets import CATEGORY, Edits
from .sockets import Dictionary as DictionarySocket


class ConceptMap(io.ComfyNode):
    """Concept Map."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        percent = {"min": 0.0, "max": 1.0, "step": 0.01}
        return io.Schema(
            node_id="SupSAE_ConceptMap",
            display_name="Concept Map",
            category=CATEGORY,
            is_output_node=True,
            description="Draw the picture and show where in it a concept of the prompt lives, as a mask and as light "
            "over the picture. The picture is the one that KSampler draws.",
            search_aliases=["supsae attention", "heatmap", "where", "localise", "mask from prompt"],
            inputs=[
                *drawing_inputs(),
                DictionarySocket.Input("dictionary", tooltip="A dictionary of the same text encoders."),
                io.String.Input(
                    "concept", default="hair: blond",
                    tooltip="category: concept, as Concept Edit has it. The prompt must say it; Read Prompt shows what "
                    "it says.",
                ),
                io.Combo.Input(
                    "method", options=list(METHODS), default="effect",
                    tooltip="effect: where the model would draw otherwise if the prompt said something else in the "
                    "concept's place; takes twice the time. attention: how much the picture's tokens look at its "
                    "words; in Portraits that says nothing about the place.",
                ),
                io.Float.Input("start", default=0.0, **percent, tooltip="Share of sampling after which to look."),
                io.Float.Input("end", default=1.0, **percent, tooltip="Share of sampling up to which to look."),
                io.String.Input(
                    "blocks", default="all",
                    tooltip="For attention: the blocks to average over, such as 0-2 or 4, 8, 12, or all.",
                ),
            ],
            outputs=[
                io.Mask.Output(
                    display_name="mask", tooltip="0 to 1 at the picture's size, e.g. for Lock or Apply to Model."
                ),
                io.Image.Output(display_name="overlay", tooltip="The picture with the map as light over it."),
                io.Image.Output(display_name="image", tooltip="The picture alone, as KSampler draws it."),
                io.String.Output(display_name="report", tooltip="The map's values before it was stretched to 0 … 1."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, dictionary, concept, method, start, end, blocks, **how) -> io.NodeOutput:
        one = drawing.drawing(**how)
        chosen = parse(blocks, comfy_model.depth(one.model))
        wanted = Wanted(concept, method, chosen, Window(start, end), comfy_model.to_sigma(one.model))
        found = mapping.concept_map(one, dictionary, wanted, drawing.progress(one, 1)(0))
        shown = over(found)
        report = said(wanted, found)
        return io.NodeOutput(found.mask, shown, found.pictures, report, ui=ui.PreviewImage(shown, cls=cls))


class BlockMapNode(io.ComfyNode):
    """Block Map."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SupSAE_BlockMap",
            display_name="Block Map",
            category=CATEGORY,
            is_output_node=True,
            description="Draw the picture with the edit from every block of the model on, and with the edit only "
            "before it, and plot how much of the edit is left: which blocks matter.",
            search_aliases=["supsae blocks", "activation patching", "which blocks", "layers", "causal trace"],
            inputs=[
                *drawing_inputs(),
                DictionarySocket.Input("dictionary", tooltip="A dictionary of the same text encoders."),
                Edits.Input("edits", tooltip="From Concept Edit."),
                io.String.Input(
                    "blocks", default="all",
                    tooltip="all, or some such as 0, 4, 8, 12 or 0-5. Each costs two pictures of twice the time.",
                ),
                io.Boolean.Input(
                    "pooled", default=True,
                    tooltip="On: the edit's pooled vector, which acts in all blocks alike, is there in every picture "
                    "but the unedited; 100 % is what Apply to Conditioning does, and what is left at the end is the "
                    "pooled vector's own part. Off: the edit's rows alone.",
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
        one = drawing.drawing(**how)
        depth = comfy_model.depth(one.model)
        chosen = parse(blocks, depth)
        count = patching.drawings(chosen, pooled)
        comfy_host.say(f"Block Map samples {count} times, {count - 2 - pooled} of them at twice the cost")
        told = drawing.progress(one, count)
        found = patching.block_map(one, dictionary, edits, chosen, pooled=pooled, told=told)
        shown = comfy_host.to_image(plotted(found, ", ".join(edit.concept for edit in edits), depth))
        sheet = comfy_host.to_image(pictured(found, depth))
        return io.NodeOutput(shown, sheet, as_text(found), as_json(found), ui=ui.PreviewImage(shown, cls=cls))


# --- Concept Map ---------------------------------------------------------------------------------------------------


def over(found: Mapped) -> Tensor:
    """Return the pictures with the map over them, as an IMAGE."""
    return torch.from_numpy(overlay(found.pictures.float().cpu().numpy(), found.mask.numpy()))


def said(wanted: Wanted, found: Mapped) -> str:
    """Return the raw values in a sentence."""
    mean, low, high = (float(one) for one in (found.raw.mean(), found.raw.amin(), found.raw.amax()))
    if wanted.method == "attention":
        return (
            f"{wanted.concept}: its words get {mean:.2%} of an image token's attention on average, {low:.2%} at least "
            f"and {high:.2%} at most."
        )
    return (
        f"{wanted.concept}: with something else in its place the foreseen latent differs by {mean:.3f} on average, "
        f"{low:.3f} at least and {high:.3f} at most."
    )


# --- Block Map -----------------------------------------------------------------------------------------------------


def plotted(found: BlockMap, title: str, depth: int) -> Image.Image:
    """Draw the changes over the blocks."""
    lines = [Line(side, tuple(point.change for point in found.points[side])) for side in SIDES]
    return plot(
        found.places, lines, title=f"{title}, edited…", across=f"block ({depth}: behind the last)",
        upwards="change of the picture", note="100 %: the whole edit, 0 %: none",
    )  # fmt: skip


def pictured(found: BlockMap, depth: int) -> Image.Image:
    """Draw the first picture of every place on a sheet, the unedited one in front."""
    first = comfy_host.to_bytes(found.unedited)[0]
    rows = [[first, *(comfy_host.to_bytes(one)[0] for one in found.pictures[side])] for side in SIDES]
    columns = ["unedited", *(str(place) if place < depth else f"{place} (end)" for place in found.places)]
    return grid(rows, columns, list(SIDES), "Edited from, and only before, block")


def as_text(found: BlockMap) -> str:
    """Return the numbers as a table."""
    head = ["block", *SIDES]
    rows = [[str(place), *(_spelled(found.points[side][i]) for side in SIDES)] for i, place in enumerate(found.places)]
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    table = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in [head, *rows]
    ]
    return "\n".join([*table, "change of the picture (and how far it went the edit's own way), of the whole edit's"])


def _spelled(point: patching.Point) -> str:
    return f"{point.change:.0%} ({point.towards:.0%})"


def as_json(found: BlockMap) -> str:
    """Return the numbers as JSON text; the help page of the node documents it."""
    sides = {
        side: [
            {"block": place, "change": round(point.change, 4), "towards": round(point.towards, 4)}
            for place, point in zip(found.places, found.points[side], strict=True)
        ]
        for side in SIDES
    }
    return json.dumps({"version": 1, "blocks": found.places[-1], "sides": sides}, indent=1)


NODES = [ConceptMap, BlockMapNode]
