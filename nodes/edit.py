"""Edits: say what to change, and change it, in a conditioning or while a model draws."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..hosts.comfyui import applying, either, messages
from ..hosts.comfyui.applying import EVERYWHERE, PART, PROMPTS, REACH, SITES, WHERES
from ..hosts.comfyui.forms import require_choice
from ..supsae_core.editing.edits import ACTIONS, EDITS, STRENGTHS, make_edit
from .either_inputs import either_inputs, either_outputs
from .node import ASKS_FOR_TEXT, Node
from .reports import told
from .sockets import CATEGORY, DictionarySocket, EditsSocket


class ConceptEditNode(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        low, high = STRENGTHS
        return io.Schema(
            node_id="SupSAE_ConceptEdit",
            display_name="Concept Edit",
            category=CATEGORY,
            description="Say one change. Chain several: together they are one change, at most one for each category.",
            search_aliases=["supsae slider", "concept slider", "swap", "add", "remove"],
            inputs=[
                io.Combo.Input(
                    "action", options=list(ACTIONS), default="swap",
                    tooltip=" ".join(f"{action}: {EDITS[edit].help}" for action, edit in ACTIONS.items()),
                ),
                io.String.Input(
                    "concept", default="hair: red",
                    tooltip="category: concept, as in the concept table. It is checked when the workflow runs; the "
                    "error then names the nearest ones.",
                ),
                io.Float.Input(
                    "strength", default=1.0, min=low, max=high, step=0.05, display_mode=io.NumberDisplay.slider,
                    tooltip="1 is what writing the words would do. 0 changes nothing at all (with scale it is 1 "
                    "that does). Between 0 and 1 lies a mixture; far outside pictures may break.",
                ),
                EditsSocket.Input("edits", optional=True, tooltip="Edits to make as well, from another Concept Edit."),
                io.Int.Input(
                    "occurrence", default=0, min=0, max=99, optional=True,
                    tooltip="Where a prompt speaks of the category several times, as of two people: which mention to "
                    "change, the first being 1. 0 changes every one.",
                ),
            ],
            outputs=[EditsSocket.Output(display_name="edits", tooltip="For Apply Edits, or a further Concept Edit.")],
        )  # fmt: skip

    @classmethod
    def execute(cls, action, concept, strength, edits=(), occurrence=0) -> io.NodeOutput:
        return io.NodeOutput((*(edits or ()), make_edit(action, concept, strength, occurrence)))


class ApplyEditsNode(Node):
    NAME = "Apply Edits"

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SupSAE_ApplyEdits",
            display_name=cls.NAME,
            category=CATEGORY,
            description="Change what an encoded prompt says, without touching its text: put it between CLIP Text "
            "Encode and the sampler's positive input. Or make the edits while the model draws, also for a part of "
            "sampling or in chosen blocks: put it between the model loader and the sampler. Keep the seed.",
            search_aliases=["supsae apply", "edit prompt", "steer", "concept slider", "intervene", "block edit"],
            inputs=[
                DictionarySocket.Input(
                    "dictionary", tooltip="A dictionary of the text encoders that the prompt comes from."
                ),
                EditsSocket.Input("edits", tooltip="From Concept Edit."),
                *either_inputs("prompt"),
                io.DynamicCombo.Input(
                    "where",
                    options=[
                        io.DynamicCombo.Option(EVERYWHERE, []),
                        io.DynamicCombo.Option(PART, window_inputs()),
                        io.DynamicCombo.Option(SITES, [*site_inputs(), *window_inputs(), mask_input()]),
                    ],
                    tooltip="everywhere: in the whole prompt, all the time; the only choice for a conditioning. part "
                    "of sampling: in some of the steps. chosen sites: in chosen blocks, or in the picture's own tokens "
                    "and there inside a mask.",
                ),
            ],
            outputs=either_outputs("What was found in the prompt and changed; with a model, what it will change."),
            hidden=ASKS_FOR_TEXT,
        )

    @classmethod
    def execute(cls, dictionary, edits, where=None, conditioning=None, model=None) -> io.NodeOutput:
        form = require_choice("where", where, WHERES)
        either.require_one(cls.NAME, conditioning, model)
        if conditioning is not None:
            made, report = applying.edit_conditioning(conditioning, dictionary, edits, form, cls.text_before())
            outputs = either.outputs(cls.NAME, conditioning=made)
        else:
            made, report = applying.edit_model(model, dictionary, edits, form)
            outputs = either.outputs(cls.NAME, model=made)
        messages.log(report)
        return io.NodeOutput(*outputs, report, ui=told(report))


def window_inputs() -> list[Any]:
    """Return what says when, and in which prompts."""
    percent = {"min": 0.0, "max": 1.0, "step": 0.01}
    return [
        io.Float.Input(
            "start", default=0.0, **percent,
            tooltip="Share of sampling after which the edit begins. Later starts keep the picture's layout.",
        ),
        io.Float.Input("end", default=1.0, **percent, tooltip="Share of sampling at which the edit ends."),
        io.Float.Input(
            "ramp", default=0.0, **percent,
            tooltip="Share of sampling over which the edit fades in and out; 0 switches it.",
        ),
        io.Combo.Input(
            "prompts", options=list(PROMPTS), default="positive",
            tooltip="Which prompts to edit. The negative one is edited only where it mentions the category.",
        ),
    ]  # fmt: skip


def site_inputs() -> list[Any]:
    """Return what says where in the model."""
    return [
        io.String.Input(
            "sites", default="txt@0-2, pooled",
            tooltip="Where the edit is made. cond: the prompt's rows. pooled: its one vector. txt@0-5: the text in "
            "blocks 0 to 5, instead of cond. img@3: the picture's own tokens entering block 3, which needs a "
            "dictionary fitted on a Capture of prompts and blocks.",
        ),
        io.Combo.Input(
            "reach", options=list(REACH), default="to the last block",
            tooltip="For txt and img: an edit stays in the stream to the last block, or is taken out again behind the "
            "chosen blocks. The first chosen block is where it is put in.",
        ),
    ]  # fmt: skip


def mask_input() -> Any:
    """Return what says where in the picture."""
    return io.Mask.Input(
        "mask", optional=True,
        tooltip="For img sites alone: the places of the picture that may change, e.g. from Concept Map. Words (cond, "
        "pooled, txt) have no place, so with them a mask is refused; use Lock to hold the rest of the picture.",
    )  # fmt: skip


NODES = [ConceptEditNode, ApplyEditsNode]
