"""Judge a dictionary without a reader: any table, any model that there is a text host for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...hosts import choose
from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.host import Progress, TextHost
from ..results import Hooks, Results, gathered
from .cases import TextConfig
from .metrics import text_section

if TYPE_CHECKING:  # diffusers takes seconds to import
    from ...hosts.diffusers.pictures import PictureConfig
    from .proxies import Judges


def open_model(folder: Path, clip: Path | None, config: PictureConfig) -> tuple[TextHost, Judges | None]:
    """Load a model's text encoders; if CLIP is to judge pictures, the whole model and its judge.

    Args:
        clip: folder of a CLIP model in transformers' layout, or None for no pictures.

    Raises:
        ValueError: if one of them cannot be loaded.
    """
    if clip is None:
        return choose.text_host(folder), None
    from ...hosts.diffusers.clip import Clip  # diffusers and transformers take seconds to import
    from ...hosts.diffusers.text import DiffusersText, load_pipeline
    from .proxies import Judges

    judge = Clip(clip)
    host = DiffusersText(load_pipeline(folder))
    return host, Judges(host, judge, config)


def cost(config: TextConfig, judges: Judges | None) -> str:
    """Return what a run encodes and draws, a sentence."""
    drawn = ""
    if judges:
        own = judges.config
        drawn = f", and draws {3 * own.cases} pictures of {own.width} x {own.height} in {own.steps} steps each"
    return f"This encodes {2 * config.prompts} prompts{drawn}."


def run_text(
    dictionary: Dictionary, host: TextHost, config: TextConfig, hooks: Hooks, judges: Judges | None = None
) -> Results:
    """Judge a dictionary by its text encoders alone and, with judges, by pictures that nobody reads.

    Args:
        dictionary: fitted to the host's encoders.
        host: of the encoders; two prompts a case are encoded.
        config: what to draw; one seed gives one result.
        judges: of pictures, of the same model.

    Raises:
        ValueError: if the dictionary is of another model, or its prompts have no room in it.
    """
    hooks.say(cost(config, judges))
    sections = {"text": text_section(dictionary, host, config, progress=_onto(hooks, "text", config.prompts))}
    if judges:
        from .proxies import proxy_section

        steps = 3 * judges.config.cases * judges.config.steps
        told = _onto(hooks, "pictures", steps)
        sections["proxies"] = proxy_section(dictionary, judges, config, progress=told)
    settings = {"prompts": config.prompts, "seed": config.seed, "mention": config.mention}
    return gathered(dictionary, settings, sections)


def _onto(hooks: Hooks, name: str, total: int) -> Progress:
    """Tell a run's hooks how far a part is."""
    tick, before = hooks.part(name, total), [0]

    def progress(done: int, total: int) -> None:
        tick(done - before[0])
        before[0] = done

    return progress
