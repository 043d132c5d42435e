"""Edits: say what to change, and change a conditioning."""

from __future__ import annotations

from comfy_api.latest import io

from ..hosts.comfyui import comfy_host, conditionings
from ..supsae_core.editing import edits as core
from .sockets import CATEGORY, Dictionary, Edits


class Edit(io.ComfyNode):
    """Concept Edit."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        low, high = core.STRENGTHS
        return io.Schema(
            node_id="SupSAE_Edit",
            display_name="Concept Edit",
            category=CATEGORY,
            description="Say one change. Chain several: together they are one change, at most one for each category.",
            search_aliases=["supsae slider", "concept slider", "swap", "add", "remove"],
            inputs=[
                io.Combo.Input(
                    "action",
                    options=list(core.ACTIONS),
                    default="swap",
                    tooltip="swap: say this instead of what the prompt says of its category. add: say it where the "
                    "category is not mentioned. remove: stop saying it. scale: say it more or less; there 1 changes "
                    "nothing and 0 is neither this nor that.",
                ),
                io.String.Input(
                    "concept",
                    default="hair: red",
                    tooltip="category: concept, as in the concept table. It is checked when the workflow runs; the "
                    "error then names the nearest ones.",
                ),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=low,
                    max=high,
                    step=0.05,
                    display_mode=io.NumberDisplay.slider,
                    tooltip="1 is what writing the words would do. 0 changes nothing at all (with scale it is 1 "
                    "that does). Between 0 and 1 lies a mixture; far outside pictures may break.",
                ),
                Edits.Input("edits", optional=True, tooltip="Edits to make as well, from another Concept Edit."),
                io.Int.Input(
                    "occurrence",
                    default=0,
                    min=0,
                    max=99,
                    optional=True,
                    tooltip="Where a prompt speaks of the category several times, as of two people: which mention to "
                    "change, the first being 1. 0 changes every one.",
                ),
            ],
            outputs=[
                Edits.Output(display_name="edits", tooltip="For Apply to Conditioning, or a further Concept Edit.")
            ],
        )

    @classmethod
    def execute(cls, action, concept, strength, edits=(), occurrence=0) -> io.NodeOutput:
        return io.NodeOutput((*(edits or ()), core.make(action, concept, strength, occurrence)))


class ApplyToConditioning(io.ComfyNode):
    """Apply to Conditioning."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SupSAE_ApplyToConditioning",
            display_name="Apply to Conditioning",
            category=CATEGORY,
            description="Change what an encoded prompt says, without touching its text: put it between CLIP Text "
            "Encode and the sampler's positive input, and keep the seed.",
            search_aliases=["supsae apply", "edit prompt", "steer"],
            inputs=[
                io.Conditioning.Input("conditioning", tooltip="An encoded prompt, from CLIP Text Encode (Prompt)."),
                Dictionary.Input("dictionary", tooltip="A dictionary of the same text encoders."),
                Edits.Input("edits", tooltip="From Concept Edit."),
            ],
            outputs=[
                io.Conditioning.Output(display_name="conditioning", tooltip="The edited prompt, for the sampler."),
                io.String.Output(display_name="report", tooltip="What was found in the prompt, and what was changed."),
            ],
        )

    @classmethod
    def execute(cls, conditioning, dictionary, edits) -> io.NodeOutput:
        edited, report = conditionings.edit(conditioning, dictionary, edits)
        comfy_host.say(report)
        return io.NodeOutput(edited, report)


NODES = [Edit, ApplyToConditioning]
