"""Concept Mixer: a row per category, for a conditioning or a model; the everyday edit in one node."""

from __future__ import annotations

from comfy_api.latest import io

from ..hosts.comfyui import either, messages
from ..hosts.comfyui.mixing import PANEL, mix_conditioning, mix_model, panel_teller
from .either_inputs import either_inputs, either_outputs
from .node import ASKS_FOR_TEXT, Node
from .sockets import CATEGORY, SHOWN_AGAIN, DictionarySocket, EditsSocket

NO_NEGATIVE = (
    "Concept Mixer has no negative prompt connected, so its negative output is empty. Connect one to its negative "
    "input, or connect the sampler to the negative prompt itself."
)
"""What a node says that is wired to an output with nothing in it."""


class ConceptMixerNode(Node):
    NAME = "Concept Mixer"

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SupSAE_ConceptMixer",
            display_name=cls.NAME,
            category=CATEGORY,
            description="Mix what a prompt says, a slider for every category: hair, eyes, hat… Put it between CLIP "
            "Text Encode and the sampler's positive input, or between the model loader and the sampler; keep the seed, "
            "and run. After a run every row shows what the prompt says.",
            search_aliases=["supsae", "concept slider", "sliders", "mixer", "edit prompt", "attributes", "hair color"],
            inputs=[
                DictionarySocket.Input(
                    "dictionary", tooltip="A dictionary of the same text encoders, from Load Dictionary."
                ),
                io.String.Input(
                    "mix",
                    default="{}",
                    tooltip="What to change, as JSON; the panel writes it. For each category: a concept to say "
                    "instead, null to say nothing of it, or keep to hold it while others change. Strength 1 is what "
                    "writing the words would do, 0 changes nothing, above 1 is more of it. What is not listed is left "
                    "alone. To keep holds what the prompt says; what it does not mention is up to the model and the "
                    "seed, kept or not: say it, or use Lock to hold the picture.",
                ),
                *either_inputs("positive prompt"),
                EditsSocket.Input(
                    "edits",
                    optional=True,
                    tooltip="From Concept Edit: made as well, in the place of their categories' rows. So a number from "
                    "elsewhere drives a slider: connect it to the strength of Concept Edit.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="Where in the picture rows act that are set to act inside the mask alone. Only with a "
                    "conditioning; each step then takes two calls of the model for the prompt instead of one.",
                ),
                io.Conditioning.Input(
                    "negative",
                    optional=True,
                    tooltip="The negative prompt, if the mixer is to edit it too: what the rows ask for is taken out "
                    "of it, or it would be fought; all else stays. Not connected, the negative prompt stays as it is.",
                ),
            ],
            outputs=[
                *either_outputs(
                    "What was found in the prompt, what was changed, and whether what is kept still reads the same."
                ),
                io.Conditioning.Output(
                    display_name="negative",
                    tooltip="The negative prompt without what the rows ask for, if one is connected; for the sampler.",
                ),
            ],
            hidden=ASKS_FOR_TEXT,
            **SHOWN_AGAIN,
        )

    @classmethod
    def execute(
        cls, dictionary, mix, conditioning=None, model=None, edits=(), mask=None, negative=None
    ) -> io.NodeOutput:
        either.require_one(cls.NAME, conditioning, model)
        if conditioning is not None:
            made = mix_conditioning(conditioning, dictionary, mix, cls.text_before(), edits or (), mask, negative)
            outputs = either.outputs(cls.NAME, conditioning=made.output)
        else:
            made = mix_model(model, dictionary, mix, panel_teller(cls.hidden.unique_id), edits or (), negative)
            outputs = either.outputs(cls.NAME, model=made.output)
        opposite = messages.blocked(NO_NEGATIVE) if negative is None else made.negative
        return io.NodeOutput(*outputs, made.report, opposite, ui={PANEL: [made.panel]})


NODES = [ConceptMixerNode]
