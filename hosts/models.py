"""The families of diffusion models whose blocks are recorded and steered, a row each; both hosts read this table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

from torch import Tensor


def _refined(network: Any, context: Tensor) -> Tensor:
    """Return the text stream of ComfyUI's NextDiT, padded and refined with the place of every row."""
    rows, places, _ = network.embed_cap(context, device=context.device, dtype=context.dtype)
    return reduce(lambda made, layer: layer(made, None, places[0]), network.context_refiner, rows[0])


def _fused(network: Any, context: Tensor) -> Tensor:
    """Return the text stream of ComfyUI's Krea 2, of rows in which several layers lie side by side."""
    return network.txtmlp(network.txtfusion(network._unpack_context(context)))


@dataclass(frozen=True)
class ModelFamily:
    """Where a family of diffusion models keeps its blocks, and how they call their streams."""

    name: str
    """as an error spells it"""
    comfyui: str
    """class in ``comfy.model_base``"""
    blocks: str
    """attribute of ComfyUI's network that lists its joint blocks; "" if it has none"""
    embedders: tuple[str, ...]
    """attributes of ComfyUI's network: what a conditioning goes through, in turn, to become the text stream; a linear
    layer is the last, and a norm before it may be missing or None"""
    single_blocks: str = ""
    """attribute of ComfyUI's network that lists the blocks behind the joint ones, in which both streams are one: text,
    then picture"""
    patched: bool = True
    """whether ComfyUI lets a block be replaced; if not, ``hosts/comfyui/unpatched.py`` gets around them"""
    text: Callable[[Any, Tensor], Tensor] | None = None
    """ComfyUI's network, conditioning (B, rows, width) → text stream, where that takes more than the embedders"""
    side_by_side: str = ""
    """attribute of ComfyUI's network: how many of the encoder's layers lie side by side in a conditioning's row, if the
    embedder takes one"""
    token: str = "patch_size"
    """attribute of ComfyUI's network: latent cells along the side of an image token"""
    text_multiple: str = ""
    """attribute of ComfyUI's network: the text stream is padded to a multiple of so many rows"""
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
Z_IMAGE = ModelFamily(
    name="Z-Image",
    comfyui="Lumina2",
    blocks="",
    embedders=("cap_embedder.1",),
    single_blocks="layers",
    patched=False,
    text=_refined,
    text_multiple="pad_tokens_multiple",
)
KREA = ModelFamily(
    name="Krea 2",
    comfyui="Krea2",
    blocks="",
    embedders=("txtmlp.1",),
    single_blocks="blocks",
    patched=False,
    text=_fused,
    side_by_side="txtlayers",
    token="patch",
)
MODELS = (SD3, FLUX, QWEN_IMAGE, Z_IMAGE, KREA)
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
