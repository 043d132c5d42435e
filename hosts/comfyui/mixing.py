"""Make a mix of edits in a conditioning or a model, and tell the mixer's panel what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.editing import mix
from ...supsae_core.editing.mix import Mix
from ...supsae_core.editing.mix_report import MixedPrompt, lost, mix_report
from ...supsae_core.editing.steer import Where
from . import conditionings, edit_reports, messages, steering, transformer
from .applying import announced
from .conditionings import Conditioning
from .steering_run import Steering

EVENT = "supsae.mixer"
"""Sent while sampling, for only then is known what the prompt says: {"node": its id, "output": the panel's JSON}."""
PANEL = "supsae_mixer"
"""Key of the panel's JSON among what a run shows."""

TellPanel = Callable[[dict[str, Any]], None]
"""Called with the panel's JSON."""


class Mixed(NamedTuple):
    """What a mix made."""

    output: Any
    """CONDITIONING or MODEL"""
    report: str
    panel: dict[str, Any]


def read_mix(text: str, dictionary: Dictionary, tell: TellPanel) -> Mix:
    """Read a mix, and refuse what a dictionary does not know, telling what it does: the panel can be mended by that.

    Raises:
        ValueError: if it is no mix, or of other concepts.
    """
    wanted = mix.parse_mix(text)
    try:
        mix.check_mix(dictionary, wanted)
    except ValueError as error:
        tell(panel_of(dictionary, wanted, (), str(error)))
        raise
    return wanted


def mix_conditioning(conditioning: Conditioning, dictionary: Dictionary, wanted: Mix) -> Mixed:
    """Edit a list and read it again; what nothing changes is passed on as it is."""
    made = conditionings.edit_places(conditioning, dictionary, mix.edits_of_mix(wanted))
    again, total = edit_reports.read_again(dictionary, made.edited), len(made.places)
    told = zip(made.places, again, strict=True)
    prompts = [edit_reports.mixed_prompt(dictionary, place, one, total) for place, one in told]
    report = "\n".join([made.report, *edit_reports.told_again(dictionary, made.places, again, total)])
    panel = panel_of(dictionary, wanted, prompts, report)
    return Mixed(made.conditioning, panel["report"], panel)


def mix_model(model: Any, dictionary: Dictionary, wanted: Mix, tell: TellPanel) -> Mixed:
    """Return a clone of a MODEL that makes the edits, and calls ``tell`` with the panel's JSON when it samples."""
    transformer.require_network(model)
    edits = mix.edits_of_mix(wanted)

    def told(prompts: Sequence[MixedPrompt], report: str) -> None:
        tell(panel_of(dictionary, wanted, prompts, report))

    one, report = Steering(dictionary, edits, Where(), told=(told,)), announced(edits)
    return Mixed(steering.apply_to_model(model, one), report, panel_of(dictionary, wanted, (), report))


def panel_of(dictionary: Dictionary, wanted: Mix, prompts: Sequence[MixedPrompt], report: str) -> dict[str, Any]:
    """Return the panel's JSON; the report also says what did not hold."""
    missing = lost(dictionary, wanted, prompts)
    moved = [f"{name} was to be kept, but reads differently after the edit." for name in missing]
    return mix_report(dictionary, wanted, prompts, "\n".join([report, *moved]))


def panel_teller(node: str) -> TellPanel:
    """Return what sends the panel of a node to the browser."""
    return lambda panel: messages.send(EVENT, {"node": node, "output": panel})
