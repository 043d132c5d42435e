"""Run a capture: of prompts alone, or of what the blocks of a model make of them as well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ...supsae_core.capture.captures import Capture, takes_capture
from ...supsae_core.capture.plan import TextPlan
from ...supsae_core.encoders import sites
from ...supsae_core.encoders.streams import IMAGE
from ...supsae_core.table.concepts import ConceptTable
from ...training import capture, recording
from ...training.capture import CaptureConfig
from ...training.recording import SamplingConfig
from . import folders, messages
from .capture_progress import Watch, encoding_progress, sampling_progress
from .recording import ComfyPictures
from .text import ComfyText

RECORDS = PROMPTS, BLOCKS = "prompts", "prompts and blocks"
"""What is recorded."""
IMAGES = ("mean", *(one for one in IMAGE if one != "mean"))
"""What becomes of the picture's tokens; the first is the usual one."""
BATCH = 8
"""Prompts between two moves of the progress bar."""


class Captured(NamedTuple):
    """What a run came to."""

    capture: Capture
    shown: dict[str, Any]
    """the ``ui`` of the node's output"""


def run_capture(
    host: ComfyText, table: ConceptTable, name: str, config: CaptureConfig, form: Mapping[str, Any]
) -> Captured:
    """Run a capture, or go on with one of the same name and settings; ``form`` is ``record`` of the node.

    Raises:
        ValueError: if something does not fit, in a sentence.
    """
    if form["record"] == PROMPTS:
        plan = capture.plan_text(table, host, config, host.wording, progress=messages.progress())
        watch = _watch(name, plan, "prompts,")
        made = capture.capture_text(host, watch.folder, plan, progress=encoding_progress(watch), batch=BATCH)
        return Captured(made, watch.finished())
    pictures = ComfyPictures(form["model"], host)
    how, drawn = sampling_config(form), messages.progress()
    plan = recording.plan_activations(table, host, pictures, config, how, host.wording, progress=drawn)
    watch = _watch(name, plan, f"pictures of {form['steps']} steps, at most")
    encoded, sampled = encoding_progress(watch), sampling_progress(watch, form["model"])
    made = recording.capture_activations(host, pictures, watch.folder, plan, encoded=encoded, sampled=sampled)
    return Captured(made, watch.finished())


def _watch(name: str, plan: TextPlan, what: str) -> Watch:
    folder = folders.free_capture_folder(name, lambda one: takes_capture(one, plan))
    watch = Watch(folder, plan)
    messages.log(f"{len(plan.entries)} {what} {watch.need / 1e6:.0f} MB in {folder}")
    return watch


def sampling_config(form: Mapping[str, Any]) -> SamplingConfig:
    """Return how pictures are sampled, as a form says.

    Raises:
        ValueError: if a site does not exist, or the form speaks of the picture's tokens and no site is theirs.
    """
    chosen, image = sites.parse_sites(form["sites"]), form["image"]
    if image != IMAGES[0] and not any(site.kind == "img" for site in chosen):
        raise ValueError(
            f"image is {image!r}, and no site is of the picture's tokens, so that would do nothing. Set image to "
            f"{IMAGES[0]!r}, or add a site such as img@2."
        )
    names = ("steps", "cfg", "width", "height", "image")
    return SamplingConfig(chosen, *(form[name] for name in names))
