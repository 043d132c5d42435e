"""Check Model: does this pack work with these weights, said line by line in a report that can be sent."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from comfy_api.latest import io, ui

from ..evaluation.check.files import check_panel, write_check
from ..evaluation.check.found import failed
from ..evaluation.check.run import About, Checked, Sights, checked, run_check, steps
from ..evaluation.check.trial import ENCODINGS, FEWEST, MOST, TrialConfig, small_table
from ..evaluation.results import Hooks
from ..hosts.comfyui import checking, folders, messages, sampling
from ..hosts.comfyui.checking import CheckedModel
from ..hosts.comfyui.pictures import to_image
from ..hosts.comfyui.sampling import SamplerSettings
from ..hosts.comfyui.text import ComfyText
from .node import ASKS_FOR_TEXT, Node
from .reports import shown
from .sockets import LEARN, TableSocket

MODELS = ("clip", "model", "vae")
"""Inputs behind which files are looked for."""


class CheckModelNode(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SupSAE_CheckModel",
            display_name="Check Model",
            category=LEARN,
            is_output_node=True,
            hidden=ASKS_FOR_TEXT,
            description="Run this once with weights of your own: it learns a few concepts from few prompts, holds "
            "edits against rewritten prompts, draws some, and says what sliders will be worth on this model. The "
            "report is saved in output/supsae; it names files and versions, no folders and no workflow.",
            search_aliases=["supsae check", "does it work", "test model", "compatibility", "report", "diagnose"],
            inputs=inputs(),
            outputs=[
                io.Image.Output(
                    display_name="sheet", tooltip="All lines with a tick or a cross, and the swaps drawn three ways."
                ),
                io.String.Output(display_name="report", tooltip="A line a check, and what to make of it at the end."),
            ],
        )

    @classmethod
    def execute(
        cls, clip, encodings=ENCODINGS, seed=0, pictures=3, width=1024, height=1024, steps=16, cfg=3.0,
        table=None, model=None, vae=None,
    ) -> io.NodeOutput:  # fmt: skip
        own = CheckedModel(model, clip, vae, width, height, SamplerSettings(steps, cfg), seed)
        told = cls.hidden
        files = checking.files_behind(told.prompt, told.unique_id, MODELS) if told else []
        about = About(checking.version(), files, table is not None)
        made = check(own, table, TrialConfig(encodings, seed), pictures, about)
        out = folders.free_check_folder(str(made.json["family"] or "unknown"))
        write_check(made, out)
        report = made.report(saved_in(out))
        below = ui.PreviewImage(to_image(made.swaps), cls=cls) if made.swaps else None
        return io.NodeOutput(to_image(made.sheet), report, ui=shown(check_panel(made, report), below))


def inputs() -> list[Any]:
    """Return the node's inputs."""
    return [
        io.Clip.Input("clip", tooltip="All text encoders of the model, from its own loader."),
        io.Int.Input(
            "encodings", default=ENCODINGS, min=FEWEST, max=MOST,
            tooltip="Prompts to learn from; about 200 more are encoded to judge by. 120 take seconds on a graphics "
            "card and some minutes on a CPU. More make the edits better and the report surer.",
        ),
        io.Int.Input(
            "seed", default=0, min=0, max=2**32 - 1, control_after_generate=False,
            tooltip="Of all prompts and pictures. The same seed asks the same questions.",
        ),
        io.Int.Input(
            "pictures", default=3, min=0, max=8,
            tooltip="Swaps that are drawn, each three times from one seed: unedited, edited, and the prompt rewritten "
            "by hand. They take a model and its VAE.",
        ),
        io.Int.Input("width", default=1024, min=64, max=2048, step=16, tooltip="Of the pictures; 128 for Portraits."),
        io.Int.Input("height", default=1024, min=64, max=2048, step=16, tooltip="Of the pictures; 128 for Portraits."),
        io.Int.Input("steps", default=16, min=1, max=200, tooltip="Of a picture; Euler and the scheduler 'simple'."),
        io.Float.Input(
            "cfg", default=3.0, min=1.0, max=20.0, step=0.1,
            tooltip="Guidance; take what you draw with: 1 for FLUX.1 and other distilled models.",
        ),
        TableSocket.Input(
            "table", optional=True, tooltip="Your own concepts. Unconnected: 16 of photographs, or Portraits' own."
        ),
        io.Model.Input("model", optional=True, tooltip="To draw with and to listen to, as its loader gives it."),
        io.Vae.Input("vae", optional=True, tooltip="Decodes the pictures."),
    ]  # fmt: skip


def check(own: CheckedModel, table: Any, config: TrialConfig, pictures: int, about: About) -> Checked:
    """Check what is on the sockets; a CLIP that is not known is a report as well."""
    try:
        host = ComfyText(own.clip)
    except ValueError as error:
        return checked([failed("family", error)], config, about)
    table = table or small_table(host.family.name == "portraits")
    draws = pictures if own.model is not None and own.vae is not None else 0
    total = steps(config) + 3 * draws * own.settings.steps
    shows = own.model is not None
    tell = sampling.previewed_progress(own.model, total) if shows else _without_preview(total)
    bar = messages.PartsBar(tell)

    def draw(dictionary, wanted):
        tick = bar.part("pictures", 3 * len(wanted) * own.settings.steps)

        def told(done, denoised):
            bar.step(denoised)
            tick(1)

        return checking.draw_trios(own, dictionary, wanted, told)

    blocks = partial(checking.hear_blocks, own) if shows else None
    weighted = partial(checking.weighted_rows, own.clip)
    sights = Sights(weighted, draw if draws else None, blocks, draws)
    return run_check(host, table, config, Hooks(messages.log, bar.part), sights, about)


def _without_preview(total: int) -> Any:
    tell = messages.progress()
    return lambda done, _: tell(done, total)


def saved_in(out: Path) -> str:
    """Say where the report is, by the names below ComfyUI's own folder."""
    return f"Saved in output/supsae/{out.name}: send check.html, or check.json."


NODES = [CheckModelNode]
