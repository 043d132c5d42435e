"""The concept table: what a dictionary will know by name."""

from __future__ import annotations

from comfy_api.latest import io

from ..hosts.comfyui import comfy_host
from ..portraits import paths
from ..supsae_core.table import concepts
from ..supsae_core.table.concepts import ConceptTable
from .sockets import CATEGORY, Table

EXAMPLE = paths.TABLE.read_text(encoding="utf-8")
"""The table of the embedded model: it works as it stands."""
ENDINGS = (".yaml", ".yml", ".json")


class ConceptTableNode(io.ComfyNode):
    """Concept Table."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SupSAE_ConceptTable",
            display_name="Concept Table",
            category=CATEGORY,
            description="Write down what you want to edit: categories, their concepts, and the words that prompts use.",
            search_aliases=["supsae concepts", "attributes", "vocabulary"],
            inputs=[
                io.String.Input(
                    "text",
                    multiline=True,
                    default=EXAMPLE,
                    dynamic_prompts=False,
                    tooltip="One category a line, its concepts indented below, each with the phrases that prompts "
                    "may use. The first phrase is the one that an edit writes. Short form: hair: [blond hair, red "
                    "hair]",
                ),
                io.String.Input(
                    "file",
                    default="",
                    placeholder="instead of the text, e.g. hair.yaml",
                    tooltip="A YAML or JSON file in ComfyUI's input folder to read instead of the text. Leave empty "
                    "to use the text.",
                ),
            ],
            outputs=[
                Table.Output(display_name="table", tooltip="The concepts, for Capture."),
                io.String.Output(display_name="summary", tooltip="What was read. Wire it to Preview as Text."),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, text: str, file: str):
        return comfy_host.changed(comfy_host.input_file(file.strip(), ENDINGS)) if file and file.strip() else None

    @classmethod
    def execute(cls, text: str, file: str = "") -> io.NodeOutput:
        name = file.strip()
        table = concepts.load(comfy_host.input_file(name, ENDINGS)) if name else concepts.parse(text)
        return io.NodeOutput(table, summary(table))


def summary(table: ConceptTable) -> str:
    """Say what a table holds, one line a category."""
    lines = [f"{len(table)} concepts in {len(table.categories)} categories, {len(table.phrases)} phrases"]
    for name, members in table.categories.items():
        lines.append(f"{name}: {', '.join(table.concepts[index].name for index in members)}")
    return "\n".join(lines)


NODES = [ConceptTableNode]
