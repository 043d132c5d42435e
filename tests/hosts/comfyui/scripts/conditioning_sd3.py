"""Words counted by the real tokenizers of SD3.5, which ship inside ComfyUI; weights are not needed."""

from types import SimpleNamespace

from comfy.text_encoders.sd3_clip import SD3Tokenizer
from script_parts import error, tell

from supsae.hosts.comfyui.text import ComfyText

seen = {}
tokenizer = SD3Tokenizer()
stages = {"clip_l": 1, "clip_g": 1, "t5xxl": 1}
clip = SimpleNamespace(tokenize=tokenizer.tokenize_with_weights, cond_stage_model=SimpleNamespace(**stages))
host = ComfyText(clip)
seen["format"] = host.family.name
words = ["a", "photo,", "(ginger-haired)", "woman's", "Sou'wester,", "35mm"]
counts = host.counts(words)


def ids(prompt, key):
    plain = prompt.replace("(", "\\(").replace(")", "\\)")
    chunks = tokenizer.tokenize_with_weights(plain, return_word_ids=True)[key]
    return [token[0] for chunk in chunks for token in chunk if token[2]]


for name, key in (("clip_l", "l"), ("clip_g", "g"), ("t5xxl", "t5xxl")):
    whole = ids(" ".join(words), key)
    seen[name] = whole == [one for word in words for one in ids(word, key)]
    seen[f"{name} count"] = [sum(counts[name]), len(whole)]
clip.cond_stage_model.t5xxl = None
seen["missing"] = error(ComfyText, clip)
tell(seen)
