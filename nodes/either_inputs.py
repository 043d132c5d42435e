"""What nodes ask for and give that change a conditioning or a model, whichever is connected."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io


def either_inputs(prompt: str) -> list[Any]:
    """Return the two inputs; ``prompt`` says which prompt of a sampler the model's edit is made on."""
    return [
        io.Conditioning.Input(
            "conditioning", optional=True,
            tooltip="An encoded prompt, from CLIP Text Encode (Prompt). Connect this or a model, not both.",
        ),
        io.Model.Input(
            "model", optional=True,
            tooltip=f"A model of Stable Diffusion 3.5, FLUX, Chroma, Qwen-Image, Z-Image or Krea 2: the edit is then "
            f"made while it draws, on whatever {prompt} the sampler gets. Connect this or a conditioning, not both.",
        ),
    ]  # fmt: skip


def either_outputs(report: str) -> list[Any]:
    """Return the two outputs and the report's, whose tooltip is given."""
    return [
        io.Conditioning.Output(
            display_name="conditioning", tooltip="The edited prompt, if one is connected; for the sampler."
        ),
        io.Model.Output(
            display_name="model", tooltip="The model that makes the edit, if one is connected; for the sampler."
        ),
        io.String.Output(display_name="report", tooltip=report),
    ]
