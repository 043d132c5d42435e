"""Whose encoders a checkpoint holds, told by its header, and held against ComfyUI's own choice; no number is read."""

import json
from pathlib import Path

import comfy.model_detection
import comfy.supported_models
import folder_paths
import model_shapes
import torch
from script_parts import expect

from supsae.hosts.comfyui.encoder_files import families_in_checkpoint
from supsae.hosts.comfyui.loaders import CHECKPOINTS, UNSURE, family_by_checkpoint
from supsae.hosts.comfyui.tokenizers import TOKENIZERS

# --- the table is ComfyUI's ------------------------------------------------------------------------------------------

classes = {name: type(make()) for name, make in TOKENIZERS.items() if name != "portraits"}
for one in comfy.supported_models.models:
    name = one.__name__
    try:
        target = one(dict(one.unet_config)).clip_target({})
    except (
        AttributeError,
        KeyError,
        TypeError,
        IndexError,
        UnboundLocalError,
    ):  # needs the encoders' tensors to choose among its own
        target = None
    told = {family for family, kind in classes.items() if target is not None and target.tokenizer is kind}
    found = family_by_checkpoint(name)
    expect(f"{name} holds", found is None or set(found) == told or name == "SDXLRefiner", True)
expect(
    "all of them are there", {*CHECKPOINTS, *UNSURE} - {one.__name__ for one in comfy.supported_models.models}, set()
)

# --- files -----------------------------------------------------------------------------------------------------------

folder = Path(folder_paths.get_folder_paths("checkpoints")[0])
folder.mkdir(parents=True, exist_ok=True)
SDXL = {**comfy.supported_models.SDXL.unet_config, **model_shapes.SDXL,
        "model_channels": 320, "num_res_blocks": [2, 2, 2], "channel_mult": [1, 2, 4], "num_head_channels": 64,
        "transformer_depth": [0, 0, 2, 2, 10, 10], "transformer_depth_middle": 10,
        "transformer_depth_output": [0, 0, 0, 2, 2, 2, 10, 10, 10]}  # fmt: skip


def write(name, kind, values):
    """Write a checkpoint of a model that has no numbers: a header, and a hole."""
    config, entries, at = kind(dict(values)), {}, 0
    config.set_inference_dtype(torch.float16, None)
    network = config.get_model({}, device="meta").diffusion_model
    for key, weight in network.state_dict().items():
        end = at + weight.numel() * 2
        shape, place = list(weight.shape), [at, end]
        entries[f"model.diffusion_model.{key}"] = {"dtype": "F16", "shape": shape, "data_offsets": place}
        at = end
    header = json.dumps(entries).encode()
    with (folder / name).open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + at)


write("sdxl.safetensors", comfy.supported_models.SDXL, SDXL)
for name in ("flux", "chroma", "qwen-image", "krea-2", "klein-4b"):
    write(f"{name}.safetensors", *model_shapes.KINDS[name])
whole = (folder / "flux.safetensors").read_bytes()
(folder / "cut.safetensors").write_bytes(whole[:-8])
(folder / "junk.safetensors").write_bytes(b"no checkpoint at all")
(folder / "half.safetensors").write_bytes(b"")
folder_paths.filename_list_cache.clear()
for name in ("sdxl", "flux", "chroma", "qwen-image", "krea-2"):
    expect(name, families_in_checkpoint(f"{name}.safetensors"), [name])
for name in ("klein-4b", "cut", "junk", "half", "gone"):
    expect(f"{name} is not told", families_in_checkpoint(f"{name}.safetensors"), None)
expect("only what the loader offers", families_in_checkpoint("../checkpoints/flux.safetensors"), None)
