"""Make a mix of edits in a conditioning or a model, and tell the mixer's panel what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from torch import Tensor

from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.editing import mix
from ...supsae_core.editing.edits import AnyEdit, Keep, aim, spell_edit
from ...supsae_core.editing.mix import KeepRow, Usable
from ...supsae_core.editing.mix_report import MixedPrompt, lost, mix_report
from ...supsae_core.editing.mix_text import parse_mix
from ...supsae_core.editing.steer import Where
from ...supsae_core.editing.when import ALWAYS, When
from ...supsae_core.editing.windows import Window
from ...supsae_core.reading.wording import pieces
from . import conditionings, edit_reports, messages, steering, transformer
from .applying import announced
from .conditionings import Conditioning, Taught
from .in_parts import in_parts
from .negative import Cleared, cleared
from .prompt_text import known_text
from .steering_run import Steering

EVENT = "supsae.mixer"
"""Sent while sampling, for only then is known what the prompt says: {"node": its id, "output": the panel's JSON}."""
PANEL = "supsae_mixer"
"""Key of the panel's JSON among what a run shows."""

NO_MASK = "it is to act inside a mask, and no mask is connected."
NO_PLACE = "it is to act inside a mask; for that connect the conditioning to the mixer, not the model."
"""Why a row is left out."""

TellPanel = Callable[[dict[str, Any]], None]
"""Called with the panel's JSON."""


class Mixed(NamedTuple):
    """What a mix made."""

    output: Any
    """CONDITIONING or MODEL"""
    report: str
    panel: dict[str, Any]
    negative: Conditioning
    """what is left of the negative prompt; empty if none was given"""


def mix_conditioning(
    conditioning: Conditioning, dictionary: Dictionary, text: str, prompt: str | None = None,
    more: Sequence[AnyEdit] = (), mask: Tensor | None = None, negative: Conditioning | None = None,
) -> Mixed:  # fmt: skip
    """Edit a list as a mix says and read it again; what nothing changes is passed on as it is.

    A row that cannot be made is left out, and told.

    Args:
        text: the mix.
        prompt: what was encoded, if it is known.
        more: edits to make as well; they take the place of their categories' rows.
        mask: (B, H, W) or (H, W) in 0 … 1: where rows act that act inside it alone.
        negative: the negative prompt, out of which is taken what the mix asks for.

    Raises:
        ValueError: if the text is no mix, or rows cannot be read.
    """
    wanted = _wanted(dictionary, text, more, NO_MASK if mask is None else "")
    edits = (*mix.edits_of_mix(wanted.mix), *more)
    known = None if prompt is None else known_text(dictionary.family, prompt)
    words, said = mix.taught_by_mix(dictionary, wanted.mix)
    taught = Taught(words, said, known) if words or known is not None else None
    made = conditionings.edit_places(conditioning, dictionary, edits, edits, taught)
    again, total = edit_reports.read_again(dictionary, made.edited), len(made.places)
    pairs = zip(made.places, again, made.idle, strict=True)
    prompts = [edit_reports.mixed_prompt(dictionary, place, one, total, idle) for place, one, idle in pairs]
    if known is not None and total == 1:
        (place,) = made.places
        cond = conditioning[place.entry][0][place.row].float().cpu()
        prompts = [prompts[0]._replace(words=pieces(dictionary, cond, place.reading, known))]
    lines = edit_reports.told_again(dictionary, made.places, again, total)
    wanted = wanted.without(made.left_out)
    able = [one for one in edits if one not in made.left_out]
    opposite = Cleared([], []) if negative is None else cleared(negative, dictionary, able)
    lines += mix.told_whens(dictionary, wanted.mix)
    report = "\n".join([made.report, *lines, *opposite.lines, *_left_out(made.left_out, more)])
    panel = panel_of(dictionary, wanted, prompts, report)
    output, whens = made.conditioning, mix.whens_of_mix(wanted.mix)
    if whens:
        inside = None if mask is None else mask.reshape(-1, *mask.shape[-2:]).float().cpu()
        output = in_parts(conditioning, dictionary, able, whens, inside, taught)
    return Mixed(
        output if wanted.mix.hold else conditionings.free(output), panel["report"], panel, opposite.conditioning
    )


def mix_model(
    model: Any, dictionary: Dictionary, text: str, tell: TellPanel, more: Sequence[AnyEdit] = (),
    negative: Conditioning | None = None,
) -> Mixed:  # fmt: skip
    """Return a clone of a MODEL that makes the edits, and calls ``tell`` with the panel's JSON when it samples.

    Rows that act inside a mask are left out: what a model hears has no place.
    """
    transformer.require_network(model)
    wanted = _wanted(dictionary, text, more, NO_PLACE)
    edits = (*mix.edits_of_mix(wanted.mix), *more)
    opposite = Cleared([], []) if negative is None else cleared(negative, dictionary, edits)

    def told(prompts: Sequence[MixedPrompt], report: str, left_out: Mapping[AnyEdit, str]) -> None:
        able = wanted.without(left_out)
        whens = mix.told_whens(dictionary, able.mix)
        lines = [report, *whens, *opposite.lines, *_left_out(left_out, more)]
        tell(panel_of(dictionary, able, prompts, "\n".join(lines)))

    one = Steering(dictionary, edits, Where(), told=(told,), optional=frozenset(edits), free=not wanted.mix.hold)
    panel = panel_of(dictionary, wanted, (), "\n".join([announced(edits), *opposite.lines]))
    made = model
    for part in _in_time(one, mix.whens_of_mix(wanted.mix)):
        made = steering.apply_to_model(made, part)
    return Mixed(made, panel["report"], panel, opposite.conditioning)


def _in_time(one: Steering, whens: Mapping[AnyEdit, When]) -> list[Steering]:
    """Return a mix's steering itself, or one that tells and one for every window in which edits of it act."""
    if not whens:
        return [one]
    kept = tuple(edit for edit in one.edits if isinstance(edit, Keep))
    windows: dict[Window, list[AnyEdit]] = {}
    for edit in one.edits:
        if not isinstance(edit, Keep):
            windows.setdefault(whens.get(edit, ALWAYS).window, []).append(edit)
    parts = [
        replace(one, edits=(*some, *kept), where=Where(window=window), told=(), tells=False)
        for window, some in windows.items()
    ]
    return [replace(one, acts=False), *parts]


def _wanted(dictionary: Dictionary, text: str, more: Sequence[AnyEdit], no_mask: str) -> Usable:
    """Return the rows that can be made, beside edits that are made as well; ``no_mask`` says why none can be masked.

    Raises:
        ValueError: if the text is no mix, or the dictionary does not know what the edits name.
    """
    wanted = mix.usable_mix(dictionary, parse_mix(text))
    taken = {aim(dictionary.table, one).category: one for one in more}
    left_out = {}
    for category, row in wanted.mix.rows.items():
        meant = aim(dictionary.table, Keep(category)).category
        if meant in taken:
            edit = spell_edit(taken[meant])
            left_out[category] = f"an edit that is connected is made instead: {edit}."
        elif no_mask and not isinstance(row, KeepRow) and row.when.inside:
            left_out[category] = no_mask
    return wanted.without_rows(left_out)


def _left_out(left_out: Mapping[AnyEdit, str], more: Sequence[AnyEdit]) -> list[str]:
    return _lines_on({spell_edit(one): left_out[one] for one in more if one in left_out})


def _lines_on(left_out: Mapping[str, str]) -> list[str]:
    return [f"Left out, {name}: {why}" for name, why in left_out.items()]


def panel_of(dictionary: Dictionary, wanted: Usable, prompts: Sequence[MixedPrompt], report: str) -> dict[str, Any]:
    """Return the panel's JSON; the report also says what did not hold, and what was left out."""
    missing = lost(dictionary, wanted.mix, prompts)
    told = [f"{name} was to be kept, but reads differently after the edit." for name in missing]
    told += _lines_on(wanted.left_out)
    return mix_report(dictionary, wanted, prompts, "\n".join([report, *told]))


def panel_teller(node: str) -> TellPanel:
    """Return what sends the panel of a node to the browser."""
    return lambda panel: messages.send(EVENT, {"node": node, "output": panel})
