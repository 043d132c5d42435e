"""Concept Map: the picture stays as it is, and the map is what attention and effect say."""

import sd35_shapes
import torch
from comfy_extras.nodes_slg import SkipLayerGuidanceDiT
from portraits_parts import PROMPT, encode, learnt, model, plain, steered
from script_parts import below, between, equal, expect, refused
from see_parts import one, wanted

from supsae.hosts.comfyui import attention, mapping
from supsae.hosts.comfyui.following import followed, tagged
from supsae.hosts.comfyui.pictures import draw
from supsae.supsae_core.editing.edits import Swap
from supsae.supsae_core.editing.windows import Window

# Portraits' text with the blocks of SD3.5-Medium, both of which attend twice
dual = sd35_shapes.build(2, 128, True, pooled=128, context=192)
blind = model.clone()
blind.model_options["transformer_options"]["optimized_attention_override"] = lambda function, q, k, v, *rest, **named: (
    function(q, k, v.flip(1), *rest, **named)
)
twice = [[torch.cat([plain[0][0], encode("blond hair")[0][0]]), plain[0][1]]]
cases = {
    "plain": {},
    "batch": {"batch": 2},
    "cfg 1": {"cfg": 1.0},
    "heun": {"sampler": "heun"},
    "long negative": {"negative": "red hair, " * 20},
    "odd size": {"side": 56},
    "dual": {"model": dual},
    "skip-layer guidance": {"model": SkipLayerGuidanceDiT().execute(model, 2.0, 0.0, 1.0, double_layers="1").args[0]},
    "override": {"model": blind},
    "steered": {"model": steered(Swap("background: snow"))},
    "batch of prompts": {"batch": 3, "positive": twice},
    "two of a category": {"prompt": "a portrait with blond hair, and one with red hair"},
    "two entries": {"positive": [*plain, *encode("blue eyes")]},
}
count, add = [], mapping.Heard.add
mapping.Heard.add = lambda self, maps: (count.append(1), add(self, maps))
effect = {}
for name, options in cases.items():
    unmapped, batch, side = draw(one(**options)), options.get("batch", 1), options.get("side", 64)
    for method in mapping.METHODS:
        count.clear()
        found, case = mapping.concept_map(one(**options), learnt, wanted(method)), f"{name}, {method}"
        equal(f"{case}: picture", found.pictures, unmapped)
        # cells of the latent; tokens are 2 × 2 of them, and an odd latent is padded
        cells = side // 8 if method == "effect" else -(-side // 16)
        expect(f"{case}: raw", list(found.raw.shape), [batch, cells, cells])
        expect(f"{case}: mask", list(found.mask.shape), [batch, side, side])
        expect(f"{case}: positive", bool((found.raw > 0).all()))
        between(f"{case}: lowest", -1e-6, float(found.mask.min()), 0.05)  # enlarging takes the edge off single cells
        between(f"{case}: highest", 0.9, float(found.mask.max()), 1.000001)
        # 3 steps, heun calls the model twice in all but the last; two blocks are listened to, one main pass a call
        calls = 5 if name == "heun" else 3
        expect(f"{case}: heard", len(count), calls * (2 if method == "attention" else 1))
        if method == "effect":
            effect[name] = float(found.raw.mean())
mapping.Heard.add = add
expect("what stands in for attention decides the picture", not torch.equal(draw(one(model=blind)), draw(one())))
# another background all over the picture would be many times what other hair changes
between("a steered model's map is of the concept alone", 0.5, effect["steered"] / effect["plain"], 1.5)

# The same words a second time; the shares of both. tokens: blond hair , green eyes , blond hair; behind the start row
# in the first 48 rows, and in rows from 48 on
prompts = ("blond hair, green eyes", "blond hair, green eyes, blond hair")
once, both = (mapping.concept_map(one(prompt=some), learnt, wanted("attention")).raw.mean() for some in prompts)
between("all mentions count", 1.5, float(both / once), 10)
(tag,) = mapping.tags(encode(prompts[1]), learnt, "hair: blond")
expect("their rows", [sorted(tag.rows[0]), tag.length], [[1, 2, 7, 8, 48, 49, 54, 55], 96])

# a share as the model itself has it: q and k of the first joint attention, softmax by hand
kept = {}
(tag,) = mapping.tags(plain, learnt, "hair: blond")


def hear(block, joint):
    kept.setdefault(block, joint)


def through(call):
    return call.run(options=attention.listening(call.options, call.blocks, [0], hear))


draw(one(model=followed(dual, through), positive=tagged(plain, [tag])))
joint = kept[0]


def split(t):
    return t.unflatten(-1, (joint.heads, -1)).transpose(1, 2)


# 96 text rows, and 16 image tokens; blocks with dual attention also call one of 16 rows
q, k = split(joint.q), split(joint.k)
weights = (q @ k.transpose(2, 3) / q.shape[-1] ** 0.5).softmax(-1).mean(1)[:, joint.text_rows :]
direct = weights[..., list(tag.rows[0])].sum(-1)
heard = attention.masses(joint.attention, joint.q, joint.k, joint.heads, [tag.rows[0]], joint.text_rows)[..., 0]
expect("rows of the joint attention", [joint.text_rows, list(joint.q.shape[1:])], [96, [96 + 16, 128]])
below("by hand", float((heard - direct).abs().max()), 1e-5)

# three other hair colours to swap for; with red hair beside it, blond alone is turned down; two other haircuts, one of
# them three words, for which a full prompt (46 tokens and an end leave one pad of 48 rows) has no room
for prompt, concept, ways in (
    (PROMPT, "hair: blond", 3),
    ("blond hair beside red hair", "hair: blond", 1),
    ("pigtails", "haircut: pigtails", 2),
    ("pigtails, " + "highly detailed " * 22, "haircut: pigtails", 1),
):
    expect(f"ways away from {prompt[:30]}", len(mapping.tags(encode(prompt), learnt, concept)[0].others), ways)

not_said = "does not say 'hair: red', so there are no words of it to follow. It says: hair: blond,"
area = [[cond, {**extra, "area": (8, 8, 0, 0)}] for cond, extra in plain]
refused(not_said, mapping.tags, plain, learnt, "hair: red")
refused("Did you mean 'hair: red'", mapping.tags, plain, learnt, "hair: rde")
refused("only for an area of the picture", mapping.tags, area, learnt, "hair: blond")
narrow, early = (wanted("effect", window=Window(*some)) for some in ((0.001, 0.002), (0.0, 0.3)))
refused("No step lies between start and end", mapping.concept_map, one(), learnt, narrow)
equal("a window leaves the picture", mapping.concept_map(one(), learnt, early).pictures, draw(one()))
