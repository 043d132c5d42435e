"""The families of diffusion models whose blocks are recorded and steered, a row each; both hosts read this table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ModelFamily:
    """Where a family of diffusion models keeps its blocks, and how they call their streams."""

    name: str
    """as an error spells it"""
    comfyui: str
    """class in ``comfy.model_base``"""
    blocks: str
    """attribute of ComfyUI's network that lists its joint blocks"""
    embedders: tuple[str, ...]
    """attributes of ComfyUI's network: what a conditioning goes through, in turn, to become the text stream; the linear
    layer is the last, and a norm before it may be missing or None"""
    single_blocks: str = ""
    """attribute of ComfyUI's network that lists the blocks behind the joint ones, in which both streams are one: text,
    then picture"""
    diffusers: str = ""
    """class in diffusers, where SupSAE records and steers it there too"""
    diffusers_blocks: str = ""
    """attribute of diffusers' network that lists its joint blocks"""
    diffusers_embedder: str = ""
    """attribute of diffusers' network: the linear layer from the conditioning to the text stream"""
    streams: Mapping[str, str] = field(default_factory=dict)
    """kind of a site → what diffusers calls that stream, in the order in which a block returns them"""
    patch: int = 2
    """latent cells along the side of an image token, in diffusers; ComfyUI's network says it itself"""
    cell: int = 8
    """pixels along the side of a latent cell, in diffusers"""


SD3 = ModelFamily(
    name="Stable Diffusion 3 and 3.5",
    comfyui="SD3",
    blocks="joint_blocks",
    embedders=("context_embedder",),
    diffusers="SD3Transformer2DModel",
    diffusers_blocks="transformer_blocks",
    diffusers_embedder="context_embedder",
    streams={"txt": "encoder_hidden_states", "img": "hidden_states"},
)
FLUX = ModelFamily(
    name="FLUX.1, FLUX.2 and Chroma",  # in ComfyUI one class and those made of it
    comfyui="Flux",
    blocks="double_blocks",
    embedders=("txt_norm", "txt_in"),
    single_blocks="single_blocks",
)
QWEN_IMAGE = ModelFamily(
    name="Qwen-Image",
    comfyui="QwenImage",
    blocks="transformer_blocks",
    embedders=("txt_norm", "txt_in"),
)
MODELS = (SD3, FLUX, QWEN_IMAGE)
"""Every family there is; Portraits has the first one's layout."""


def family_in_diffusers(network: object) -> ModelFamily:
    """Return the family of one of diffusers' transformers.

    Raises:
        ValueError: naming its class and the families there are, if it is of none.
    """
    names = {one.__name__ for one in type(network).__mro__}
    here = [one for one in MODELS if one.diffusers]
    found = next((one for one in here if one.diffusers in names), None)
    if found is None:
        known = ", ".join(one.diffusers for one in here)
        raise ValueError(f"This model is a {type(network).__name__}. SupSAE records and steers the blocks of {known}.")
    return found
