"""Combine Dictionaries: two dictionaries of the same text encoders as one."""

from __future__ import annotations

from comfy_api.latest import io

from ..evaluation.report.describe import describe
from ..hosts.comfyui import shelf
from ..hosts.comfyui.forms import require_choice
from ..supsae_core.dictionary.clash import CHOICES, FIRST
from ..supsae_core.dictionary.combine import combine
from .dictionaries import KEEP, SAVE, file_inputs
from .node import Node
from .reports import told
from .sockets import LEARN, DictionarySocket


class CombineDictionariesNode(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SupSAE_CombineDictionaries",
            display_name="Combine Dictionaries",
            category=LEARN,
            is_output_node=True,
            description="One dictionary of two that were learnt from the same text encoders, such as several Quick "
            "Concepts beside a learnt one: all their concepts in one mixer. Each edits as it did by itself. The report "
            "says where the two clash.",
            search_aliases=["supsae merge", "merge dictionaries", "join dictionaries", "stack sliders"],
            inputs=[
                DictionarySocket.Input("first", tooltip="From Load Dictionary, Quick Concept or Fit Dictionary."),
                DictionarySocket.Input(
                    "second",
                    tooltip="Another one for the same text encoders. Combine the result again to add a third.",
                ),
                io.Combo.Input(
                    "clashes", options=list(CHOICES), default=FIRST,
                    tooltip="Of a concept that both have under one name and that does something else in each: keep the "
                    "first's, the second's, or both, the second's with a number behind its name. Where nothing "
                    "clashes it does not matter which is first.",
                ),
                io.DynamicCombo.Input(
                    "save",
                    options=[io.DynamicCombo.Option(KEEP, []), io.DynamicCombo.Option(SAVE, file_inputs())],
                    tooltip="in models/supsae: write the dictionary to a file, where Load Dictionary finds it. no: "
                    "only hand it on in this workflow.",
                ),
            ],
            outputs=[
                DictionarySocket.Output(display_name="dictionary", tooltip="For Concept Mixer and Apply Edits."),
                io.String.Output(
                    display_name="report", tooltip="What clashed and what became of it. Wire it to Preview as Text."
                ),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, first, second, clashes=FIRST, save=None) -> io.NodeOutput:
        file = require_choice("save", save, (KEEP, SAVE))
        made = combine(first, second, clashes)
        lines = list(made.lines)
        if file["save"] == SAVE:
            lines.append(
                f"Saved in models/supsae as {shelf.save(made.dictionary, file['name'], file['overwrite']).name}."
            )
        report = "\n".join(lines)
        return io.NodeOutput(made.dictionary, f"{report}\n\n{describe(made.dictionary)}", ui=told(report))


NODES = [CombineDictionariesNode]
