"""Capture: what the text encoders say about the concepts, collected on disk once."""

from __future__ import annotations

from comfy_api.latest import io

from ..hosts.comfyui import comfy_host
from ..hosts.comfyui.capturing import Watch, encoding
from ..supsae_core.capture import captures
from ..training.capture import CaptureConfig, plan, run
from .sockets import CATEGORY, Capture, Table

BATCH = 8
"""Prompts between two moves of the progress bar."""


class CaptureNode(io.ComfyNode):
    """Capture."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SupSAE_Capture",
            display_name="Capture",
            category=CATEGORY,
            is_output_node=True,
            description="Draw prompts from the table, encode them with the CLIP and keep the result on disk, in "
            "output/supsae/captures. No picture is sampled. It can be stopped at any time and goes on where it "
            "stopped.",
            search_aliases=["supsae record", "collect activations", "dataset"],
            inputs=[
                io.Clip.Input("clip", tooltip="The text encoders to learn from: Portraits' or all three of SD3.5."),
                Table.Input("table", tooltip="From Concept Table."),
                io.String.Input(
                    "name",
                    default="portraits",
                    tooltip="Folder in output/supsae/captures. With the same name and settings a capture is "
                    "continued or used again; with another table or other settings a number is put behind the name.",
                ),
                io.Int.Input(
                    "prompts",
                    default=300,
                    min=10,
                    max=100_000,
                    tooltip="Prompts to learn from. 50 are often enough, 300 are safe, 1500 squeeze out the rest.",
                ),
                io.Int.Input(
                    "calibration",
                    default=64,
                    min=4,
                    max=10_000,
                    tooltip="Further prompts, each with a rewritten copy: they set what strength 1 means and test "
                    "whether concepts are found again. Two for every concept are good.",
                ),
                io.Float.Input(
                    "mention",
                    default=0.75,
                    min=0.05,
                    max=1.0,
                    step=0.05,
                    tooltip="How often a prompt mentions a category. At 1 nothing is ever left out, and what "
                    "removing a concept does cannot be learnt.",
                ),
                io.Float.Input(
                    "held_out",
                    default=0.0,
                    min=0.0,
                    max=0.5,
                    step=0.05,
                    tooltip="Share of pairs of concepts that are never written together, to test on them later. 0 for "
                    "everyday use.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=2**32 - 1,
                    control_after_generate=False,  # a new seed after every run would be another capture
                    tooltip="Draws the prompts. The same seed draws the same prompts.",
                ),
            ],
            outputs=[Capture.Output(display_name="capture", tooltip="The folder on disk, for Fit Dictionary.")],
        )

    @classmethod
    def fingerprint_inputs(cls, name: str, **_) -> float:
        """A capture that was deleted after it ran is made again, one that lacks files is completed."""
        return len(list(comfy_host.capture_folder(name).glob("*.*"))) or float("nan")  # nan: never cached

    @classmethod
    def execute(cls, clip, table, name, prompts, calibration, mention, held_out, seed) -> io.NodeOutput:
        host = comfy_host.ComfyText(clip)
        config = CaptureConfig(prompts, calibration, mention, held_out, seed)
        to_do = plan(table, host, config, host.wording)
        folder = comfy_host.free_capture_folder(name, lambda one: captures.takes(one, to_do))
        comfy_host.log(f"{len(to_do.entries)} prompts, {captures.size(to_do) / 1e6:.0f} MB in {folder}")
        watch = Watch(folder, to_do)
        made = run(host, folder, to_do, progress=encoding(watch), batch=BATCH)
        return io.NodeOutput(made, ui=watch.finished())


NODES = [CaptureNode]
