"""Every layout an artist can make, swapped to red hair."""

import itertools

import sd3_text
from comfy_extras.nodes_cond import T5TokenizerOptions
from comfy_extras.nodes_sd3 import CLIPTextEncodeSD3
from script_parts import error, tell
from sd3_parts import PROMPT, RED, clip, encode, host, learnt, said

import nodes as stock
from supsae.hosts.comfyui.conditionings import edit
from supsae.supsae_core.editing.edits import Add
from supsae.supsae_core.reading import readout

seen = {}
FILLERS = """
    highly detailed, soft light, masterpiece, sharp focus, film grain, golden hour, looking at the viewer,
    in the middle of the frame, award winning photography, muted colours, high contrast, on a quiet morning,
    seen from the side, captured with an old camera,
"""


def filled(words, count, kind):
    # as many words more as give at least so many tokens; "," is a token of its own, and "with" is one everywhere
    words, fillers = words.split(), itertools.cycle(FILLERS.split())
    for filler in fillers:
        if sum(host.counts([*words, filler])[kind]) >= count:
            break
        words.append(filler)
    return " ".join([*words, *["with"] * (count - sum(host.counts(words)[kind]))])


def t5_of(count):
    return encode(filled("a photo of a person with blond hair, green eyes,", count, "t5xxl"))


def behind(count, text):
    return encode(filled("a photo of a person,", count, "clip_l") + " " + text)


def sd3(clip_l, clip_g, t5xxl, padding="none"):
    return CLIPTextEncodeSD3.execute(clip, clip_l, clip_g, t5xxl, padding).result[0]


def average(one, other, strength):
    return stock.ConditioningAverage().addWeighted(one, other, strength)[0]


def only(**kinds):
    return encode(PROMPT, sd3_text.clip(**{"clip_l": False, "clip_g": False, "t5": False, **kinds}))


def skipped(layer):
    other = clip.clone()
    other.clip_layer(layer)
    return encode(PROMPT, other)


plain, shorter = encode(PROMPT), encode("a photo of a person with blond hair")
blue = encode(PROMPT.replace("green", "blue"))
made = {
    "plain": plain,
    "half": [[plain[0][0].half(), {"pooled_output": plain[0][1]["pooled_output"].half()}]],
    **{f"t5 of {count}": t5_of(count) for count in (75, 76, 77, 78, 200)},
    "chunk 1": behind(80, "blond hair, green eyes"),
    "chunk 2": behind(155, "blond hair, green eyes"),
    "cut by the border": behind(74, "blond hair, green eyes"),
    "chunk with pads": behind(72, "(blond hair, green eyes:1.2), smiling"),
    "no clip l": only(clip_g=True, t5=True),
    "no clip g": only(clip_l=True, t5=True),
    "no t5": only(clip_l=True, clip_g=True),
    "clip l alone": only(clip_l=True),
    "clip g alone": only(clip_g=True),
    "t5 alone": only(t5=True),
    "sd3 node": sd3(PROMPT, PROMPT, PROMPT),
    "sd3 node, no t5 text": sd3(PROMPT, PROMPT, ""),
    "sd3 node, no clip text": sd3("", "", PROMPT),
    "sd3 node, no clip g text": sd3(PROMPT, "", PROMPT),
    "sd3 node, other clip text": sd3("a cat on a mat", "a dog in a fog", PROMPT),
    "sd3 node, empty prompts": sd3("", "", PROMPT, "empty_prompt"),
    "sd3 node, no text": sd3("", "", ""),
    "empty": encode(""),
    "multiplied by 1": stock.ConditioningMultiply().multiply(plain, 1.0)[0],
    "multiplied": stock.ConditioningMultiply().multiply(plain, 1.2)[0],
    "average of one": average(plain, encode("a cat"), 1.0),
    "average of two that say it": average(plain, blue, 0.5),
    "average of unequal lengths": average(t5_of(78), t5_of(200), 0.5),
    "concatenated": stock.ConditioningConcat().concat(plain, shorter)[0],
    "concatenated without t5": stock.ConditioningConcat().concat(*[only(clip_l=True, clip_g=True)] * 2)[0],
    "zeroed": stock.ConditioningZeroOut().zero_out(plain)[0],
    "clip skip": skipped(-1),
    "longer pads": encode(PROMPT, T5TokenizerOptions.execute(clip, 0, 256).result[0]),
}
for kind, conditioning in made.items():
    ((cond, extra),) = conditioning
    refused = error(edit, conditioning, learnt, RED)
    seen[kind] = {"rows": cond.shape[1], "refused": refused}
    if refused:
        continue
    ((rows, new),), _ = edit(conditioning, learnt, RED)
    pooled = (new["pooled_output"] != extra["pooled_output"])[0]
    moved = (rows != cond)[0]
    reading = readout.read_conditioning(learnt, cond[0].float())
    own = reading.rows.own
    chunks = max(len(own["clip_l"]), len(own["clip_g"]))
    seen[kind] |= {
        "typed": [chunks, reading.rows.total, *(name for name, rows in own.items() if not rows)],
        "before": said(cond[0]),
        "after": said(rows[0]),
        "pooled": [bool(pooled[:768].any()), bool(pooled[768:].any())],
        "moved": [bool(x.any()) for x in (moved[:chunks, :768], moved[:chunks, 768:2048], moved[chunks:])],
        "zeros stay": not bool(rows[0, :chunks, 2048:].any()),
        "ends": [row % 77 for row in reading.layouts["clip_g"].roles.end] if "clip_g" in reading.layouts else [],
        "add": error(edit, conditioning, learnt, [Add("clothing: silk kimono")]),
    }
tell(seen)
