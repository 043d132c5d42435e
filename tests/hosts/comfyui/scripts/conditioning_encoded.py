"""The CLIP socket: Portraits' encodes as Portraits does, and the words of SD3.5's count as in the whole prompt."""

from types import SimpleNamespace

import torch
from comfy.text_encoders.sd3_clip import SD3Tokenizer
from portraits_parts import PROMPT, encode
from script_parts import equal, expect, refused

from supsae.hosts.comfyui.text import ComfyText
from supsae.portraits import text

# 30 times "red hair ," are 90 tokens: two chunks of 48 rows, and 90 + 1 rows of the other encoder
encoders = text.load_encoders()
for prompt, rows in ((PROMPT, 96), ("", 96), ("red hair, " * 30, 187), ("a \\(red\\) hat", 96)):
    ((cond, extra),) = encode(prompt)
    own = encoders.encode([prompt.replace("\\", "")])
    expect(f"rows of {prompt[:20]}", list(cond.shape), [1, rows, 192])
    equal(f"rows of {prompt[:20]}", cond, own.cond)
    equal(f"vector of {prompt[:20]}", extra["pooled_output"], own.pooled)

# Weights are ComfyUI's. tokens: blond hair , red hat; "red" is row 4 behind the start row, and row 3 of the second
# encoder's 48 …
plain, empty = encode("blond hair, red hat")[0], encode("")[0]
for prompt, weight in (("blond hair, (red:1.3) hat", 1.3), ("blond hair, (red) hat", 1.1)):
    ((cond, extra),) = encode(prompt)
    rows = (cond != plain[0]).any(-1)[0].nonzero().flatten().tolist()
    formula = empty[0] + weight * (plain[0] - empty[0])
    expect(f"rows of {prompt}", rows, [4, 48 + 3])
    expect(f"weight of {prompt}", torch.allclose(cond[0, rows], formula[0, rows], atol=1e-6))
    equal(f"vector of {prompt}", extra["pooled_output"], plain[1]["pooled_output"])

# 16 times "red hair ," are 48 tokens, a chunk takes 46: "blue" is the third of chunk 1, behind its start row; the
# other encoder's rows begin behind two chunks
cond, plain = (encode("red hair, " * 16 + blue)[0][0] for blue in ("(blue:1.5)", "blue"))
moved = (cond != plain).any(-1)[0].nonzero().flatten().tolist()
expect("weight in chunk 1", moved, [48 + 3, 2 * 48 + 48])

# --- the real tokenizers of SD3.5, which ship inside ComfyUI; weights are not needed ---
tokenizer, stages = SD3Tokenizer(), SimpleNamespace(clip_l=1, clip_g=1, t5xxl=1)
clip = SimpleNamespace(tokenize=tokenizer.tokenize_with_weights, cond_stage_model=stages)
host = ComfyText(clip)
expect("family", host.family.name, "sd3")
words = ["a", "photo,", "(ginger-haired)", "woman's", "Sou'wester,", "35mm"]
counts = host.counts(words)


def ids(prompt, key):
    escaped = prompt.replace("(", "\\(").replace(")", "\\)")
    chunks = tokenizer.tokenize_with_weights(escaped, return_word_ids=True)[key]
    return [token[0] for chunk in chunks for token in chunk if token[2]]


for name, key in (("clip_l", "l"), ("clip_g", "g"), ("t5xxl", "t5xxl")):
    whole = ids(" ".join(words), key)
    expect(f"words of {name}", [one for word in words for one in ids(word, key)], whole)
    expect(f"counts of {name}", sum(counts[name]), len(whole))
stages.t5xxl = None
refused("lacks the text encoder t5xxl", ComfyText, clip)
