"""Dictionaries: fit one from a capture and save it, load one."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io, ui

from ..drawing.codes import cosine_picture
from ..evaluation.report.describe import describe
from ..evaluation.report.panel import dictionary_panel
from ..hosts.comfyui import folders, messages, shelf, spelling
from ..hosts.comfyui.forms import require_choice
from ..hosts.comfyui.pictures import to_image
from ..supsae_core.dictionary.file import load_dictionary
from ..training.fit_once import fit_once
from .node import Node
from .reports import shown
from .sockets import CATEGORY, LEARN, SHOWN_AGAIN, CaptureSocket, DictionarySocket

SAVE, KEEP = "in models/supsae", "no"
"""What becomes of a fitted dictionary, beside going on to the next node."""


class FitDictionaryNode(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SupSAE_FitDictionary",
            display_name="Fit Dictionary",
            category=LEARN,
            is_output_node=True,
            description="Learn the concepts from a capture and save them as one small file: under half a minute for "
            "ten concepts of Portraits, no graphics card needed. The report says whether it worked, the picture how "
            "alike the concepts are.",
            search_aliases=["supsae train", "learn concepts", "sparse autoencoder", "save dictionary", "export"],
            inputs=[
                CaptureSocket.Input("capture", tooltip="From Capture."),
                io.DynamicCombo.Input(
                    "save",
                    options=[io.DynamicCombo.Option(SAVE, file_inputs()), io.DynamicCombo.Option(KEEP, [])],
                    tooltip="in models/supsae: write the dictionary to a file, where Load Dictionary finds it. no: "
                    "only hand it on in this workflow; fitting the same capture again costs nothing.",
                ),
            ],
            outputs=[
                DictionarySocket.Output(display_name="dictionary", tooltip="For Concept Mixer and Apply Edits."),
                io.String.Output(display_name="report", tooltip="How well it was learnt. Wire it to Preview as Text."),
                io.Image.Output(
                    display_name="cosines", tooltip="How alike the concepts are: unlike ones should be pale."
                ),
            ],
        )

    @classmethod
    def execute(cls, capture, save=None) -> io.NodeOutput:
        file = require_choice("save", save, (SAVE, KEEP))
        dictionary = fit_once(capture, progress=messages.progress())
        saved = shelf.save(dictionary, file["name"], file["overwrite"]) if file["save"] == SAVE else None
        image = to_image(cosine_picture(dictionary))
        panel = dictionary_panel(dictionary, unknown=spelling.unknown_concepts(dictionary))
        seen = shown(panel, ui.PreviewImage(image, cls=cls), saved)
        return io.NodeOutput(dictionary, describe(dictionary), image, ui=seen)


def file_inputs() -> list[Any]:
    """Return what it takes to write a dictionary."""
    return [
        io.String.Input(
            "name", default="",
            tooltip="File name, without folder and ending. Empty: named after its categories; the same words learnt "
            "again take the file's place.",
        ),
        io.Boolean.Input(
            "overwrite", default=False,
            tooltip="Replace a file of this name. Otherwise it is kept and a number is put behind the new name.",
        ),
    ]  # fmt: skip


class LoadDictionaryNode(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SupSAE_LoadDictionary",
            display_name="Load Dictionary",
            category=CATEGORY,
            description="Read a dictionary from models/supsae. It fits only the text encoders it was learnt from.",
            search_aliases=["supsae open", "concepts"],
            **SHOWN_AGAIN,
            inputs=[
                io.Combo.Input(
                    "name", options=folders.dictionary_names(),
                    tooltip="A file in models/supsae. portraits.safetensors comes with SupSAE.",
                )
            ],
            outputs=[
                DictionarySocket.Output(display_name="dictionary", tooltip="For Concept Mixer and Apply Edits."),
                io.String.Output(display_name="report", tooltip="Its concepts and how well they were learnt."),
            ],
        )  # fmt: skip

    @classmethod
    def fingerprint_inputs(cls, name: str):
        return folders.changed(folders.dictionary_file(name))

    @classmethod
    def execute(cls, name) -> io.NodeOutput:
        dictionary = load_dictionary(folders.dictionary_file(name))
        report = f"{shelf.concepts_of(dictionary)}\n\n{describe(dictionary)}"
        panel = dictionary_panel(dictionary, report, spelling.unknown_concepts(dictionary))
        return io.NodeOutput(dictionary, report, ui=shown(panel))


NODES = [FitDictionaryNode, LoadDictionaryNode]
