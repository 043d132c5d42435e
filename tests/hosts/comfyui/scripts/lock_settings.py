"""The Lock with other nodes, guiders, regions and inpainting."""

import comfy.sample
import comfy.samplers
import torch
from comfy_extras.nodes_custom_sampler import Guider_DualCFG
from comfy_extras.nodes_perpneg import Guider_PerpNeg
from comfy_extras.nodes_slg import SkipLayerGuidanceDiT
from lock_parts import drawn, guider_of, holds, levels_of
from portraits_parts import RED, WOOD, controlled, edited, empty, encode, halves, model, noise, plain, red, two, vae
from script_parts import equal, expect

from supsae.hosts.comfyui.sampling import SamplerSettings

several = noise.repeat(3, 1, 1, 1) * torch.tensor([1, 0.9, 1.1]).view(3, 1, 1, 1)
long = encode("a badly drawn picture, " * 12)


def with_options(**options):
    return lambda on, positive: drawn(on, positive, **options)


holds("batch", with_options(noise=several))
holds("batch of prompts", with_options(noise=several[:2]), before=two, positive=edited(RED, of=two))
holds("cfg 1", with_options(how=SamplerSettings(3, 1.0)))
holds("unequal lengths", with_options(negative=long))
holds("regions", drawn, before=halves, positive=edited(RED, of=halves))
holds("edited twice", drawn, positive=edited(WOOD, of=red))
holds("skip-layer guidance", drawn, on=SkipLayerGuidanceDiT.execute(model, 3.0, 0.0, 1.0, "1")[0])

before, negative = controlled(plain)
expect("a ControlNet acts", not torch.equal(drawn(model, before, negative), drawn(model, plain)))
# the negative prompt has the ControlNet too, as the node gives it out
after = [[c, {**d, "control": before[0][1]["control"], "control_apply_to_uncond": False}] for c, d in red]
holds("ControlNet", with_options(negative=negative), before=before, positive=after)

# --- inpainting ---
filled = vae.encode(torch.rand(1, 64, 64, 3, generator=torch.Generator().manual_seed(2)))
hole = torch.zeros(1, 64, 64)
hole[:, 8:56, 8:56] = 1


def inpainted(model, positive):
    return comfy.sample.sample(
        model, noise, 4, 3.0, "euler", "simple", positive, empty, filled, noise_mask=hole, seed=3, denoise=0.8
    )


holds("inpainting with a noise_mask", inpainted)

# --- guiders, and a sampler that draws from the common random numbers ---


def dual(on, positive):
    guider = Guider_DualCFG(on)
    guider.set_conds(positive, encode("a drawing"), empty)
    guider.set_cfg(3.0, 2.0)
    return guider


def perpendicular(on, positive):
    guider = Guider_PerpNeg(on)
    guider.set_conds(positive, encode("a photo"), empty)
    guider.set_cfg(3.0, 1.0)
    return guider


euler, cfg_pp = (comfy.samplers.ksampler(name) for name in ("euler", "euler_ancestral_cfg_pp"))
churned = comfy.samplers.ksampler("euler", {"s_churn": 4.0, "s_noise": 1.0})
for make, sampler in ((guider_of, churned), (dual, euler), (dual, cfg_pp), (perpendicular, cfg_pp)):

    def guided(on, positive, make=make, sampler=sampler):
        torch.manual_seed(11)
        return make(on, positive).sample(noise, torch.zeros_like(noise), sampler, levels_of(4), seed=3)

    name = f"{make.__name__}, {sampler.sampler_function.__name__}"
    _, made, picture = holds(name, guided)
    equal(f"{name}: the reference is known now", guided(made, red), picture)
