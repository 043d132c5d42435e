"""Quick Concept: two poles, typed, are a slider at once."""

from __future__ import annotations

from comfy_api.latest import io

from ..evaluation.report.describe import describe
from ..hosts.comfyui import quick
from ..hosts.comfyui.text import ComfyText
from ..training.quick import FEWEST, MOST, PAIRS
from .node import Node
from .reports import told
from .sockets import LEARN, DictionarySocket


class QuickConceptNode(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SupSAE_QuickConcept",
            display_name="Quick Concept",
            category=LEARN,
            is_output_node=True,
            description="Type two poles, such as a young woman and an old woman, and have a slider between them: some "
            "prompts are worded and encoded for it, and a dictionary of the two is learnt. Nothing is kept on disk. "
            "For more than a first try use Concept Table, Capture and Fit Dictionary.",
            search_aliases=["supsae slider", "concept slider", "prompt slider", "two poles", "control vector"],
            inputs=[
                io.Clip.Input(
                    "clip", tooltip="The text encoders that the prompt is encoded with; those that Capture knows."
                ),
                io.String.Input(
                    "low", default="a young woman",
                    tooltip="What a prompt says, in its own words. An article before it does not count.",
                ),
                io.String.Input(
                    "high", default="an old woman",
                    tooltip="What it is to say instead. It may differ from the low pole in one place only.",
                ),
                io.Int.Input(
                    "pairs", default=PAIRS, min=FEWEST, max=MOST,
                    tooltip="Pairs of prompts to encode and learn from; 8 more are for calibration. 32 will do for a "
                    "first look; more find the words again more often, and take longer.",
                ),
            ],
            outputs=[
                DictionarySocket.Output(display_name="dictionary", tooltip="For Concept Mixer and Apply Edits."),
                io.String.Output(
                    display_name="report",
                    tooltip="From how little it was learnt, and how well. Wire it to Preview as Text.",
                ),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, clip, low, high, pairs=PAIRS) -> io.NodeOutput:
        made = quick.learn(ComfyText(clip), low, high, pairs)
        return io.NodeOutput(made.dictionary, f"{made.report}\n\n{describe(made.dictionary)}", ui=told(made.report))


NODES = [QuickConceptNode]
