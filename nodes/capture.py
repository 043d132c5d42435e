"""Capture: what the text encoders, and if wanted the blocks of a model, make of the concepts, on disk once."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..hosts.comfyui import folders
from ..hosts.comfyui.capturing import BLOCKS, IMAGES, PROMPTS, RECORDS, run_capture
from ..hosts.comfyui.forms import require_choice
from ..hosts.comfyui.text import ComfyText
from ..training.capture import CaptureConfig
from ..training.recording import BUCKETS
from .node import Node
from .sockets import LEARN, CaptureSocket, TableSocket


class CaptureNode(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SupSAE_Capture",
            display_name="Capture",
            category=LEARN,
            is_output_node=True,
            description="Draw prompts from the table, encode them with the CLIP and keep the result on disk, in "
            "output/supsae/captures. No picture is sampled, unless what the blocks of a model make of the prompts is "
            "recorded too. It can be stopped at any time and goes on where it stopped.",
            search_aliases=["supsae record", "collect activations", "hook blocks", "residual stream", "dataset"],
            inputs=[
                io.Clip.Input(
                    "clip",
                    tooltip="The text encoders to learn from, all that the model has: those of Portraits, SD3.5, "
                    "FLUX.1, SDXL, Chroma, Z-Image, Qwen-Image, FLUX.2 Klein or Krea 2.",
                ),
                TableSocket.Input("table", tooltip="From Concept Table."),
                io.String.Input(
                    "name",
                    default="portraits",
                    tooltip="Folder in output/supsae/captures. With the same name and settings a capture is "
                    "continued or used again; with another table or other settings a number is put behind the name.",
                ),
                io.Int.Input(
                    "prompts", default=300, min=10, max=100_000,
                    tooltip="Prompts to learn from. 50 are often enough, 300 are safe, 1500 squeeze out the rest.",
                ),
                io.Int.Input(
                    "calibration", default=64, min=4, max=10_000,
                    tooltip="Further prompts, each with a rewritten copy: they set what strength 1 means and test "
                    "whether concepts are found again. Two for every concept are good.",
                ),
                io.Float.Input(
                    "mention", default=0.75, min=0.05, max=1.0, step=0.05,
                    tooltip="How often a prompt mentions a category; of more than 14 categories less often, as many as "
                    "a prompt has room for. One prompt in five says less than that, as short ones do.",
                ),
                io.Float.Input(
                    "held_out", default=0.0, min=0.0, max=0.5, step=0.05,
                    tooltip="Share of pairs of concepts that are never written together, to test on them later. 0 for "
                    "everyday use.",
                ),
                io.Int.Input(
                    "seed", default=0, min=0, max=2**32 - 1,
                    control_after_generate=False,  # a new seed after every run would be another capture
                    tooltip="Draws the prompts, and the noise of pictures. The same seed draws the same.",
                ),
                io.DynamicCombo.Input(
                    "record",
                    options=[io.DynamicCombo.Option(PROMPTS, []), io.DynamicCombo.Option(BLOCKS, block_inputs())],
                    tooltip="prompts: what the text encoders make of them, in seconds; for all edits but those inside "
                    "the model. prompts and blocks: what its blocks make of them too; a picture is sampled of each.",
                ),
            ],
            outputs=[CaptureSocket.Output(display_name="capture", tooltip="The folder on disk, for Fit Dictionary.")],
        )  # fmt: skip

    @classmethod
    def fingerprint_inputs(cls, name: str, **_) -> float:
        """A capture that was deleted after it ran is made again, one that lacks files is completed."""
        return len(list(folders.capture_folder(name).glob("*.*"))) or float("nan")  # nan: never cached

    @classmethod
    def execute(cls, clip, table, name, prompts, calibration, mention, held_out, seed, record=None) -> io.NodeOutput:
        form = require_choice("record", record, RECORDS)
        config = CaptureConfig(prompts, calibration, mention, held_out, seed)
        made = run_capture(ComfyText(clip), table, name, config, form)
        return io.NodeOutput(made.capture, ui=made.shown)


def block_inputs() -> list[Any]:
    """Return what it takes to sample pictures and listen to the blocks meanwhile."""
    return [
        io.Model.Input(
            "model",
            tooltip="A model of Stable Diffusion 3.5, FLUX, Chroma, Qwen-Image, Z-Image, Krea 2 or Portraits, as it "
            "is: before Apply Edits and Lock. The CLIP must be its own.",
        ),
        io.String.Input(
            "sites", default="txt@1",
            tooltip="What to record. txt@1-3: the text entering blocks 1 to 3. img@2: the picture's tokens entering "
            "block 2; img with the number of blocks is what leaves the last. txt@0 needs no sampling: it follows from "
            "the prompt alone.",
        ),
        io.Int.Input(
            "steps", default=16, min=BUCKETS, max=200,
            tooltip="Steps of a picture. Euler and the scheduler 'simple' draw them.",
        ),
        io.Float.Input(
            "cfg", default=3.0, min=1.0, max=20.0, step=0.1,
            tooltip="Guidance; take what you sample with. Only the positive prompt's pass is recorded.",
        ),
        io.Int.Input(
            "width", default=128, min=64, max=2048, step=16,
            tooltip="Of the pictures, in pixels: 128 for Portraits, 1024 for SD3.5. Smaller is faster, and the text's "
            "activations hardly change.",
        ),
        io.Int.Input("height", default=128, min=64, max=2048, step=16, tooltip="Of the pictures, in pixels."),
        io.Combo.Input(
            "image", options=list(IMAGES), default=IMAGES[0],
            tooltip="What becomes of the picture's tokens at img sites. mean: one average a picture. attention: for "
            "every phrase the average of the tokens that attend to it. positions: every token for itself, which takes "
            "much disk.",
        ),
    ]  # fmt: skip


NODES = [CaptureNode]
