"""Edited text in SD3.5's transformers."""

import comfy.sample
import sd35_shapes
import torch
from script_parts import tell
from sd3_parts import PROMPT, RED, encode, learnt

from supsae.hosts.comfyui.conditionings import edit
from supsae.supsae_core.editing.edits import Add

seen = {}
((cond, extra),) = positive = encode(PROMPT)
negative = encode("ugly, blurred")
edited, _ = edit(positive, learnt, [*RED, Add("clothing: silk kimono")])
order = torch.randperm(cond.shape[1], generator=torch.Generator().manual_seed(0))
permuted = [[edited[0][0][:, order], edited[0][1]]]


def step(model, some):
    # one step of Euler at guidance 4; how often the network ran, and on how many rows
    calls = []
    hook = model.model.diffusion_model.register_forward_pre_hook(lambda _, args: calls.append(len(args[0])))
    noise = torch.randn(1, 16, 16, 16, generator=torch.Generator().manual_seed(1))
    nothing = torch.zeros_like(noise)
    made = comfy.sample.sample(model, noise, 1, 4.0, "euler", "simple", some, negative, nothing, disable_pbar=True)
    hook.remove()
    return made, calls


shapes = {"tiny": {"depth": 3, "hidden": 128}, "medium": {}, "large": {"hidden": 2432, "dual": False}}
for kind, shape in shapes.items():
    model = sd35_shapes.build(**shape)
    (plain, _), (made, calls) = step(model, positive), step(model, edited)
    seen[kind] = {
        "calls": calls,
        "finite": bool(made.isfinite().all()),
        "changed": float((made - plain).norm() / plain.norm()),
        "permuted": float((step(model, permuted)[0] - made).abs().max()) if kind == "tiny" else 0,
        "blocks": len(model.model.diffusion_model.joint_blocks),
        "dual": [bool(one.x_block.x_block_self_attn) for one in model.model.diffusion_model.joint_blocks],
        "hidden": model.model.diffusion_model.hidden_size,
    }
tell(seen)
