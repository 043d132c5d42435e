"""What nodes that draw pictures themselves ask for."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..hosts.comfyui import sampling
from .sockets import DictionarySocket

ANY = "Any model whose prompts the dictionary was learnt from."
BLOCKS = "A model of Stable Diffusion 3.5, FLUX, Chroma, Qwen-Image, Z-Image, Krea 2 or Portraits."
"""Which models a node can draw with: where it looks into their blocks, not all."""


def drawing_inputs(models: str = ANY) -> list[Any]:
    """Return the inputs, named as the arguments of ``hosts.comfyui.pictures.drawing``, and a dictionary."""
    return [
        io.Model.Input("model", tooltip=models),
        io.Conditioning.Input("positive", tooltip="The encoded prompt, unedited."),
        io.Conditioning.Input("negative", tooltip="The encoded negative prompt."),
        io.Vae.Input("vae", tooltip="Decodes the pictures."),
        io.Latent.Input("latent", tooltip="Gives size and number of the pictures; what it shows is not used."),
        io.Int.Input(
            "seed", default=0, min=0, max=2**64 - 1, control_after_generate=False,
            tooltip="Of the noise that every picture starts from. The same as in KSampler gives the same picture.",
        ),
        io.Int.Input("steps", default=16, min=1, max=1000, tooltip="Steps of a picture. 16 suit Portraits."),
        io.Float.Input("cfg", default=3.0, min=0.0, max=100.0, step=0.1, tooltip="Guidance. 3 suits Portraits."),
        io.Combo.Input("sampler", options=sampling.SAMPLERS, default="euler", tooltip="As in KSampler."),
        io.Combo.Input("scheduler", options=sampling.SCHEDULERS, default="simple", tooltip="As in KSampler."),
        DictionarySocket.Input("dictionary", tooltip="A dictionary of the same text encoders."),
    ]  # fmt: skip
