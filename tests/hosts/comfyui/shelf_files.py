"""Dictionaries, text encoders and checkpoints, as far as a header tells: for what is said before anything runs."""

import json
from pathlib import Path

import torch
from server import ROOT

from supsae.supsae_core.tensor_files import TensorFile, write_tensors

SHIPPED = ROOT / "portraits" / "weights" / "supsae" / "portraits.safetensors"


def write_header(to: Path, family: str) -> None:
    """Write a file whose header is the shipped dictionary's, but for the family; it has no tensor of a dictionary's."""
    found = TensorFile(SHIPPED).metadata
    header = json.loads(found["header"]) | {"family": family}
    write_tensors(to, {"nothing": torch.zeros(1)}, {**found, "header": json.dumps(header, ensure_ascii=False)})


def write_qwen3(to: Path, width: int) -> None:
    """Write what ComfyUI takes for a Qwen3 of this width: two of its tensors."""
    names = {"post_attention_layernorm": width, "self_attn.q_norm": 128}
    write_tensors(to, {f"model.layers.0.{name}.weight": torch.zeros(size) for name, size in names.items()})


def write_krea(to: Path) -> None:
    """Write what ComfyUI takes for a checkpoint of Krea 2: six tensors of its model."""
    shapes = {
        "first": (128, 64), "blocks.0.attn.wq": (128, 128), "blocks.0.attn.wk": (128, 128),
        "blocks.0.attn.wv": (128, 128), "txtfusion.projector": (1, 12),
    }  # fmt: skip
    tensors = {f"model.diffusion_model.{name}.weight": torch.zeros(shape) for name, shape in shapes.items()}
    scale = "model.diffusion_model.txtfusion.layerwise_blocks.0.prenorm.scale"
    write_tensors(to, {**tensors, scale: torch.zeros(64)})
