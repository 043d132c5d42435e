"""Make a mix of edits in a conditioning or a model, and tell the mixer's panel what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.editing import mix
from ...supsae_core.editing.edits import AnyEdit
from ...supsae_core.editing.mix import Usable
from ...supsae_core.editing.mix_report import MixedPrompt, lost, mix_report
from ...supsae_core.editing.mix_text import parse_mix
from ...supsae_core.editing.steer import Where
from ...supsae_core.reading.wording import pieces
from . import conditionings, edit_reports, messages, steering, transformer
from .applying import announced
from .conditionings import Conditioning, Taught
from .prompt_text import known_text
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


def mix_conditioning(conditioning: Conditioning, dictionary: Dictionary, text: str, prompt: str | None = None) -> Mixed:
    """Edit a list as a mix says and read it again; what nothing changes is passed on as it is.

    A row that cannot be made is left out, and told.

    Args:
        text: the mix.
        prompt: what was encoded, if it is known.

    Raises:
        ValueError: if the text is no mix, or rows cannot be read.
    """
    wanted = mix.usable_mix(dictionary, parse_mix(text))
    edits = mix.edits_of_mix(wanted.mix)
    known = None if prompt is None else known_text(dictionary.family, prompt)
    words, said = mix.taught_by_mix(dictionary, wanted.mix)
    taught = Taught(words, said, known) if words or known is not None else None
    made = conditionings.edit_places(conditioning, dictionary, edits, edits, taught)
    again, total = edit_reports.read_again(dictionary, made.edited), len(made.places)
    told = zip(made.places, again, strict=True)
    prompts = [edit_reports.mixed_prompt(dictionary, place, one, total) for place, one in told]
    if known is not None and total == 1:
        (place,) = made.places
        cond = conditioning[place.entry][0][place.row].float().cpu()
        prompts = [prompts[0]._replace(words=pieces(dictionary, cond, place.reading, known))]
    report = "\n".join([made.report, *edit_reports.told_again(dictionary, made.places, again, total)])
    panel = panel_of(dictionary, wanted.without(made.left_out), prompts, report)
    output = made.conditioning if wanted.mix.hold else conditionings.free(made.conditioning)
    return Mixed(output, panel["report"], panel)


def mix_model(model: Any, dictionary: Dictionary, text: str, tell: TellPanel) -> Mixed:
    """Return a clone of a MODEL that makes the edits, and calls ``tell`` with the panel's JSON when it samples."""
    transformer.require_network(model)
    wanted = mix.usable_mix(dictionary, parse_mix(text))
    edits = mix.edits_of_mix(wanted.mix)

    def told(prompts: Sequence[MixedPrompt], report: str, left_out: Mapping[AnyEdit, str]) -> None:
        tell(panel_of(dictionary, wanted.without(left_out), prompts, report))

    one = Steering(dictionary, edits, Where(), told=(told,), optional=frozenset(edits), free=not wanted.mix.hold)
    panel = panel_of(dictionary, wanted, (), announced(edits))
    return Mixed(steering.apply_to_model(model, one), panel["report"], panel)


def panel_of(dictionary: Dictionary, wanted: Usable, prompts: Sequence[MixedPrompt], report: str) -> dict[str, Any]:
    """Return the panel's JSON; the report also says what did not hold, and what was left out."""
    missing = lost(dictionary, wanted.mix, prompts)
    told = [f"{name} was to be kept, but reads differently after the edit." for name in missing]
    told += [f"Left out, {name}: {why}" for name, why in wanted.left_out.items()]
    return mix_report(dictionary, wanted, prompts, "\n".join([report, *told]))


def panel_teller(node: str) -> TellPanel:
    """Return what sends the panel of a node to the browser."""
    return lambda panel: messages.send(EVENT, {"node": node, "output": panel})
