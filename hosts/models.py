"""The families of diffusion models whose blocks are recorded and steered, a row each; both hosts read this table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class ModelFamily:
    """Where a family of diffusion models keeps its blocks, and how they call their streams."""

    name: str
    """as an error spells it"""
    comfyui: str
    """class in ``comfy.model_base``"""
    blocks: str
    """attribute of ComfyUI's network that lists its joint blocks"""
    block_key: str
    """of such a block among ComfyUI's patches"""
    embedder: str
    """attribute of ComfyUI's network: the linear layer from the conditioning to the text stream"""
    diffusers: str
    """class in diffusers"""
    diffusers_blocks: str
    """attribute of diffusers' network that lists its joint blocks"""
    diffusers_embedder: str
    """attribute of diffusers' network: the same linear layer"""
    streams: Mapping[str, str]
    """kind of a site → what diffusers calls that stream, in the order in which a block returns them"""
    patch: int
    """latent cells along the side of an image token"""
    cell: int
    """pixels along the side of a latent cell"""
    channels: int
    """of the latent"""


SD3 = ModelFamily(
    name="Stable Diffusion 3 and 3.5",
    comfyui="SD3",
    blocks="joint_blocks",
    block_key="double_block",
    embedder="context_embedder",
    diffusers="SD3Transformer2DModel",
    diffusers_blocks="transformer_blocks",
    diffusers_embedder="context_embedder",
    streams={"txt": "encoder_hidden_states", "img": "hidden_states"},
    patch=2,
    cell=8,
    channels=16,
)
MODELS = (SD3,)
"""Every family there is; Portraits has the first one's layout."""


def family_in_diffusers(network: object) -> ModelFamily:
    """Return the family of one of diffusers' transformers.

    Raises:
        ValueError: naming its class and the families there are, if it is of none.
    """
    names = {one.__name__ for one in type(network).__mro__}
    found = next((one for one in MODELS if one.diffusers in names), None)
    if found is None:
        known = ", ".join(one.diffusers for one in MODELS)
        raise ValueError(f"This model is a {type(network).__name__}. SupSAE records and steers the blocks of {known}.")
    return found
