"""Edits on a model: equal to an edited conditioning, beside other nodes, in windows, without effect, refused."""

from types import SimpleNamespace

import comfy.sd
import torch
from comfy_extras.nodes_pag import PerturbedAttentionGuidance
from comfy_extras.nodes_slg import SkipLayerGuidanceDiT
from portraits_parts import (
    PROMPT,
    RED,
    WOOD,
    clip,
    controlled,
    drawn,
    edited,
    encode,
    halves,
    learnt,
    model,
    noise,
    plain,
    red,
    steered,
    two,
)
from script_parts import below, between, equal, expect, refused

from supsae.hosts.comfyui.sampling import SamplerSettings
from supsae.nodes.edit import ApplyEditsNode
from supsae.supsae_core.editing.edits import Remove, Swap
from supsae.supsae_core.editing.windows import Window

before, drawn_red = drawn(model), drawn(model, red)
expect("the edit is seen", float((before - drawn_red).abs().max()) > 0.5)


def far(one, other):
    """Return how far apart two latents are, as a share of what the edit changes."""
    return float((one - other).norm() / (before - drawn_red).norm())


# --- equal to an edited conditioning ---
long, bold = encode("a badly drawn picture, " * 12), encode(PROMPT.replace("green eyes", "(green eyes:1.2)"))
tuned = clip.clone()  # as a LoRA on the text encoders changes them
name = next(key for key in tuned.get_key_patches() if key.endswith("weight") and "causal" in key)
weight = tuned.get_key_patches()[name][0]
weight = weight[0] if isinstance(weight, tuple) else weight
expect("patches of the text encoders", bool(tuned.add_patches({name: ("diff", (0.01 * torch.ones_like(weight),))}, 1)))
other = tuned.encode_from_tokens_scheduled(tuned.tokenize(PROMPT))
expect("they act", not torch.equal(other[0][0], plain[0][0]))
for name, positive, options in (
    ("plain", plain, {}),
    ("cfg 1", plain, {"how": SamplerSettings(3, 1.0)}),
    ("heun", plain, {"how": SamplerSettings(3, 3.0, "heun")}),
    ("batch", plain, {"noise": noise.repeat(3, 1, 1, 1)}),
    ("batch of prompts", two, {"noise": noise.repeat(2, 1, 1, 1)}),
    ("unequal lengths", plain, {"negative": long}),
    ("regions", halves, {}),
    ("prompt weights", bold, {}),
    ("LoRA on the text encoders", other, {}),
):
    equal(name, drawn(steered(RED), positive, **options), drawn(model, edited(RED, of=positive), **options))
equal("two nodes are one", drawn(steered(WOOD, on=steered(RED))), drawn(model, edited(RED, WOOD)))
equal("other order", drawn(steered(RED, on=steered(WOOD))), drawn(model, edited(RED, WOOD)))
blond = encode("blond hair")
equal("negative too", drawn(steered(RED, everywhere=True), plain, blond), drawn(model, red, edited(RED, of=blond)))
equal("negative says nothing", drawn(steered(RED, everywhere=True)), drawn_red)
below("the text entering block 0 is the prompt", far(drawn(steered(RED, sites="txt@0, pooled")), drawn_red), 1e-3)

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
    wanted = drawn(other(model), red)
    expect(f"{other.__name__} acts", not torch.equal(wanted, drawn_red) or other is pag)
    for sites in ("cond, pooled", "txt@0, pooled", "txt@1"):
        ours_last = drawn(steered(RED, sites=sites, on=other(model)))
        equal(f"{other.__name__} {sites}", ours_last, drawn(other(steered(RED, sites=sites))))
        if sites != "txt@1":
            below(f"{other.__name__} {sites} is the edit", far(ours_last, wanted), 1e-3)

# a ControlNet reads the prompt before the edit is made: as if its rows were given apart, so they are not batched with
# the negative's
with_control, without = controlled(plain)
rows = [[red[0][0], {**with_control[0][1], "cross_attn_controlnet": plain[0][0]}]]
wanted = drawn(model, rows, without)
expect("a ControlNet acts", not torch.equal(wanted, drawn(model, [[rows[0][0], plain[0][1]]])))
below("a ControlNet sees the unedited", far(drawn(steered(RED, sites="cond"), with_control, without), wanted), 1e-3)


# --- when and how far ---
def windowed(start, end, sites="cond, pooled", **more):
    return drawn(steered(RED, sites=sites, window=Window(start, end), **more))


between("late is in between", 0, far(windowed(0.5, 1.0), before), 1)
first_half = steered(RED, window=Window(0.0, 0.5))
equal("two halves are a whole", drawn(steered(RED, window=Window(0.5, 1.0), on=first_half)), drawn_red)
equal("between two steps nothing happens", windowed(0.001, 0.002), before)
whole = windowed(0, 1, "txt@0-2")
between("inside one block is less", 0.01, far(windowed(0, 1, "txt@0", inside=True), windowed(0, 1, "txt@0")), 1.5)
both = steered(WOOD, sites="txt@2", on=steered(RED, sites="txt@1"))
for name, other in (("earlier", steered(RED, sites="txt@1")), ("later", steered(WOOD, sites="txt@2"))):
    between(f"two edits are not the {name} one", 0.02, far(drawn(both), drawn(other)), 10)
idle = steered(Swap("hair: red", 0.0), sites="txt@2", on=steered(RED, sites="txt@1"))
equal("an edit at strength 0 later", drawn(idle), drawn(steered(RED, sites="txt@1")))
equal("inside all blocks is all", windowed(0, 1, "txt@0-2", inside=True), whole)

# --- nothing changes nothing ---
mask, short = torch.ones(1, 64, 64), SamplerSettings(2, 3.0)
nothing, part = drawn(model, how=short), Window(0.2, 0.8, 0.1)
for sites in ("cond, pooled", "cond", "pooled", "txt@0-2", "txt@1"):
    for options in ({}, {"window": part, "everywhere": True}, {"inside": True}, {"mask": mask[0], "window": part}):
        made = drawn(steered(Swap("hair: red", 0.0), sites=sites, **options), how=short)
        equal(f"strength 0 at {sites}, {list(options)}", made, nothing)
equal("a swap for itself", drawn(steered(Swap("hair: blond")), how=short), nothing)


# --- refused ---
def run(*edits, of=plain, **named):
    return drawn(steered(*edits, **named), of, how=short)


def node(sites, model=model, mask=None, reach="to the last block"):
    how = {"start": 0.0, "end": 1.0, "ramp": 0.0, "prompts": "positive"}
    where = {"where": "chosen sites", "sites": sites, "reach": reach, "mask": mask, **how}
    return ApplyEditsNode.execute(learnt, (RED,), where, model=model)


def apply_edits(where, *others):
    return ApplyEditsNode.execute(learnt, (RED,), where and {"where": where}, *others)


refused("no txt@3: this model has 3 blocks, so txt@0 … txt@2", node, "txt@3")
refused("no img@4: this model has 3 blocks, so img@0 … img@3", node, "img@4")
refused("no site 'txt@x'", node, "txt@x")
refused("nothing for img@1; it has cond, pooled, txt@ with any block", node, "img@1")
refused("cond reaches every block already, so txt@0 would make the edit twice", node, "cond, txt@0")
refused("mask has the shape (2, 8, 8)", node, "img@1", mask=torch.ones(2, 8, 8))
refused("The mask says where in the picture, and pooled has no place in it", node, "img@1, pooled", mask=mask)
refused("cond, pooled: these sites have no blocks", node, "cond, pooled", reach="in the chosen blocks")
refused("so 'part of sampling' would do nothing", apply_edits, "part of sampling", plain)
refused("where is missing, or none of its choices: 'everywhere', 'part of", apply_edits, None, plain)
refused("is connected to a conditioning and to a model", apply_edits, "everywhere", plain, model)
refused("Apply Edits has nothing to change", apply_edits, "everywhere")
flux = SimpleNamespace(model=type("Flux", (), {})(), model_options={}, clone=lambda: flux)
refused("This model is Flux", node, "cond", model=flux)
refused("Cannot remove 'hat: crown'", run, Remove("hat: crown"))
refused("Did you mean 'hair: red'", run, Swap("hair: rde"))
refused("change 'hair'", run, RED, Swap("hair: black"))
refused("mask of the whole picture cannot be laid over", run, RED, of=halves, mask=mask[0])

# --- nothing left behind ---
equal("usable after an error", drawn(steered(RED)), drawn_red)
equal("model unchanged", drawn(model), before)
expect("nothing on the model", not model.attachments and not model.wrappers)
expect("no state on the clone", "supsae" not in steered(RED).model_options.get("transformer_options", {}))
