"""When the Lock samples the unedited picture anew, and when not."""

import torch
from lock_parts import calls, drawn, encode, learnt, locked, noise, plain, red, steered
from script_parts import tell

from supsae.hosts.comfyui.conditionings import edit
from supsae.hosts.comfyui.sampling import SamplerSettings
from supsae.supsae_core.editing.edits import Swap

seen = {}


def run(made, *given, **named):
    calls.clear()
    picture = drawn(made, *given, **named)
    return picture, len(calls)


held, made = locked()
(fresh, twice), (again, once) = run(made), run(made)
seen["first run"], seen["second run"] = twice, once
seen["cached is fresh"] = torch.equal(fresh, again)
forest = edit(plain, learnt, [Swap("background: forest")])[0]
picture, count_now = run(made, forest)
seen["other edit"] = count_now
seen["other edit is fresh"] = torch.equal(picture, run(locked()[1], forest)[0])
seen["slider of Apply Edits"] = [run(steered(made, Swap("hair: red", s)), plain)[1] for s in (0.5, 1.0, 1.2)]

for name, named in {
    "seed": {"seed": 4},
    "noise": {"noise": noise * 1.01},
    "cfg": {"how": SamplerSettings(3, 4.0)},
    "sampler": {"how": SamplerSettings(3, 3.0, "lms")},
    "scheduler": {"how": SamplerSettings(3, 3.0, "euler", "normal")},
    "negative": {"negative": encode("a hat")},
    "prompt": {"positive": red(encode("blond hair"))},
}.items():
    run(made)
    seen[f"other {name}"] = run(made, **named)[1] > 3
patched = made.clone()
patched.set_model_sampler_post_cfg_function(lambda args: args["denoised"])
run(made)
seen["other patch"] = run(patched)[1] > 3
lora = made.clone()
lora.add_patches({"diffusion_model.final_layer.linear.bias": ("diff", (torch.full((64,), 0.01),))})
run(made)
seen["other weights"] = run(lora)[1] > 3
tell(seen)
