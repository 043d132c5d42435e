"""Quick Concept: two poles learnt at once with ComfyUI's own text encoders, and what is honest to say of them."""

from __future__ import annotations

from typing import NamedTuple

from ...supsae_core.dictionary.model import Dictionary
from ...training.quick import CALIBRATION, learn_quick, plan_quick, quick_table, with_others
from . import messages, spelling
from .text import ComfyText

WELL = 0.9
"""Share of calibration prompts that the poles should be found again in."""

BESIDE = "Its 'other things' are there so that the two are told from the rest of a prompt: leave them alone."
GUESS = (
    "This is a quick guess: no picture was looked at. Where the words are not found in a prompt, an edit adds the new "
    "ones beside them; Concept Mixer shows what it finds. Concept Table, Capture and Fit Dictionary learn it better."
)


class QuickLearnt(NamedTuple):
    """A dictionary of two poles."""

    dictionary: Dictionary
    report: str


def learn(host: ComfyText, low: str, high: str, pairs: int) -> QuickLearnt:
    """Learn two poles from so many pairs of prompts.

    Raises:
        ValueError: if the poles cannot be one slider, in a sentence.
    """
    plan = plan_quick(with_others(quick_table(low, high), host.wording), host, pairs, host.wording)
    messages.log(f"{len(plan.entries)} prompts are encoded for a slider from {low!r} to {high!r}")
    dictionary = learn_quick(plan, host, progress=messages.progress())
    return QuickLearnt(dictionary, told(dictionary, pairs, len(plan.entries)))


def told(dictionary: Dictionary, pairs: int, encodings: int) -> str:
    """Return what was learnt from how little, line by line."""
    low, high = map(str, dictionary.table.concepts[:2])
    found, edits = float(dictionary.report["locate"]), dictionary.report["edits"]
    took, count = int(round(edits["took"] * edits["count"])), int(edits["count"])
    lines = [
        f"slider from {low} to {high}",
        f"learnt from {encodings:d} encodings: {pairs:d} pairs of prompts, and {CALIBRATION:d} to calibrate on",
        f"found again in {found:.0%} of the calibration prompts; {took:d} of {count:d} edits of them read as asked",
    ]
    if found < WELL:
        lines.append("That is little: raise pairs, or word the poles otherwise.")
    unknown = spelling.unknown_concepts(dictionary).items()
    lines += [f"{name}: {why}" for name, why in unknown if name in (low, high)]
    lines += [BESIDE, GUESS] if len(dictionary.table) > 2 else [GUESS]
    return "\n".join(lines)
