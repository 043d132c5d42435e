"""Apply edits to a conditioning, or while a model draws, at the place and time that a node's form names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.editing import steer
from ...supsae_core.editing.edits import AnyEdit, spell_edit
from ...supsae_core.editing.steer import Where
from ...supsae_core.editing.windows import Window
from ...supsae_core.encoders import sites
from . import conditionings, edit_reports, steering, transformer
from .conditionings import Conditioning
from .prompt_text import taught_text
from .steering_run import Steering

WHERES = EVERYWHERE, PART, SITES = "everywhere", "part of sampling", "chosen sites"
"""Where an edit is made: in the whole prompt all the time, for a while, or at sites of the model."""
PROMPTS = {"positive": False, "positive and negative": True}
"""Which prompts are edited → ``Where.everywhere``."""
REACH = {"to the last block": False, "in the chosen blocks": True}
"""How far an edit of a stream reaches → ``Where.inside``."""


def edit_conditioning(
    conditioning: Conditioning, dictionary: Dictionary, edits: Sequence[AnyEdit], form: Mapping[str, Any],
    text: str | None = None,
) -> tuple[Conditioning, str]:  # fmt: skip
    """Return the edited list and a report.

    Args:
        form: ``where`` of the node.
        text: what was encoded, if it is known: some words are only found with it.

    Raises:
        ValueError: if the form asks for what only a model has, or as ``conditionings.edit_places``.
    """
    if form["where"] != EVERYWHERE:
        raise ValueError(
            f"A conditioning has neither steps of sampling nor blocks, so {form['where']!r} would do nothing. Set "
            f"where to {EVERYWHERE!r}, or connect the model instead of the conditioning."
        )
    taught = taught_text(dictionary.family, conditioning, text)
    made = conditionings.edit_places(conditioning, dictionary, edits, taught=taught)
    again = edit_reports.read_again(dictionary, made.edited)
    told = edit_reports.told_beside(dictionary, conditioning, made.places, made.edited)
    told += edit_reports.told_again(dictionary, made.places, again, len(made.places))
    return made.conditioning, "\n".join([made.report, *told])


def edit_model(
    model: Any, dictionary: Dictionary, edits: Sequence[AnyEdit], form: Mapping[str, Any]
) -> tuple[Any, str]:
    """Return a clone of a MODEL that makes the edits, and a report; arguments as of ``edit_conditioning``.

    Raises:
        ValueError: if the model or the dictionary has no such place, or a part of the form would do nothing.
    """
    depth, where, mask = transformer.depth(model), where_of(form), steering.mask_of(form.get("mask"))
    sites.check(where.sites, depth)
    steer.check_sites(dictionary, where, mask is not None)
    return steering.apply_to_model(model, Steering(dictionary, tuple(edits), where, mask)), announced(edits)


def announced(edits: Sequence[AnyEdit]) -> str:
    """Say what a model will do: what the prompt says is known only when it samples."""
    return f"While the model draws: {', '.join(spell_edit(edit) for edit in edits) or 'nothing to change'}."


def where_of(form: Mapping[str, Any]) -> Where:
    """Return place and time of a form.

    Raises:
        ValueError: naming the field that would do nothing at the chosen sites, or a site that does not exist.
    """
    if form["where"] == EVERYWHERE:
        return Where()
    window, everywhere = Window(form["start"], form["end"], form["ramp"]), PROMPTS[form["prompts"]]
    if form["where"] == PART:
        return Where(window=window, everywhere=everywhere)
    chosen, inside = sites.parse_sites(form["sites"]), REACH[form["reach"]]
    if inside and not any(site.block is not None for site in chosen):
        raise ValueError(
            f"{', '.join(map(str, chosen))}: these sites have no blocks to take the edit out of again. Set reach to "
            f"{next(iter(REACH))!r}, or choose blocks such as txt@0-5."
        )
    blind = [str(site) for site in chosen if site.kind != "img"]
    if blind and form.get("mask") is not None:
        raise ValueError(
            f"The mask says where in the picture, and {', '.join(blind)} has no place in it: words speak of the whole. "
            "Disconnect the mask, choose img sites alone, or hold the rest of the picture with Lock."
        )
    return Where(chosen, window, everywhere, inside)
