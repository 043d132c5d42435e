"""Concept Map: the picture stays as it is, and the map is what attention and effect say."""

import sd35_shapes
import torch
from comfy_extras.nodes_slg import SkipLayerGuidanceDiT
from script_parts import error, tell
from see_parts import PROMPT, encode, learnt, one, portraits, wanted

from supsae.hosts.comfyui import attention, mapping, steering
from supsae.hosts.comfyui.following import followed, tagged
from supsae.hosts.comfyui.pictures import draw
from supsae.hosts.comfyui.steering_run import Steering
from supsae.supsae_core.editing.edits import Swap
from supsae.supsae_core.editing.steer import Where
from supsae.supsae_core.editing.windows import Window

seen = {}
# Portraits' text with the blocks of SD3.5-Medium, both of which attend twice
dual = sd35_shapes.build(2, 128, True, pooled=128, context=192)
skipping = SkipLayerGuidanceDiT().execute(portraits, 2.0, 0.0, 1.0, double_layers="1").args[0]
snow = Steering(learnt, (Swap("background: snow"),), Where())
blind = portraits.clone()
blind.model_options["transformer_options"]["optimized_attention_override"] = lambda function, q, k, v, *rest, **named: (
    function(q, k, v.flip(1), *rest, **named)
)
long = "red hair, " * 20
batch = [torch.cat([encode(prompt)[0][0] for prompt in (PROMPT, "blond hair")]), encode(PROMPT)[0][1]]
cases = {
    "plain": {},
    "batch": {"batch": 2},
    "cfg 1": {"cfg": 1.0},
    "heun": {"sampler": "heun"},
    "long negative": {"negative": long},
    "odd size": {"side": 120},
    "dual": {"model": dual},
    "skip-layer guidance": {"model": skipping},
    "override": {"model": blind},
    "steered": {"model": steering.apply_to_model(portraits, snow)},
    "batch of prompts": {"batch": 3, "positive": [batch]},
    "two of a category": {"prompt": "a portrait with blond hair, and one with red hair"},
    "two entries": {"positive": [*encode(PROMPT), *encode("blue eyes")]},
}


def counted(heard):
    """Return what counts how often a map is added to, in place of mapping.Heard.add."""
    add = mapping.Heard.add
    return add, lambda self, maps: (heard.append(1), add(self, maps))


for name, options in cases.items():
    plain = draw(one(**options))
    for method in mapping.METHODS:
        count = []
        add, mapping.Heard.add = counted(count)
        found = mapping.concept_map(one(**options), learnt, wanted(method))
        mapping.Heard.add = add
        ranges = [float(found.mask.min()), float(found.mask.max())]
        seen[f"{name}, {method}"] = [
            torch.equal(found.pictures, plain),
            list(found.raw.shape),
            list(found.mask.shape),
            ranges,
            bool((found.raw > 0).all()),
            len(count),
            float(found.raw.mean()),
        ]
seen["override matters"] = not torch.equal(draw(one(model=blind)), draw(one()))

# the same words a second time; the shares of both
once, twice = (
    mapping.concept_map(one(prompt=prompt), learnt, wanted("attention")).raw.mean()
    for prompt in ("blond hair, green eyes", "blond hair, green eyes, blond hair")
)
(tag,) = mapping.tags(encode("blond hair, green eyes, blond hair"), learnt, "hair: blond")
seen["twice"] = [float(twice / once), tag.rows, tag.length]

# a share as the model itself has it: q and k of the first joint attention, softmax by hand
kept = {}


def hear(block, joint):
    if block == 0 and 0 not in kept:
        kept[0] = joint


def through(call):
    return call.run(options=attention.listening(call.options, call.family, [0], hear))


(tag,) = mapping.tags(encode(PROMPT), learnt, "hair: blond")
draw(one(model=followed(dual, through), positive=tagged(encode(PROMPT), [tag])))
joint = kept[0]


def split(t):
    return t.unflatten(-1, (joint.heads, -1)).transpose(1, 2)


q, k = split(joint.q), split(joint.k)
weights = (q @ k.transpose(2, 3) / q.shape[-1] ** 0.5).softmax(-1).mean(1)[:, joint.text_rows :]
direct = weights[..., list(tag.rows[0])].sum(-1)
heard = attention.masses(joint.attention, joint.q, joint.k, joint.heads, [tag.rows[0]], joint.text_rows)[..., 0]
seen["by hand"] = [joint.text_rows, list(joint.q.shape[1:]), float((heard - direct).abs().max())]

full = "pigtails, " + "highly detailed " * 22  # 46 tokens and an end leave one pad of 48 rows
ways = {PROMPT: "hair: blond", "blond hair beside red hair": "hair: blond", "pigtails": "haircut: pigtails"}
seen["ways"] = [
    len(mapping.tags(encode(prompt), learnt, concept)[0].others)
    for prompt, concept in {**ways, full: "haircut: pigtails"}.items()
]
seen["not said"] = error(mapping.tags, encode(PROMPT), learnt, "hair: red")
seen["unknown"] = error(mapping.tags, encode(PROMPT), learnt, "hair: rde")
area = [[cond, {**extra, "area": (8, 8, 0, 0)}] for cond, extra in encode(PROMPT)]
seen["area"] = error(mapping.tags, area, learnt, "hair: blond")
narrow = Window(0.001, 0.002)
seen["no step"] = error(mapping.concept_map, one(), learnt, wanted("effect", window=narrow))
early = mapping.concept_map(one(), learnt, wanted("effect", window=Window(0.0, 0.3)))
seen["window"] = torch.equal(early.pictures, draw(one()))
tell(seen)
