"""Evaluate Dictionary: what a dictionary is worth, counted on portraits or, without a picture, on its encoders."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from comfy_api.latest import io, ui
from PIL import Image

from ..evaluation.pictures.methods import baselines
from ..evaluation.pictures.parts import PARTS, SIZES, Size
from ..evaluation.pictures.run import EvalConfig, run, steps_before
from ..evaluation.report.files import summary, write
from ..evaluation.report.panel import evaluation_panel
from ..evaluation.results import Hooks, Results, content_hash
from ..evaluation.text.cases import TextConfig
from ..evaluation.text.run import run_text
from ..hosts.comfyui import folders, messages, sampling
from ..hosts.comfyui.pictures import to_image
from ..hosts.comfyui.studio import Models, comfy_renderer, require_portraits
from ..hosts.comfyui.text import ComfyText
from ..supsae_core.dictionary.model import Dictionary
from ..supsae_core.host import check_host
from .node import Node
from .reports import shown
from .sockets import RESEARCH, DictionarySocket

SECONDS = 0.35
"""A portrait on one core takes about that long; for the tooltip."""
ELSEWHERE = (
    "No picture was drawn: only of Portraits' pictures is it known what they show. The figures are about what the "
    "dictionary makes of the text encoders' output."
)
UNCONNECTED = "No picture was drawn: connect model and vae to have pictures judged, too."


class EvaluateDictionaryNode(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SupSAE_EvaluateDictionary",
            display_name="Evaluate Dictionary",
            category=RESEARCH,
            is_output_node=True,
            description="Count how often edits by a dictionary do what they should and nothing else, beside writing "
            "the prompt anew. With Portraits on pictures, whose truth is known; with SD3.5 on the text alone. It can "
            "be stopped at any time and goes on where it stopped.",
            search_aliases=["supsae eval", "benchmark", "score", "judge", "quality", "test dictionary"],
            inputs=inputs(),
            outputs=[
                io.String.Output(
                    display_name="report", tooltip="The key figures, and where the whole report and its pictures lie."
                ),
                io.Image.Output(display_name="plot", tooltip="The figures that matter most, as a picture."),
            ],
        )

    @classmethod
    def execute(cls, clip, dictionary, size, seed, model=None, vae=None) -> io.NodeOutput:
        found = evaluate(dictionary, clip, model, vae, EvalConfig(size, seed))
        plot = to_image(found.plot)
        return io.NodeOutput(found.report, plot, ui=shown(found.panel, ui.PreviewImage(plot, cls=cls)))


def inputs() -> list[Any]:
    """Return the node's inputs."""
    taken = "; ".join(f"{name}: {most(size)} pictures at most, about {minutes(size)}" for name, size in SIZES.items())
    return [
        io.Clip.Input("clip", tooltip="The text encoders that the dictionary was learnt from."),
        DictionarySocket.Input("dictionary", tooltip="The dictionary to judge."),
        io.Combo.Input(
            "size", options=list(SIZES), default="quick",
            tooltip=f"How much is asked, and how sure the answer is. On a CPU {taken}. All but quick also learn what "
            "others would use instead, on the same prompts, and judge it beside the dictionary.",
        ),
        io.Int.Input(
            "seed", default=EvalConfig().seed, min=0, max=2**32 - 1,
            control_after_generate=False,  # a new seed after every run would draw everything again
            tooltip="Of all prompts and pictures. The same seed asks the same questions.",
        ),
        io.Model.Input(
            "model", optional=True,
            tooltip="supsae_portraits_mmdit from Load Diffusion Model, as it is. Without model and VAE, and with any "
            "other CLIP, no picture is drawn.",
        ),
        io.Vae.Input("vae", optional=True, tooltip="supsae_portraits_vae from Load VAE."),
    ]  # fmt: skip


def most(size: Size) -> int:
    """Return how many pictures a run needs at most; low-rank adapters are trained by the command line alone."""
    others = baselines() * bool(size.baselines)
    parts = [part for name, part in PARTS.items() if part.cases(size) and name != "adapters"]
    return sum(part.pictures(size, others) for part in parts)


def minutes(size: Size) -> str:
    """Return how long a run takes on a CPU, in words."""
    found = most(size) * SECONDS / 60
    return f"{found:.0f} minutes" if found < 90 else f"{found / 60:.1f} hours"


class Evaluation(NamedTuple):
    """What an evaluation found."""

    report: str
    plot: Image.Image
    panel: Mapping[str, Any]
    """of evaluation.report.panel"""


def evaluate(dictionary: Dictionary, clip: Any, model: Any, vae: Any, config: EvalConfig) -> Evaluation:
    """Judge a dictionary on pictures if they can be drawn and read, else on its text encoders alone.

    Raises:
        ValueError: if the dictionary is of other encoders, or model and VAE are not Portraits'.
    """
    host = ComfyText(clip)
    check_host(dictionary, host)
    out = folders.evaluation_folder(f"{content_hash(dictionary)[:16]}-{config.size}-{config.seed}")
    if host.family.name != "portraits":
        return on_text(dictionary, host, out, config, ELSEWHERE)
    if model is None and vae is None:
        return on_text(dictionary, host, out, config, UNCONNECTED)
    return on_pictures(dictionary, host, Models(model, clip, vae), out, config)


def on_text(dictionary: Dictionary, host: ComfyText, out: Path, config: EvalConfig, why: str) -> Evaluation:
    """Judge what a dictionary makes of prompts, without a picture."""
    tell, asked = messages.progress(), TextConfig(prompts=config.counts.text, seed=config.seed)
    bar = messages.PartsBar(lambda done, _: tell(done, asked.prompts))
    return written(run_text(dictionary, host, asked, Hooks(messages.say, bar.part)), out, f"{why}\n\n")


def on_pictures(dictionary: Dictionary, host: ComfyText, models: Models, out: Path, config: EvalConfig) -> Evaluation:
    """Run the scoreboard; what lies in its folder already is not drawn again."""
    require_portraits(models)
    steps = steps_before(dictionary, config.counts) + most(config.counts)
    bar = messages.PartsBar(sampling.previewed_progress(models.model, steps))
    with torch.inference_mode(False):  # some baselines are trained
        renderer = comfy_renderer(models, bar.step)
        found = run(dictionary, renderer, out, config, Hooks(messages.say, bar.part), host)
    return written(found, out)


def written(found: Results, out: Path, why: str = "") -> Evaluation:
    """Write what was found, and tell the figures and where the files lie."""
    files = write(found, out)
    lines = [f"{why}{summary(found.results)}", "", "Written to:", *(f"  {file}" for file in files.values())]
    report = "\n".join(lines)
    plot = files.get("headline", files["cosines"])
    return Evaluation(report, Image.open(plot), evaluation_panel(found.results, report))


NODES = [EvaluateDictionaryNode]
