"""Edits on a model: equal to an edited conditioning, beside other nodes, in windows, without effect, refused."""

import itertools

import comfy.cldm.mmdit
import comfy.controlnet
import comfy.latent_formats
import comfy.ops
import comfy.sd
import torch
from comfy_extras.nodes_pag import PerturbedAttentionGuidance
from comfy_extras.nodes_slg import SkipLayerGuidanceDiT
from script_parts import error, portraits_vae, tell
from steering_parts import (
    PROMPT,
    RED,
    WOOD,
    before,
    clip,
    drawn,
    drawn_red,
    edited,
    empty,
    encode,
    far,
    learnt,
    model,
    noise,
    plain,
    steered,
)

import nodes
from supsae.hosts.comfyui.sampling import SamplerSettings
from supsae.nodes.edit import ApplyEditsNode
from supsae.supsae_core.editing.edits import Remove, Swap
from supsae.supsae_core.editing.windows import Window

seen = {}
seen["the edit is seen"] = float((before - drawn_red).abs().max()) > 0.5

# --- equal to an edited conditioning ---
seen["cond, pooled"] = torch.equal(drawn(steered(RED)), drawn_red)
seen["two nodes are one"] = torch.equal(drawn(steered(WOOD, on=steered(RED))), drawn(model, edited(RED, WOOD)))
seen["other order"] = torch.equal(drawn(steered(RED, on=steered(WOOD))), drawn(model, edited(RED, WOOD)))
seen["txt@0, pooled"] = far(drawn(steered(RED, sites="txt@0, pooled")), drawn_red)
for name, how in (("cfg 1", SamplerSettings(4, 1.0)), ("heun", SamplerSettings(3, 3.0, "heun"))):
    seen[name] = torch.equal(drawn(steered(RED), how=how), drawn(model, edited(RED), how=how))
several = noise.repeat(3, 1, 1, 1)
seen["batch"] = torch.equal(drawn(steered(RED), noise=several), drawn(model, edited(RED), noise=several))
two = [[torch.cat([plain[0][0], encode(PROMPT.replace("blond", "black"))[0][0]]), plain[0][1]]]
pair = noise.repeat(2, 1, 1, 1)
seen["batch of prompts"] = torch.equal(
    drawn(steered(RED), two, noise=pair), drawn(model, edited(RED, conditionings=two), noise=pair)
)
long = encode("a badly drawn picture, " * 12)
assert long[0][0].shape[1] != plain[0][0].shape[1]
seen["unequal lengths"] = torch.equal(drawn(steered(RED), negative=long), drawn(model, edited(RED), long))
upper, lower = plain[0], encode("black hair")[0]
halves = [[c, {**d, "area": (8, 16, y, 0), "strength": 1.0}] for y, (c, d) in ((0, upper), (8, lower))]
seen["regions"] = torch.equal(drawn(steered(RED), halves), drawn(model, edited(RED, conditionings=halves)))
bold = encode(PROMPT.replace("green eyes", "(green eyes:1.2)"))
seen["prompt weights"] = torch.equal(drawn(steered(RED), bold), drawn(model, edited(RED, conditionings=bold)))
seen["negative too"] = torch.equal(
    drawn(steered(RED, everywhere=True), negative=encode("blond hair")),
    drawn(model, edited(RED), edited(RED, conditionings=encode("blond hair"))),
)
seen["negative says nothing"] = torch.equal(drawn(steered(RED, everywhere=True)), drawn_red)

# --- with other nodes, in either order ---


def double(args, extra):  # another pack's patch on a block that ours taps too
    made = extra["original_block"](args)
    return {**made, "img": made["img"] * 1.01}


def patched(on):
    made = on.clone()
    made.set_model_patch_replace(double, "dit", "double_block", 0)
    return made


def slg(on):
    return SkipLayerGuidanceDiT.execute(on, 3.0, 0.0, 1.0, "1")[0]


def pag(on):
    return PerturbedAttentionGuidance.execute(on, 3.0)[0]


def lora(on):
    weights = {}
    for name in ("x_block.attn.qkv", "context_block.mlp.fc1"):
        rows = on.model.state_dict()[f"diffusion_model.joint_blocks.0.{name}.weight"].shape
        for half, shape in (("up", (rows[0], 2)), ("down", (2, rows[1]))):
            torch.manual_seed(1)
            weights[f"diffusion_model.joint_blocks.0.{name}.lora_{half}.weight"] = 0.05 * torch.randn(shape)
    return comfy.sd.load_lora_for_models(on, None, weights, 1.0, 0.0)[0]


for other in (patched, slg, pag, lora):
    wanted = drawn(other(model), edited(RED))
    for sites in ("cond, pooled", "txt@0, pooled"):
        ours_last = drawn(steered(RED, sites=sites, on=other(model)))
        ours_first = drawn(other(steered(RED, sites=sites)))
        seen[f"{other.__name__} {sites}"] = [
            float((wanted - drawn_red).abs().max()) > 0 or other is pag,
            torch.equal(ours_last, ours_first),
            far(ours_last, wanted),
        ]

# a ControlNet reads the prompt before the edit is made: as if its rows were given apart

torch.manual_seed(0)
shape = {**model.model.model_config.unet_config, "dtype": torch.float32}
network = comfy.cldm.mmdit.ControlNet(
    num_blocks=1, control_latent_channels=16, operations=comfy.ops.disable_weight_init, device="cpu", **shape
)
for tensor in network.parameters():
    torch.nn.init.normal_(tensor, std=0.05)
control = comfy.controlnet.ControlNet(
    network, compression_ratio=1, latent_format=comfy.latent_formats.SD3(), load_device=torch.device("cpu")
)
vae, hint = portraits_vae(), torch.rand(1, 128, 128, 3)
apply = nodes.ControlNetApplyAdvanced().apply_controlnet
with_control, without = apply(plain, empty, control, hint, 1.0, 0.0, 1.0, vae)
rows = [[edited(RED)[0][0], {**with_control[0][1], "cross_attn_controlnet": plain[0][0]}]]
wanted = drawn(model, rows, without)
seen["a ControlNet acts"] = not torch.equal(wanted, drawn(model, [[rows[0][0], plain[0][1]]]))
seen["ControlNet"] = far(drawn(steered(RED, sites="cond"), with_control, without), wanted)

tuned = clip.clone()  # as a LoRA on the text encoders changes them
name = next(key for key in tuned.get_key_patches() if key.endswith("weight") and "causal" in key)
weight = tuned.get_key_patches()[name][0]
weight = weight[0] if isinstance(weight, tuple) else weight
assert tuned.add_patches({name: ("diff", (0.01 * torch.randn_like(weight),))}, 1.0)
other = tuned.encode_from_tokens_scheduled(tuned.tokenize(PROMPT))
seen["a LoRA on the text encoders acts"] = not torch.equal(other[0][0], plain[0][0])
seen["LoRA on the text encoders"] = torch.equal(
    drawn(steered(RED), other), drawn(model, edited(RED, conditionings=other))
)


# --- when and how far ---
def windowed(start, end, sites="cond, pooled", **more):
    return drawn(steered(RED, sites=sites, window=Window(start, end), **more))


late = windowed(0.5, 1.0)
seen["late is in between"] = 0 < far(late, before) < 1
seen["two halves are a whole"] = torch.equal(
    drawn(steered(RED, window=Window(0.5, 1.0), on=steered(RED, window=Window(0.0, 0.5)))), drawn_red
)
seen["between two steps nothing happens"] = torch.equal(windowed(0.001, 0.002), before)
seen["inside one block is less"] = far(windowed(0, 1, "txt@0", inside=True), windowed(0, 1, "txt@0"))
seen["inside all blocks is all"] = torch.equal(windowed(0, 1, "txt@0-2", inside=True), windowed(0, 1, "txt@0-2"))

# --- nothing changes nothing ---
mask = torch.ones(1, 64, 64)
zero, same = Swap("hair: red", 0.0), Swap("hair: blond")
options = itertools.product(
    ("cond, pooled", "cond", "pooled", "txt@0-2"),
    (Window(), Window(0.2, 0.8, 0.1)),
    (False, True),
    (False, True),
    (None, mask[0]),
)
short = SamplerSettings(2, 3.0)
nothing = drawn(model, how=short)
names = ("sites", "window", "everywhere", "inside", "mask")
chosen = [dict(zip(names, one, strict=True)) for one in options]
left = [str(one) for one in chosen if not torch.equal(drawn(steered(zero, **one), how=short), nothing)]
seen["no-ops that are none"] = left
seen["a swap for itself"] = torch.equal(drawn(steered(same), how=short), nothing)


# --- refused ---
def run(*edits, **named):
    return drawn(steered(*edits, **named), how=short)


apply_edits = ApplyEditsNode.execute


def node(sites, model=model, mask=None, reach="to the last block"):
    how = {"start": 0.0, "end": 1.0, "ramp": 0.0, "prompts": "positive"}
    where = {"where": "chosen sites", "sites": sites, "reach": reach, "mask": mask, **how}
    return apply_edits(learnt, (RED,), where, model=model)


seen["refused"] = {
    "block": error(node, "txt@3"),
    "img block": error(node, "img@4"),
    "spelling": error(node, "txt@x"),
    "no part": error(node, "txt@1"),
    "twice": error(node, "cond, txt@0"),
    "masks": error(node, "img@1", mask=torch.ones(2, 8, 8)),
    "a mask for words": error(node, "img@1, pooled", mask=mask),
    "a reach without blocks": error(node, "cond, pooled", reach="in the chosen blocks"),
    "a time for a conditioning": error(apply_edits, learnt, (RED,), {"where": "part of sampling"}, plain),
    "no such choice": error(apply_edits, learnt, (RED,), None, plain),
    "both": error(apply_edits, learnt, (RED,), {"where": "everywhere"}, plain, model),
    "neither": error(apply_edits, learnt, (RED,), {"where": "everywhere"}),
    "not said": error(run, Remove("hat: crown")),
    "unknown": error(run, Swap("hair: rde")),
    "two": error(run, RED, Swap("hair: black")),
}


class Flux:
    pass


class Other:
    model = Flux()


seen["refused"]["family"] = error(node, "cond", model=Other())


def mask_and_area():
    return drawn(steered(RED, mask=mask[0]), halves, how=short)


seen["refused"]["mask and area"] = error(mask_and_area)
seen["usable after an error"] = torch.equal(drawn(steered(RED)), drawn_red)

# --- nothing left behind ---
seen["model unchanged"] = torch.equal(drawn(model), before) and not model.attachments and not model.wrappers
seen["no state on the clone"] = "supsae" not in steered(RED).model_options.get("transformer_options", {})
tell(seen)
