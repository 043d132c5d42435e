"""The Lock with other nodes, guiders, regions and inpainting."""

import comfy.cldm.mmdit
import comfy.controlnet
import comfy.latent_formats
import comfy.ops
import comfy.sample
import comfy.samplers
import torch
from comfy_extras.nodes_custom_sampler import Guider_DualCFG
from comfy_extras.nodes_perpneg import Guider_PerpNeg
from comfy_extras.nodes_slg import SkipLayerGuidanceDiT
from lock_parts import (
    drawn,
    edited,
    empty,
    encode,
    guider_of,
    holds,
    learnt,
    levels_of,
    locked,
    model,
    noise,
    outside,
    plain,
    red,
    vae,
)
from script_parts import tell

import nodes
from supsae.hosts.comfyui import sampling
from supsae.hosts.comfyui.conditionings import edit
from supsae.hosts.comfyui.sampling import SamplerSettings
from supsae.supsae_core.editing.edits import Swap

seen = {}
several = sampling.noise_of(torch.zeros(3, 16, 8, 8), 5)
long = encode("a badly drawn picture, " * 12)
two = [[torch.cat([plain[0][0], encode("black hair, a hat")[0][0]]), plain[0][1]]]
halves = [
    [c, {**d, "area": (4, 8, y, 0), "strength": 1.0}] for y, (c, d) in ((0, plain[0]), (4, encode("black hair")[0]))
]
seen["batch"] = holds(noise=several)
seen["batch of prompts"] = holds(positive=red(two), before=two, noise=several[:2])
seen["cfg 1"] = holds(how=SamplerSettings(3, 1.0))
seen["unequal lengths"] = holds(negative=long)
seen["regions"] = holds(positive=red(halves), before=halves)
seen["edited twice"] = holds(positive=edit(edited, learnt, [Swap("background: forest")])[0])

skipped = SkipLayerGuidanceDiT.execute(model, 3.0, 0.0, 1.0, "1")[0]
seen["skip-layer guidance"] = holds(on=skipped, reference=skipped)

torch.manual_seed(0)
shape = {**model.model.model_config.unet_config, "dtype": torch.float32}
network = comfy.cldm.mmdit.ControlNet(
    num_blocks=1, control_latent_channels=16, operations=comfy.ops.disable_weight_init, device="cpu", **shape
)
for tensor in network.parameters():
    torch.nn.init.normal_(tensor, std=0.02)
for block in network.controlnet_blocks:
    torch.nn.init.normal_(block.weight, std=0.1)
unshifted = comfy.latent_formats.SD3()
unshifted.shift_factor = 0
control = comfy.controlnet.ControlNet(
    network, compression_ratio=1, latent_format=unshifted, load_device=torch.device("cpu")
)


def controlled(positive):
    hint = torch.rand(1, 64, 64, 3, generator=torch.Generator().manual_seed(1))
    return nodes.ControlNetApplyAdvanced().apply_controlnet(positive, empty, control, hint, 1.0, 0.0, 1.0, vae)


before, negative = controlled(plain)
seen["ControlNet acts"] = not torch.equal(drawn(model, before, negative), drawn(model, plain))
# the negative prompt has the ControlNet too, as the node gives it out
after = [[c, {**d, "control": before[0][1]["control"], "control_apply_to_uncond": False}] for c, d in edited]
seen["ControlNet"] = holds(positive=after, before=before, negative=negative)

# --- inpainting ---
filled = vae.encode(torch.rand(1, 64, 64, 3, generator=torch.Generator().manual_seed(2)))
hole = torch.zeros(1, 64, 64)
hole[:, 8:56, 8:56] = 1


def inpainted(model, positive):
    return comfy.sample.sample(
        model, noise, 4, 3.0, "euler", "simple", positive, empty, filled, noise_mask=hole, seed=3, denoise=0.8
    )


held, made = locked()
picture, unedited = inpainted(made, edited), inpainted(model, plain)
seen["inpainting"] = [
    torch.equal(held.result(picture).reference, unedited),
    outside(held.result(picture), picture, unedited),
    True,
    bool((picture != unedited).any()),
]

# --- guiders, and a sampler that draws from the common random numbers ---
churned = comfy.samplers.ksampler("euler", {"s_churn": 4.0, "s_noise": 1.0})


def guided(make, sampler):
    def sample(on, positive):
        torch.manual_seed(11)
        return make(on, positive).sample(noise, torch.zeros_like(noise), sampler, levels_of(4), seed=3)

    held, made = locked()
    picture, unedited = sample(made, edited), sample(model, plain)
    again = sample(made, edited)  # the reference is known now
    result = held.result(picture)
    return [
        torch.equal(result.reference, unedited),
        outside(result, picture, unedited),
        torch.equal(again, picture),
        bool((picture != unedited).any()),
    ]


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
seen["churned"] = guided(guider_of, churned)
seen["dual guider"] = guided(dual, euler)
seen["dual guider, cfg++"] = guided(dual, cfg_pp)
seen["perp-neg guider, cfg++"] = guided(perpendicular, cfg_pp)
tell(seen)
