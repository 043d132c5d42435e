"""Concept Mixer: a row per category, for a conditioning or a model; the everyday edit in one node."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from comfy_api.latest import io

from ..hosts.comfyui import comfy_host, comfy_model, conditionings, steering
from ..hosts.comfyui.conditionings import Conditioning
from ..supsae_core.dictionary.model import Dictionary
from ..supsae_core.editing import edits as core
from ..supsae_core.editing import mix as mixes
from ..supsae_core.editing.mix import Mix
from ..supsae_core.editing.mix_report import Prompt, lost, mix_report
from ..supsae_core.editing.steer import Where
from .sockets import CATEGORY, SHOWN_AGAIN
from .sockets import Dictionary as DictionarySocket

EVENT = "supsae.mixer"
"""Sent while sampling, for only then is known what the prompt says: {"node": its id, "output": the panel's JSON}."""
PANEL = "supsae_mixer"
"""Key of the panel's JSON among what a run shows."""


class ConceptMixer(io.ComfyNode):
    """Concept Mixer."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SupSAE_ConceptMixer",
            display_name="Concept Mixer",
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
                io.Conditioning.Input(
                    "conditioning",
                    optional=True,
                    tooltip="An encoded prompt, from CLIP Text Encode (Prompt). Connect this or a model, not both.",
                ),
                io.Model.Input(
                    "model",
                    optional=True,
                    tooltip="A model of the SD3 family: the edit is then made while it draws, on whatever positive "
                    "prompt the sampler gets. Connect this or a conditioning, not both.",
                ),
            ],
            outputs=[
                io.Conditioning.Output(
                    display_name="conditioning", tooltip="The edited prompt, if one is connected; for the sampler."
                ),
                io.Model.Output(
                    display_name="model", tooltip="The model that makes the edit, if one is connected; for the sampler."
                ),
                io.String.Output(
                    display_name="report",
                    tooltip="What was found in the prompt, what was changed, and whether what is kept still reads the "
                    "same.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
            **SHOWN_AGAIN,
        )

    @classmethod
    def execute(cls, dictionary, mix, conditioning=None, model=None) -> io.NodeOutput:
        require_one(conditioning, model)
        wanted, tell = mixes.parse(mix), teller(cls.hidden.unique_id)
        check(dictionary, wanted, tell)
        if model is None:
            made = mix_conditioning(conditioning, dictionary, wanted)
            outputs = made.output, comfy_host.blocked(ONE_ONLY.format(has="conditioning", lacks="model"))
        else:
            made = mix_model(model, dictionary, wanted, tell)
            outputs = comfy_host.blocked(ONE_ONLY.format(has="model", lacks="conditioning")), made.output
        return io.NodeOutput(*outputs, made.report, ui={PANEL: [made.panel]})


class Mixed(NamedTuple):
    """What a run of the node made."""

    output: Any
    """CONDITIONING or MODEL"""
    report: str
    panel: dict[str, Any]


def require_one(conditioning: object, model: object) -> None:
    """Refuse both or neither.

    Raises:
        ValueError: saying which.
    """
    if conditioning is not None and model is not None:
        raise ValueError(
            "Concept Mixer is connected to a conditioning and to a model, so the edit would be made twice. Disconnect "
            "one of them."
        )
    if conditioning is None and model is None:
        raise ValueError(
            "Concept Mixer has nothing to change. Connect a conditioning (from CLIP Text Encode) or a model."
        )


def check(dictionary: Dictionary, mix: Mix, tell: Callable[[dict[str, Any]], None]) -> None:
    """Refuse what a dictionary does not know; the panel is told what it does know, so that it can be mended there."""
    try:
        mixes.check(dictionary, mix)
    except ValueError as error:
        tell(panel_of(dictionary, mix, (), str(error)))
        raise


def mix_conditioning(conditioning: Conditioning, dictionary: Dictionary, mix: Mix) -> Mixed:
    """Edit a list and read it again; what nothing changes is passed on as it is."""
    made = conditionings.edit_places(conditioning, dictionary, mixes.edits(mix))
    prompts = []
    for place, changes in zip(made.places, made.changes, strict=True):
        rows = made.conditioning[place.entry][0][place.row]
        after = conditionings.said_after(dictionary, rows, place, changes)
        prompts.append(Prompt(conditionings.title(place) if len(made.places) > 1 else "", place.said, after))
    panel = panel_of(dictionary, mix, prompts, made.report)
    return Mixed(made.conditioning, panel["report"], panel)


def mix_model(model: Any, dictionary: Dictionary, mix: Mix, tell: Callable[[dict[str, Any]], None]) -> Mixed:
    """Return a clone of a MODEL that makes the edits, and calls ``tell`` with the panel's JSON when it samples."""
    comfy_model.require_sd3(model)
    edits = mixes.edits(mix)

    def told(prompts: Sequence[Prompt], report: str) -> None:
        tell(panel_of(dictionary, mix, prompts, report))

    one = steering.Steering(dictionary, edits, Where(), told=(told,))
    report = f"While the model draws: {', '.join(core.spelled(edit) for edit in edits) or 'nothing to change'}."
    return Mixed(steering.apply_to_model(model, one), report, panel_of(dictionary, mix, (), report))


def panel_of(dictionary: Dictionary, mix: Mix, prompts: Sequence[Prompt], report: str) -> dict[str, Any]:
    """Return the panel's JSON; the report also says what did not hold."""
    moved = [f"{name} was to be kept, but reads differently after the edit." for name in lost(dictionary, mix, prompts)]
    return mix_report(dictionary, mix, prompts, "\n".join([report, *moved]))


def teller(node: str) -> Callable[[dict[str, Any]], None]:
    """Return what sends the panel of a node to the browser."""
    return lambda panel: comfy_host.send(EVENT, {"node": node, "output": panel})


ONE_ONLY = (
    "Concept Mixer has a {has} connected and no {lacks}, so its {lacks} output is empty. Use its {has} output here, or "
    "connect a {lacks} to it instead."
)
"""What a node says that is wired to the other output."""

NODES = [ConceptMixer]
