"""Concept Mixer: the edits it makes, on a conditioning and on a model, and what its panel is told."""

import json

import portraits_parts
from portraits_parts import RED, WOOD, edited, encode, learnt, model
from script_parts import between, equal, expect

from supsae.hosts.comfyui.mixing import mix_conditioning, mix_model
from supsae.hosts.comfyui.prompt_text import known_text, text_behind
from supsae.hosts.comfyui.text import ComfyText
from supsae.supsae_core.editing.edits import Keep, Remove, Swap

plain = encode("a portrait of a person with blond hair, green eyes, smiling, seaside")


def drawn(model, positive=plain):
    return portraits_parts.drawn(model, positive)


def as_text(rows):
    return json.dumps({"version": 1, "mix": rows})


def mixed(rows, conditioning=plain):
    return mix_conditioning(conditioning, learnt, as_text(rows))


def modelled(rows, told, on=model):
    return mix_model(on, learnt, as_text(rows), told.append)


RED_ROW, KEPT = {"hair": {"say": "red"}}, {"eyes": {"keep": True}}

# --- the text behind it ---
WORKFLOW = {
    "1": {"class_type": "PrimitiveString", "inputs": {"value": "red hair"}},
    "2": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["9", 0], "text": ["1", 0]}},
    "3:7": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["9", 0], "text": "(red hair:1.2), \\(a) cap"}},
    "4": {"class_type": "ConditioningCombine", "inputs": {"conditioning_1": ["2", 0], "conditioning_2": ["3:7", 0]}},
    "5": {"class_type": "CLIPTextEncodeSD3", "inputs": {"clip_l": "a", "clip_g": "b", "t5xxl": "a", "clip": ["9", 0]}},
    "6": {"class_type": "ConditioningSetTimestepRange", "inputs": {"conditioning": ["3:7", 0], "start": 0.0}},
    "7": {"class_type": "A loop", "inputs": {"conditioning": ["7", 0]}},
}
WEIGHTED = WORKFLOW["3:7"]["inputs"]["text"]
BEHIND = {"2": "red hair", "3:7": WEIGHTED, "4": None, "5": None, "6": WEIGHTED, "7": None}
for node, text in {**BEHIND, "none there": None}.items():
    graph = {**WORKFLOW, "mixer": {"inputs": {"conditioning": [node, 0]}}}
    expect(f"the text behind {node}", text_behind(graph, "mixer"), text)
expect("nothing connected", text_behind({"mixer": {"inputs": {}}}, "mixer"), None)
known = known_text(learnt.family, WEIGHTED)
expect("its words", known.words, ("red", "hair,", "(a)", "cap"))
expect("and their tokens", known.counts, ComfyText(portraits_parts.clip).counts(known.words))
STRANGE = "a blonde girl, smiling, wearing a cap"
taught = {
    "hair": {"say": "red", "at": "blonde girl"},
    "hat": {"scale": 1, "at": "cap"},
    "eyes": {"say": "blue", "at": "x"},
}
made = mix_conditioning(encode(STRANGE), learnt, as_text(taught), STRANGE)
cut = [(one["text"], one["category"], one["how"]) for one in made.panel["prompts"][0]["words"]]
said = [
    ("a", "", ""),
    ("blonde girl,", "hair", "said"),
    ("smiling,", "expression", "said"),
    ("wearing a", "", ""),
    ("cap", "hat", "said"),
]
expect("the words are taken for what they were said to be", cut, said)
expect("and edited", made.panel["prompts"][0]["after"]["hair"], ["red"])
expect("those that are not there are told", "eyes: The prompt does not say 'x'." in made.report)

# --- a conditioning ---
made = mixed({"hair": {"say": "red", "strength": 0.8}, "expression": {"say": None}, **KEPT})
((cond, extra),) = edited(Swap("hair: red", 0.8), Remove("expression: smile"), Keep("eyes"), of=plain)
equal("three rows", made.output[0][0], cond)
equal("their vector", made.output[0][1]["pooled_output"], extra["pooled_output"])
nothing = {"haircut": [], "eyewear": [], "hat": [], "clothing": []}
same = {"background": ["beach"], "eyes": ["green"]}
wanted = {
    "title": "",
    "before": {**nothing, **same, "hair": ["blond"], "expression": ["smile"]},
    "after": {**nothing, **same, "hair": ["red"], "expression": []},
    "held": {"eyes": True},
    "words": [],  # the text is not known here
}
verdicts = made.panel["prompts"][0].pop("verdicts")
expect("judged are", [(name, one["verdict"]) for name, one in verdicts.items()], [
    ("hair", "took"), ("expression", "took"),
])  # fmt: skip
expect("the panel is told", made.panel["prompts"], [wanted])
report = [
    "found hair: blond, eyes: green, expression: smile, background: beach",
    "changed hair: blond to hair: red (strength 0.8), removed expression: smile (strength 1), kept eyes",
]
expect("report", made.report.splitlines(), report)
# "smiling" and "seaside" of one token become "sad face" and "city street" of two, whose last stand among the pads
longer = {"expression": {"say": "sad"}, "background": {"say": "city"}, **KEPT}
for rows in ({}, {"hair": {"say": "red", "strength": 0}}, {"hair": {"say": "blond"}}, KEPT, {"hat": {"say": None}}):
    made = mixed(rows)
    expect(f"{rows} passes the very same entry", made.output[0] is plain[0])
    expect(f"{rows} is shown", made.panel["prompts"][0]["before"]["hair"], ["blond"])
zeros = [[plain[0][0] * 0, plain[0][1]]]
expect("zeros pass an empty mix", mixed({}, zeros).output[0] is zeros[0] and mixed({}, zeros).panel["prompts"] == [])
# the second part does not mention hair, and the first does: nothing is said anew
prompts = mixed(RED_ROW, [*plain, *encode("green eyes")]).panel["prompts"]
expect("parts", [(one["title"], one["after"]["hair"]) for one in prompts], [
    ("part 1, row 1", ["red"]), ("part 2, row 1", []),
])  # fmt: skip

# --- a model ---
told = []
before = drawn(modelled(longer, told).output)
for one in (told[0]["prompts"][0], mixed(longer).panel["prompts"][0]):
    after = [one["after"][category] for category in ("expression", "background", "hair")]
    expect("words for which there was no room", [*after, one["held"]], [["sad"], ["city"], ["blond"], {"eyes": True}])
before, told = drawn(model), []
by_conditioning = mixed({**RED_ROW, **KEPT})
wanted = drawn(model, by_conditioning.output)
between("the edit is seen", 0.5, float((before - wanted).abs().max()), 1e3)
made = modelled({**RED_ROW, **KEPT}, told)
early = "While the model draws: swap hair: red (strength 1), keep eyes."
expect("not told before it draws", [told, made.panel["prompts"], made.report], [[], [], early])
equal("model", drawn(made.output), wanted)
(one,) = told  # once
expect("told as a conditioning's", one["prompts"], by_conditioning.panel["prompts"])
expect("told report", one["report"], by_conditioning.report)
told, other = [], []
chained = modelled({"background": {"say": "forest"}}, other, modelled(RED_ROW, told).output).output
equal("two mixers are one", drawn(chained), drawn(model, edited(RED, WOOD, of=plain)))
expect("both are told", [len(told), len(other)], [1, 1])
told = []
equal("idle", drawn(modelled({}, told).output), before)
expect("idle is told", told[0]["prompts"], mixed({}).panel["prompts"])
calls = []


def spy(executor, *args, **kwargs):
    calls.append("supsae" in args[-1] if isinstance(args[-1], dict) else False)
    return executor(*args, **kwargs)


# three steps, positive and negative in one call each: ours is at work in every one, or in none
for rows, at_work in (({}, False), (RED_ROW, True)):
    own = modelled(rows, []).output.clone()
    own.add_wrapper_with_key("apply_model", "spy", spy)
    calls.clear()
    drawn(own)
    expect(f"calls of {rows}", calls, [at_work] * 3)
