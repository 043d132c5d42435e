"""Apply to Model: edits inside the model, at chosen blocks, noise levels and places of the picture."""

from __future__ import annotations

from comfy_api.latest import io

from ..hosts.comfyui import comfy_model, steering
from ..supsae_core.editing import steer
from ..supsae_core.editing.steer import Where
from ..supsae_core.editing.windows import Window
from ..supsae_core.encoders import sites as core_sites
from .sockets import CATEGORY, Dictionary, Edits

PROMPTS = {"positive": False, "positive and negative": True}
"""Which prompts are edited → ``Where.everywhere``."""
STAY = {"to the last block": False, "in the chosen blocks": True}
"""How far an edit of a stream reaches → ``Where.inside``."""


class ApplyToModel(io.ComfyNode):
    """Apply to Model."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        percent = {"min": 0.0, "max": 1.0, "step": 0.01}
        return io.Schema(
            node_id="SupSAE_ApplyToModel",
            display_name="Apply to Model",
            category=CATEGORY,
            description="Make the edits while the model draws: whatever the prompt's wording and source, for a part of "
            "sampling, in chosen blocks. Put it between the model loader and the sampler.",
            search_aliases=["supsae steer", "concept slider", "intervene", "block edit"],
            inputs=[
                io.Model.Input("model", tooltip="A model of the SD3 family: Stable Diffusion 3, 3.5, or Portraits."),
                Dictionary.Input("dictionary", tooltip="A dictionary of the text encoders that the prompt comes from."),
                Edits.Input("edits", tooltip="From Concept Edit."),
                io.String.Input(
                    "sites",
                    default="cond, pooled",
                    tooltip="Where the edit is made. cond: the prompt's rows. pooled: its one vector. txt@0-5: the "
                    "text in blocks 0 to 5, instead of cond. img@3: the picture's own tokens entering block 3. Blocks "
                    "after 0 and img need a dictionary fitted on Capture Activations.",
                ),
                io.Float.Input(
                    "start", default=0.0, **percent,
                    tooltip="Share of sampling after which the edit begins. Later starts keep the picture's layout.",
                ),
                io.Float.Input(
                    "end", default=1.0, **percent, tooltip="Share of sampling at which the edit ends."
                ),
                io.Float.Input(
                    "ramp", default=0.0, **percent,
                    tooltip="Share of sampling over which the edit fades in and out; 0 switches it.",
                ),
                io.Combo.Input(
                    "prompts", options=list(PROMPTS), default="positive",
                    tooltip="Which prompts to edit. The negative one is edited only where it mentions the category.",
                ),
                io.Combo.Input(
                    "reach", options=list(STAY), default="to the last block",
                    tooltip="For txt and img: an edit stays in the stream to the last block, or is taken out again "
                    "behind the chosen blocks. The first chosen block is where it is put in.",
                ),
                io.Mask.Input(
                    "mask", optional=True,
                    tooltip="For img: the places of the picture that may change, e.g. from Concept Map. Prompt edits "
                    "(cond, pooled, txt) have no place; use Lock to hold the rest of the picture.",
                ),
            ],
            outputs=[io.Model.Output(display_name="model", tooltip="For the sampler.")],
        )  # fmt: skip

    @classmethod
    def execute(cls, model, dictionary, edits, sites, start, end, ramp, prompts, reach, mask=None) -> io.NodeOutput:
        chosen = core_sites.parse(sites)
        core_sites.check(chosen, comfy_model.depth(model))
        where = Where(chosen, Window(start, end, ramp), PROMPTS[prompts], STAY[reach])
        steer.check(dictionary, where, mask is not None)
        one = steering.Steering(dictionary, tuple(edits), where, steering.mask_of(mask))
        return io.NodeOutput(steering.apply_to_model(model, one))


NODES = [ApplyToModel]
