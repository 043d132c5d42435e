"""Models that Evaluate Dictionary refuses."""

from pathlib import Path

import comfy.sd
import folder_paths
import sd35_shapes
import torch
from evaluate_parts import clip, learnt, model, tiny, vae
from script_parts import error, tell

from supsae.nodes import evaluate, lock

seen = {}
lora = model.clone()
lora.add_patches({"diffusion_model.x_embedder.proj.weight": (torch.ones(1),)})
wide = sd35_shapes.build(1, 64, False)
pixels = comfy.sd.VAE(sd={"pixel_space_vae": torch.tensor(1.0)})
locking = lock.LockNode.execute(model, 0.5, 0.1, 1)[0]
for name, some in {
    "no VAE": (model, None),
    "no model": (None, vae),
    "SD3.5": (wide, vae),
    "VAE": (model, pixels),
    "LoRA": (lora, vae),
    "Lock": (locking, vae),
}.items():
    seen[name] = error(evaluate.evaluate, learnt, clip, *some, tiny)
seen["written"] = list(Path(folder_paths.get_output_directory()).rglob("*"))
tell(seen)
