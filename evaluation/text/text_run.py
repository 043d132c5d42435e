"""Judge a dictionary without a reader, and write what was found: any table, any SD3 or SD3.5 model."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from ...drawing.codes import cosine_picture
from ...hosts import choose
from ...hosts.diffusers.pictures import PictureConfig
from ...supsae_core.dictionary.file import load_dictionary
from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.host import Progress, TextHost
from ..report import text_report
from . import lpips as perception
from . import proxies as proxy
from .proxies import Judges, Proxies
from .swaps import TextConfig
from .text import TextMetrics, text_metrics

SCHEMA = 1
"""Version of ``results.json``."""
Stages = Callable[[str, int, int], None]
"""(what is done, how much of it, of how much); may raise to interrupt."""


class TextResults(NamedTuple):
    """What was found and written."""

    metrics: TextMetrics
    proxies: Proxies | None
    files: Mapping[str, Path]


def open_model(
    folder: Path, clip: Path | None, lpips: Path | None, config: PictureConfig
) -> tuple[TextHost, Judges | None]:
    """Load a model's text encoders; if CLIP is to judge pictures, the whole model and its judges.

    Args:
        folder: of the model in diffusers' layout.
        clip: folder of a CLIP model in transformers' layout, or None for no pictures.
        lpips: file of LPIPS weights, or None to leave LPIPS out.
        config: how pictures are drawn.

    Raises:
        ValueError: if one of them cannot be loaded, or there is LPIPS without CLIP.
    """
    if clip is None and lpips is not None:
        raise ValueError("LPIPS looks at pictures, which are drawn only when a CLIP model is named too. Name one.")
    if clip is None:
        return choose.text_host(folder), None
    from ...hosts.diffusers.clip import Clip  # diffusers and transformers take seconds to import
    from ...hosts.diffusers.text import DiffusersText, load_pipeline

    judge = Clip(clip)
    weights = None if lpips is None else perception.load(lpips, judge.device)
    host = DiffusersText(load_pipeline(folder))
    return host, Judges(host, judge, weights, config)


def cost(config: TextConfig, judges: Judges | None) -> str:
    """Return what a run encodes and draws, a sentence."""
    drawn = ""
    if judges:
        own = judges.config
        drawn = f", and draws {3 * own.cases} pictures of {own.width} x {own.height} in {own.steps} steps each"
    return f"This encodes {2 * config.prompts} prompts{drawn}."


def run_text(
    dictionary: Dictionary | Path,
    host: TextHost,
    out: Path,
    config: TextConfig,
    *,
    judges: Judges | None = None,
    progress: Stages | None = None,
) -> TextResults:
    """Judge a dictionary by its text encoders alone and, with judges, by pictures that nobody reads.

    Args:
        dictionary: or its file.
        host: of the encoders it was fitted to.
        out: folder for ``results.json``, ``report.html`` and ``cosines.png``, and ``pictures.jpg`` with judges.
        config: what to draw; one seed gives one ``results.json``.
        judges: of pictures, of the same model.
        progress: told what is done.

    Raises:
        ValueError: if the dictionary is of another model, or its prompts have no room in it.
    """
    learnt = load_dictionary(dictionary) if isinstance(dictionary, Path) else dictionary
    metrics = text_metrics(learnt, host, config, progress=_of("swaps", progress))
    found = proxy.measure(learnt, judges, config, progress=_of("pictures", progress)) if judges else None
    return TextResults(metrics, found, write(metrics, found, out))


def write(metrics: TextMetrics, proxies: Proxies | None, out: Path) -> dict[str, Path]:
    """Write what was found; return where."""
    out.mkdir(parents=True, exist_ok=True)
    files = {"results": out / "results.json", "report": out / "report.html", "cosines": out / "cosines.png"}
    made = {"schema_version": SCHEMA, "kind": "text", **metrics.json()}
    if proxies:
        made["proxies"] = proxies.json()
        files["pictures"] = out / "pictures.jpg"
        text_report.contact_sheet(proxies).save(files["pictures"], quality=92)
    files["results"].write_text(
        json.dumps(made, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8"
    )
    files["report"].write_text(text_report.page(metrics, proxies), encoding="utf-8")
    cosine_picture(metrics.dictionary).save(files["cosines"])
    return files


def _of(what: str, progress: Stages | None) -> Progress | None:
    return None if progress is None else lambda done, total: progress(what, done, total)
