"""Every layout an artist can make, swapped to red hair."""

import itertools

import sd3_text
from comfy_extras.nodes_cond import T5TokenizerOptions
from comfy_extras.nodes_sd3 import CLIPTextEncodeSD3
from script_parts import expect
from sd3_parts import PROMPT, RED, clip, encode, host, learnt, said

import nodes as stock
from supsae.hosts.comfyui.conditionings import edit
from supsae.hosts.comfyui.prompt_text import known_text
from supsae.supsae_core.editing.edits import Add
from supsae.supsae_core.reading import readout

HAIR, EYES, SMILE, BEACH = "hair: blond hair", "eyes: green eyes", "expression: smile", "place: sandy beach"
KIMONO = "clothing: silk kimono"
FOUR, TWO = [HAIR, EYES, SMILE, BEACH], [HAIR, EYES]
ALL = [True, True, True]
# layout → rows by type and encoders that say nothing, what is said, which parts of the rows (CLIP-L, CLIP-G, T5) and of
# the pooled vector (L, G) change. T5 has as many rows as tokens and an end, 77 at least.
WORKS = {
    "plain": ([77, 154], FOUR, ALL, ALL[:2]),
    "t5 of 76": ([77, 154], TWO, ALL, ALL[:2]),
    "t5 of 77": ([77, 155], TWO, ALL, ALL[:2]),
    "t5 of 200": ([231, 432], TWO, ALL, ALL[:2]),
    "chunk 1": ([154, 246], TWO, ALL, [False, False]),
    "chunk 2": ([231, 401], TWO, ALL, [False, False]),
    "cut by the border": ([154, 240], TWO, ALL, ALL[:2]),
    "chunk with pads": ([154, 241], [HAIR, EYES, SMILE], ALL, [False, False]),
    "no t5": ([77, 77, "t5xxl"], FOUR, [True, True, False], ALL[:2]),
    "clip l alone": ([77, 77, "clip_g", "t5xxl"], FOUR, [True, False, False], [True, False]),
    "clip g alone": ([77, 77, "clip_l", "t5xxl"], FOUR, [False, True, False], [False, True]),
    "t5 alone": ([0, 77, "clip_l", "clip_g"], FOUR, [False, False, True], [False, False]),
    "sd3 node, no t5 text": ([77, 78, "t5xxl"], FOUR, [True, True, False], ALL[:2]),
    "sd3 node, no clip text": ([0, 77, "clip_l", "clip_g"], FOUR, [False, False, True], [False, False]),
    "sd3 node, no clip g text": ([77, 154], FOUR, [True, False, True], [True, False]),
    "sd3 node, other clip text": ([77, 154], FOUR, [False, False, True], [False, False]),
    "sd3 node, empty prompts": ([77, 154], FOUR, [False, False, True], [False, False]),
    "empty": ([77, 154], [], ALL, ALL[:2]),
    "average of one": ([77, 154], FOUR, ALL, ALL[:2]),
    "average of two that say it": ([77, 154], FOUR, ALL, ALL[:2]),
    "average of unequal lengths": ([77, 156], TWO, ALL, ALL[:2]),
    "concatenated without t5": ([154, 154, "t5xxl"], FOUR * 2, [True, True, False], ALL[:2]),
}
REFUSED = {
    "sd3 node, no text": (1, "made of no text at all"),
    "multiplied": (154, "not of the text encoder 'clip_l'"),
    "clip skip": (154, "not of the text encoder 'clip_l'"),
    "concatenated": (308, "The 308 rows of this conditioning are not chunks of 77 causal rows"),
    "zeroed": (154, "all zeros"),
    "longer pads": (333, "has 256 rows of 't5xxl', the last 235 of them pads"),
}
ENDS = {"chunk with pads": 73, "chunk 1": 76}
FILLERS = """
    highly detailed, soft light, masterpiece, sharp focus, film grain, golden hour, looking at the viewer,
    in the middle of the frame, award winning photography, muted colours, high contrast, on a quiet morning,
    seen from the side, captured with an old camera,
"""


def filled(words, count, kind):
    # as many words more as stay below so many tokens, and "with", which is one everywhere
    made, left = words.split(), count - sum(host.counts(words.split())[kind])
    for filler, tokens in itertools.cycle(zip(FILLERS.split(), host.counts(FILLERS.split())[kind], strict=True)):
        if tokens >= left:
            break
        made.append(filler)
        left -= tokens
    return " ".join([*made, *["with"] * left])


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


def tried(conditioning):
    try:
        return edit(conditioning, learnt, RED), None
    except ValueError as sentence:
        return None, str(sentence)


def skipped(layer):
    other = clip.clone()
    other.clip_layer(layer)
    return encode(PROMPT, other)


plain, shorter = encode(PROMPT), encode("a photo of a person with blond hair")
blue = encode(PROMPT.replace("green", "blue"))
made = {
    "plain": plain,
    **{f"t5 of {count}": t5_of(count) for count in (76, 77, 200)},
    "chunk 1": behind(80, "blond hair, green eyes"),
    "chunk 2": behind(155, "blond hair, green eyes"),
    "cut by the border": behind(74, "blond hair, green eyes"),
    "chunk with pads": behind(72, "(blond hair, green eyes:1.2), smiling"),
    "no t5": only(clip_l=True, clip_g=True),
    "clip l alone": only(clip_l=True),
    "clip g alone": only(clip_g=True),
    "t5 alone": only(t5=True),
    "sd3 node, no t5 text": sd3(PROMPT, PROMPT, ""),
    "sd3 node, no clip text": sd3("", "", PROMPT),
    "sd3 node, no clip g text": sd3(PROMPT, "", PROMPT),
    "sd3 node, other clip text": sd3("a cat on a mat", "a dog in a fog", PROMPT),
    "sd3 node, empty prompts": sd3("", "", PROMPT, "empty_prompt"),
    "sd3 node, no text": sd3("", "", ""),
    "empty": encode(""),
    "multiplied": stock.ConditioningMultiply().multiply(plain, 1.2)[0],
    "average of one": average(plain, encode("a cat"), 1.0),
    "average of two that say it": average(plain, blue, 0.7),
    "average of unequal lengths": average(t5_of(78), t5_of(200), 0.5),
    "concatenated": stock.ConditioningConcat().concat(plain, shorter)[0],
    "concatenated without t5": stock.ConditioningConcat().concat(*[only(clip_l=True, clip_g=True)] * 2)[0],
    "zeroed": stock.ConditioningZeroOut().zero_out(plain)[0],
    "clip skip": skipped(-1),
    "longer pads": encode(PROMPT, T5TokenizerOptions.execute(clip, 0, 256).result[0]),
}
expect("layouts", made.keys(), WORKS.keys() | REFUSED.keys())
for kind, conditioning in made.items():
    ((cond, extra),) = conditioning
    made_red, reason = tried(conditioning)
    if kind in REFUSED:
        rows, sentence = REFUSED[kind]
        expect(f"{kind} is refused", cond.shape[1] == rows and sentence in reason)
        continue
    expect(f"{kind} is not refused", reason, None)
    typed, says, moves, vector = WORKS[kind]
    ((rows, new),), _ = made_red
    pooled = (new["pooled_output"] != extra["pooled_output"])[0]
    moved = (rows != cond)[0]
    reading = readout.read_conditioning(learnt, cond[0].float())
    own = reading.rows.own
    chunks = max(len(own["clip_l"]), len(own["clip_g"]))
    silent = [name for name, rows in own.items() if not rows]
    expect(f"{kind}: rows", [chunks, reading.rows.total, *silent], typed)
    expect(f"{kind}: all rows", cond.shape[1], typed[1])
    expect(f"{kind}: said", said(cond[0]), says)
    expect(f"{kind}: after", said(rows[0]), [one.replace("blond", "red") for one in says] or ["hair: red hair"])
    parts = (moved[:chunks, :768], moved[:chunks, 768:2048], moved[chunks:])
    expect(f"{kind}: moved", [bool(part.any()) for part in parts], moves)
    expect(f"{kind}: vector", [bool(pooled[:768].any()), bool(pooled[768:].any())], vector)
    expect(f"{kind}: zeros stay", not rows[0, :chunks, 2048:].any())
    ((longer, _),), _ = edit(conditioning, learnt, [Add("clothing: silk kimono")])
    expect(f"{kind}: addition", said(longer[0]).count(KIMONO), 1)
    # 72 tokens and 6 that stay together: the first chunk ends in row 73, the second after "…" and ", smiling"
    if kind in ENDS:
        expect(f"{kind}: first end", reading.layouts["clip_g"].roles.end[0] % 77, ENDS[kind])
known = known_text(learnt.family, f"({PROMPT}:1.2)")
expect("the text word by word", (known.words, known.counts), (tuple(PROMPT.split()), host.counts(PROMPT.split())))
