"""Concept Mixer: the edits it makes and what its panel is told: `python … PROMPT`."""

import json
import sys

import torch
from script_parts import WEIGHTS, encode_with, portraits_model, tell

from supsae.hosts.comfyui import sampling
from supsae.hosts.comfyui.conditionings import edit
from supsae.hosts.comfyui.mixing import mix_conditioning, mix_model
from supsae.hosts.comfyui.portraits_clip import portraits_clip
from supsae.hosts.comfyui.sampling import SamplerSettings
from supsae.supsae_core.dictionary.file import load_dictionary
from supsae.supsae_core.editing import mix
from supsae.supsae_core.editing.edits import Keep, Remove, Swap

seen = {}
learnt = load_dictionary(WEIGHTS / "supsae" / "portraits.safetensors")
clip = portraits_clip()
model = portraits_model()


def encode(prompt):
    return encode_with(clip, prompt)


plain, empty = encode(sys.argv[1]), encode("")
noise = sampling.noise_of(sampling.empty_latent(128, 128), 3)


def drawn(model, positive=plain, negative=empty):
    return sampling.sample(model, positive, negative, noise, SamplerSettings(4, 3.0), 3)


def mixed(rows, conditioning=plain):
    return mix_conditioning(conditioning, learnt, mix.parse_mix(json.dumps({"version": 1, "mix": rows})))


def modelled(rows, told, on=model):
    return mix_model(on, learnt, mix.parse_mix(json.dumps({"version": 1, "mix": rows})), told.append)


def same(one, other):
    return [
        torch.equal(a[0], b[0]) and torch.equal(a[1]["pooled_output"], b[1]["pooled_output"])
        for a, b in zip(one, other, strict=True)
    ]


RED = {"hair": {"say": "red"}}


def edited(*edits, on=plain):
    return edit(on, learnt, edits)[0]


# --- a conditioning ---
seen["swap"] = same(mixed(RED).output, edited(Swap("hair: red")))
three = {"hair": {"say": "red", "strength": 0.8}, "expression": {"say": None}, "eyes": {"keep": True}}
made = mixed(three)
wanted = edited(Swap("hair: red", 0.8), Remove("expression: smile"), Keep("eyes"))
seen["three rows"] = same(made.output, wanted)
seen["report"], seen["prompts"] = made.report, made.panel["prompts"]
longer = {"expression": {"say": "sad"}, "background": {"say": "city"}, "eyes": {"keep": True}}
seen["longer phrases"] = mixed(longer).panel["prompts"][0]
still = {
    "empty": {},
    "strength 0": {"hair": {"say": "red", "strength": 0}},
    "said already": {"hair": {"say": "blond"}},
    "kept only": {"eyes": {"keep": True}},
    "unmentioned cleared": {"hat": {"say": None}},
}
for name, rows in still.items():
    made = mixed(rows)
    seen[f"still {name}"] = made.output[0] is plain[0]
    seen[f"shown {name}"] = made.panel["prompts"][0]["before"]["hair"]
zeros = [[plain[0][0] * 0, plain[0][1]]]
seen["zeros"] = [mixed({}, zeros).output[0] is zeros[0], mixed({}, zeros).panel["prompts"]]
two = mixed(RED, [*plain, *encode("green eyes")])
seen["two parts"] = [one["title"] for one in two.panel["prompts"]]
seen["two parts after"] = [one["after"]["hair"] for one in two.panel["prompts"]]

# --- a model ---
told = []
before = drawn(modelled(longer, told).output)
seen["longer phrases of a model"] = told[0]["prompts"][0]
before, told = drawn(model), []
both = {**RED, "eyes": {"keep": True}}
wanted = drawn(model, mixed(both).output)
seen["the edit is seen"] = float((before - wanted).abs().max()) > 0.5
made = modelled(both, told)
seen["not told before it draws"] = [told == [], made.panel["prompts"], made.report]
seen["model"] = torch.equal(drawn(made.output), wanted)
seen["told once"] = len(told)
seen["told as a conditioning's"] = told[0]["prompts"] == mixed(both).panel["prompts"]
seen["told report"] = told[0]["report"] == mixed(both).report
told, other = [], []
chained = modelled({"background": {"say": "forest"}}, other, modelled(RED, told).output).output
one_node = mixed({**RED, "background": {"say": "forest"}}).output
seen["two mixers are one"] = torch.equal(drawn(chained), drawn(model, one_node))
seen["both are told"] = [len(told), len(other)]
told = []
idle = modelled({}, told).output
seen["idle"] = torch.equal(drawn(idle), before)
seen["idle is told"] = told[0]["prompts"] == mixed({}).panel["prompts"]
calls = []


def spy(executor, *args, **kwargs):
    calls.append("supsae" in args[-1] if isinstance(args[-1], dict) else False)
    return executor(*args, **kwargs)


for name, rows in (("idle", {}), ("busy", RED)):
    own = modelled(rows, []).output.clone()
    own.add_wrapper_with_key("apply_model", "spy", spy)
    calls.clear()
    drawn(own)
    seen[f"{name} calls"] = [len(calls), any(calls)]
seen["panel"] = made.panel

tell(seen)
