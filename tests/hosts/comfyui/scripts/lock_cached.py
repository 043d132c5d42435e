"""When the Lock samples the unedited picture anew, and when not."""

import torch
from lock_parts import calls, drawn, locked
from portraits_parts import RED, WOOD, edited, encode, noise, plain, steered
from script_parts import equal, expect

from supsae.hosts.comfyui.sampling import SamplerSettings
from supsae.supsae_core.editing.edits import Swap


def run(made, *given, **named):
    calls.clear()
    picture = drawn(made, *given, **named)
    return picture, len(calls)


# 3 steps of Euler; the positive and the negative prompt of a step go through the model together
held, made = locked()
(fresh, twice), (again, once) = run(made), run(made)
expect("calls of the first run and the second", [twice, once], [6, 3])
equal("cached is fresh", fresh, again)
forest = edited(WOOD)
picture, calls_now = run(made, forest)
expect("calls for another edit", calls_now, 3)
equal("other edit is fresh", picture, run(locked()[1], forest)[0])
sliders = [run(steered(Swap(RED.concept, s), on=made), plain)[1] for s in (0.5, 1.0, 1.2)]
expect("calls as a slider of Apply Edits moves", sliders[1:], [3, 3])

patched, lora = made.clone(), made.clone()
patched.set_model_sampler_post_cfg_function(lambda args: args["denoised"])
lora.add_patches({"diffusion_model.final_layer.linear.bias": ("diff", (torch.full((64,), 0.01),))})
for name, on, named in (
    ("seed", made, {"seed": 4}),
    ("noise", made, {"noise": noise * 1.01}),
    ("cfg", made, {"how": SamplerSettings(3, 4.0)}),
    ("sampler", made, {"how": SamplerSettings(3, 3.0, "lms")}),
    ("scheduler", made, {"how": SamplerSettings(3, 3.0, "euler", "normal")}),
    ("negative", made, {"negative": encode("a hat")}),
    ("prompt", made, {"positive": edited(RED, of=encode("blond hair"))}),
    ("patch", patched, {}),
    ("weights", lora, {}),
):
    run(made)
    expect(f"another {name} has another reference", run(on, **named)[1] > 3)
