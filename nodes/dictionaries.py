"""Dictionaries: fit one from a capture, save it, load it."""

from __future__ import annotations

from pathlib import Path

import torch
from comfy_api.latest import io, ui

from ..drawing.codes import cosine_picture
from ..evaluation.report.describe import describe
from ..evaluation.report.panel import dictionary_panel
from ..hosts.comfyui import comfy_host
from ..supsae_core.dictionary.file import load_dictionary, save_dictionary
from ..training.fit_once import fit_once
from .reports import shown
from .sockets import CATEGORY, SHOWN_AGAIN, Capture, Dictionary

SAVED = "supsae_saved"
"""Key of what the panel of Save Dictionary shows."""


class Fit(io.ComfyNode):
    """Fit Dictionary."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SupSAE_Fit",
            display_name="Fit Dictionary",
            category=CATEGORY,
            is_output_node=True,
            description="Learn the concepts from a capture: a few seconds on any computer, no graphics card needed. "
            "The report says whether it worked, the picture how alike the concepts are.",
            search_aliases=["supsae train", "learn concepts", "sparse autoencoder"],
            inputs=[Capture.Input("capture", tooltip="From Capture.")],
            outputs=[
                Dictionary.Output(display_name="dictionary", tooltip="For Save Dictionary and Apply to Conditioning."),
                io.String.Output(display_name="report", tooltip="How well it was learnt. Wire it to Preview as Text."),
                io.Image.Output(
                    display_name="cosines", tooltip="How alike the concepts are: unlike ones should be pale."
                ),
            ],
        )

    @classmethod
    def execute(cls, capture) -> io.NodeOutput:
        dictionary = fit_once(capture, progress=comfy_host.progress())
        image = comfy_host.to_image(cosine_picture(dictionary))
        seen = shown(dictionary_panel(dictionary), ui.PreviewImage(image, cls=cls))
        return io.NodeOutput(dictionary, describe(dictionary), image, ui=seen)


class SaveDictionary(io.ComfyNode):
    """Save Dictionary."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SupSAE_SaveDictionary",
            display_name="Save Dictionary",
            category=CATEGORY,
            is_output_node=True,
            description="Write a dictionary to models/supsae, where Load Dictionary finds it.",
            search_aliases=["supsae export"],
            inputs=[
                Dictionary.Input("dictionary", tooltip="From Fit Dictionary."),
                io.String.Input("name", default="my_portraits", tooltip="File name, without folder and ending."),
                io.Boolean.Input(
                    "overwrite",
                    default=False,
                    tooltip="Replace a file of this name. Otherwise it is kept and a number is put behind the new "
                    "name.",
                ),
            ],
            outputs=[
                io.String.Output(
                    display_name="file", tooltip="The file that was written. Press R to see it in the loader."
                )
            ],
        )

    @classmethod
    def execute(cls, dictionary, name, overwrite) -> io.NodeOutput:
        file = comfy_host.new_dictionary_file(name, lambda there: overwrite or holds(there, dictionary))
        save_dictionary(dictionary, file)
        comfy_host.log(f"saved {file}")
        return io.NodeOutput(str(file), ui={SAVED: [{"name": file.name, "bytes": file.stat().st_size}]})


class LoadDictionary(io.ComfyNode):
    """Load Dictionary."""

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
                    "name",
                    options=comfy_host.dictionary_names(),
                    tooltip="A file in models/supsae. portraits.safetensors comes with SupSAE.",
                )
            ],
            outputs=[
                Dictionary.Output(display_name="dictionary", tooltip="For Apply to Conditioning."),
                io.String.Output(display_name="report", tooltip="Its concepts and how well they were learnt."),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, name: str):
        return comfy_host.changed(comfy_host.dictionary_file(name))

    @classmethod
    def execute(cls, name) -> io.NodeOutput:
        dictionary = load_dictionary(comfy_host.dictionary_file(name))
        report = f"{concepts_of(dictionary)}\n\n{describe(dictionary)}"
        return io.NodeOutput(dictionary, report, ui=shown(dictionary_panel(dictionary, report)))


def holds(file: Path, dictionary: Dictionary) -> bool:
    """Tell whether a file holds this very dictionary: a capture that is fitted again gives the same one."""
    try:
        there = load_dictionary(file)
    except ValueError:
        return False
    same = there.table == dictionary.table and there.provenance == dict(dictionary.provenance)
    return same and torch.equal(there.codes, dictionary.codes)


def concepts_of(dictionary: Dictionary) -> str:
    """List every concept, spelled as Concept Edit wants it."""
    table = dictionary.table
    return "\n".join(", ".join(str(table.concepts[i]) for i in members) for members in table.categories.values())


NODES = [Fit, SaveDictionary, LoadDictionary]
