"""Read Prompt: which concepts an encoded prompt says, where, how weighted, and how much of it nothing explains."""

from __future__ import annotations

import json
from typing import NamedTuple

from comfy_api.latest import io, ui

from ..drawing.bars import Panel, prompt_picture
from ..hosts.comfyui import comfy_host, conditionings
from ..hosts.comfyui.conditionings import Conditioning
from ..supsae_core.dictionary.model import Dictionary
from ..supsae_core.reading import prompt_report
from ..supsae_core.reading.prompt_report import PromptReport
from .sockets import CATEGORY
from .sockets import Dictionary as DictionarySocket


class ReadPrompt(io.ComfyNode):
    """Read Prompt."""

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
        )

    @classmethod
    def execute(cls, conditioning, dictionary) -> io.NodeOutput:
        found = read(conditionings, dictionary)
        bars = comfy_host.to_image(prompt_picture([Panel(one.title, one.report) for one in found]))
        return io.NodeOutput(as_text(found), as_json(found), bars, ui=ui.PreviewImage(bars, cls=cls))


class Read(NamedTuple):
    """One batch row of one part of a conditioning."""

    title: str
    """empty if there is no other"""
    part: int
    row: int
    whole: bool
    """speaks of the whole picture, not of an area or a mask"""
    report: PromptReport


def read(conditioning_list: Conditioning, dictionary: Dictionary) -> list[Read]:
    """Read every batch row of every part, numbered from 1.

    Raises:
        ValueError: if there is none, or one cannot be read.
    """
    entries = enumerate(conditioning_list)
    places = [(place, entry) for i, entry in entries for place in conditionings.read(dictionary, entry, i)]
    if not places:
        raise ValueError("This conditioning is empty. Connect CLIP Text Encode (Prompt).")
    found = []
    for place, entry in places:
        report = prompt_report.report(dictionary, entry[0][place.row].float().cpu(), place.reading)
        about = "" if not place.partial else ", for a part of the picture"
        title = f"part {place.entry + 1}, row {place.row + 1}{about}" if len(places) > 1 or about else ""
        found.append(Read(title, place.entry + 1, place.row + 1, not place.partial, report))
    return found


def as_text(found: list[Read]) -> str:
    """Return the report as text, one paragraph a row."""
    return "\n\n".join(
        "\n".join([*([one.title] if one.title else []), *prompt_report.lines(one.report)]) for one in found
    )


def as_json(found: list[Read]) -> str:
    """Return the report as JSON text; the help page of the node documents it."""
    rows = [
        {"part": one.part, "row": one.row, "whole_picture": one.whole, **prompt_report.to_json(one.report)}
        for one in found
    ]
    return json.dumps({"version": 1, "prompts": rows}, ensure_ascii=False, indent=1)


NODES = [ReadPrompt]
