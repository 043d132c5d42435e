"""Capture Activations: what the blocks of a model make of the concepts while it draws, collected on disk once."""

from __future__ import annotations

from comfy_api.latest import io

from ..hosts.comfyui import comfy_host
from ..hosts.comfyui.capturing import Watch, encoding, sampling
from ..hosts.comfyui.recording import ComfyPictures
from ..supsae_core.capture import activations, captures
from ..supsae_core.encoders.sites import parse
from ..supsae_core.encoders.streams import IMAGE
from ..training import recording
from ..training.capture import CaptureConfig
from ..training.recording import SamplingConfig
from .sockets import CATEGORY, Capture, Table


class CaptureActivations(io.ComfyNode):
    """Capture Activations."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SupSAE_CaptureActivations",
            display_name="Capture Activations",
            category=CATEGORY,
            is_output_node=True,
            description="Draw prompts from the table, sample a picture of each, and add up what the model's blocks "
            "make of the concepts meanwhile. It can be stopped at any time and goes on where it stopped. For edits at "
            "blocks behind the first; for all others Capture is enough and takes seconds.",
            search_aliases=["supsae record", "hook blocks", "residual stream", "dataset"],
            inputs=[
                io.Model.Input("model", tooltip="A model of the SD3 family: Stable Diffusion 3, 3.5, or Portraits."),
                io.Clip.Input("clip", tooltip="The text encoders that belong to the model."),
                Table.Input("table", tooltip="From Concept Table."),
                io.String.Input(
                    "name",
                    default="activations",
                    tooltip="Folder in output/supsae/captures. With the same name and settings a capture is "
                    "continued or used again; with another table or other settings a number is put behind the name.",
                ),
                io.String.Input(
                    "sites",
                    default="txt@1",
                    tooltip="What to record. txt@1-3: the text entering blocks 1 to 3. img@2: the picture's tokens "
                    "entering block 2; img with the number of blocks is what leaves the last. txt@0 needs no sampling: "
                    "it follows from the prompt alone.",
                ),
                io.Int.Input(
                    "prompts", default=300, min=10, max=100_000,
                    tooltip="Pictures to learn from. 300 are good; 50 give a first impression.",
                ),
                io.Int.Input(
                    "calibration", default=64, min=4, max=10_000,
                    tooltip="Further prompts, each with a rewritten copy, whose raw activations are kept: they set "
                    "what strength 1 means.",
                ),
                io.Int.Input(
                    "steps", default=16, min=recording.BUCKETS, max=200,
                    tooltip="Steps of a picture. Euler and the scheduler 'simple' draw them.",
                ),
                io.Float.Input(
                    "cfg", default=3.0, min=1.0, max=20.0, step=0.1,
                    tooltip="Guidance; take what you sample with. Only the positive prompt's pass is recorded.",
                ),
                io.Int.Input(
                    "width", default=128, min=64, max=2048, step=16,
                    tooltip="Of the pictures, in pixels: 128 for Portraits, 1024 for SD3.5. Smaller is faster, and the "
                    "text's activations hardly change.",
                ),
                io.Int.Input("height", default=128, min=64, max=2048, step=16, tooltip="Of the pictures, in pixels."),
                io.Combo.Input(
                    "image", options=list(IMAGE), default="mean",
                    tooltip="What becomes of the picture's tokens. mean: one average a picture. attention: for every "
                    "phrase the average of the tokens that attend to it. positions: every token for itself, which "
                    "takes much disk.",
                ),
                io.Float.Input(
                    "mention", default=0.75, min=0.05, max=1.0, step=0.05,
                    tooltip="How often a prompt mentions a category. At 1 nothing is ever left out, and what "
                    "removing a concept does cannot be learnt.",
                ),
                io.Float.Input(
                    "held_out", default=0.0, min=0.0, max=0.5, step=0.05,
                    tooltip="Share of pairs of concepts that are never written together, to test on them later.",
                ),
                io.Int.Input(
                    "seed", default=0, min=0, max=2**32 - 1,
                    control_after_generate=False,  # a new seed after every run would be another capture
                    tooltip="Draws the prompts and the pictures' noise.",
                ),
            ],
            outputs=[Capture.Output(display_name="capture", tooltip="The folder on disk, for Fit Dictionary.")],
        )  # fmt: skip

    @classmethod
    def fingerprint_inputs(cls, name: str, **_) -> float:
        """A capture that was deleted after it ran is made again, one that lacks files is completed."""
        return len(list(comfy_host.capture_folder(name).glob("*.*"))) or float("nan")  # nan: never cached

    @classmethod
    def execute(
        cls, model, clip, table, name, sites, prompts, calibration, steps, cfg, width, height, image, mention, held_out,
        seed,
    ) -> io.NodeOutput:  # fmt: skip
        host = comfy_host.ComfyText(clip)
        pictures = ComfyPictures(model, host)
        how = SamplingConfig(parse(sites), steps, cfg, width, height, image)
        drawn = CaptureConfig(prompts, calibration, mention, held_out, seed)
        plan = recording.plan(table, host, pictures, drawn, how, host.wording)
        folder = comfy_host.free_capture_folder(name, lambda one: captures.takes(one, plan))
        need = (captures.size(plan) + activations.size(plan)) / 1e6
        comfy_host.log(f"{len(plan.entries)} pictures of {steps} steps, at most {need:.0f} MB in {folder}")
        watch = Watch(folder, plan)
        made = recording.run(host, pictures, folder, plan, encoded=encoding(watch), sampled=sampling(watch, model))
        return io.NodeOutput(made, ui=watch.finished())


NODES = [CaptureActivations]
