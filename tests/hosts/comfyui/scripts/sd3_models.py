"""Edited text in SD3.5's transformers, and lists of conditionings with areas, masks, times and batches."""

import comfy.sample
import sd35_shapes
import torch
from script_parts import below, between, expect
from sd3_parts import PROMPT, RED, encode, learnt

from supsae.hosts.comfyui.conditionings import edit
from supsae.supsae_core.editing.edits import Add, Remove

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


for hidden, dual in ((128, [True] * 3), (192, [False] * 2)):  # as in Medium, as in Large
    model = sd35_shapes.build(len(dual), hidden, dual[0])
    network = model.model.diffusion_model
    expect(f"{hidden}", network.hidden_size, hidden)
    expect(f"{hidden}: dual", [bool(one.x_block.x_block_self_attn) for one in network.joint_blocks], dual)
    (plain, _), (made, calls) = step(model, positive), step(model, edited)
    expect(f"{hidden}: calls", calls, [2])  # with as many rows as before, prompt and negative still share one call
    expect(f"{hidden}: finite", bool(made.isfinite().all()))
    between(f"{hidden}: changed", 0.01, float((made - plain).norm() / plain.norm()), 10)
    if hidden == 128:  # outputs are of order 1
        below("order of rows is nothing to the model", float((step(model, permuted)[0] - made).abs().max()), 1e-5)

((other, beside),) = encode("a dog in the snow, green eyes")
both = torch.cat([cond, other])
vectors = torch.cat([extra["pooled_output"], beside["pooled_output"]])
entries = {
    "plain": [cond, extra],
    "says nothing of it": [other, beside],
    "area": [cond, {**extra, "area": (8, 8, 0, 0), "strength": 1.0}],
    "mask": [cond, {**extra, "mask": torch.ones(1, 8, 8)}],
    "time range": [cond, {**extra, "start_percent": 0.0, "end_percent": 0.4}],
    "other time": [other, {**beside, "start_percent": 0.401, "end_percent": 1.0}],
    "zeroed": [torch.zeros_like(cond), {"pooled_output": torch.zeros_like(extra["pooled_output"])}],
    "batch": [both, {"pooled_output": vectors}],
}
for edits, changed in (
    (RED, ["plain", "area", "mask", "time range", "batch"]),
    ([Add("clothing: silk kimono")], ["plain", "says nothing of it", "time range", "other time", "batch"]),
    ([Remove("expression: smile")], ["plain", "area", "mask", "time range", "batch"]),
):
    made, _ = edit(list(entries.values()), learnt, edits)
    moved = [key for (key, old), new in zip(entries.items(), made, strict=True) if not torch.equal(old[0], new[0])]
    expect(f"entries that change by {edits}", moved, changed)
    if edits is RED:
        batch = made[-1][0]
        expect("other batch row", torch.equal(batch[1], other[0]) and not torch.equal(batch[0], cond[0]))
        expect("keys stay", [made[4][1]["end_percent"], made[2][1]["area"]], [0.4, (8, 8, 0, 0)])
