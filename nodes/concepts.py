"""The concept table: what a dictionary will know by name."""

from __future__ import annotations

from comfy_api.latest import io

from ..hosts.comfyui import tables
from ..portraits import paths
from .node import Node
from .sockets import LEARN, TableSocket

EXAMPLE = paths.TABLE.read_text(encoding="utf-8")
"""The table of the embedded model: it works as it stands."""


class ConceptTableNode(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SupSAE_ConceptTable",
            display_name="Concept Table",
            category=LEARN,
            description="Write down what you want to edit: categories, their concepts, and the words that prompts use.",
            search_aliases=["supsae concepts", "attributes", "vocabulary"],
            inputs=[
                io.String.Input(
                    "text", multiline=True, default=EXAMPLE, dynamic_prompts=False,
                    tooltip="One category a line, its concepts indented below, each with the phrases that prompts "
                    "may use. The first phrase is the one that an edit writes. Short form: hair: [blond hair, red "
                    "hair]. Words alone are sorted into categories.",
                ),
                io.String.Input(
                    "file", default="", placeholder="instead of the text, e.g. hair.yaml",
                    tooltip="A YAML or JSON file in ComfyUI's input folder to read instead of the text. Leave empty "
                    "to use the text.",
                ),
            ],
            outputs=[
                TableSocket.Output(display_name="table", tooltip="The concepts, for Capture."),
                io.String.Output(display_name="summary", tooltip="What was read. Wire it to Preview as Text."),
            ],
        )  # fmt: skip

    @classmethod
    def fingerprint_inputs(cls, text: str, file: str):
        return tables.table_version(file)

    @classmethod
    def execute(cls, text: str, file: str = "") -> io.NodeOutput:
        table = tables.read_table(text, file)
        return io.NodeOutput(table, tables.summary(table))


NODES = [ConceptTableNode]
