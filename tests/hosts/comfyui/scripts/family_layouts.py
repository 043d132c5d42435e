"""Where the words of a prompt stand in every family, told by ComfyUI's real tokenizers alone."""

from types import SimpleNamespace

import comfy.text_encoders.cosmos
import comfy.text_encoders.genmo
import comfy.text_encoders.hunyuan_image
import comfy.text_encoders.longcat_image
import comfy.text_encoders.mage_flow
import family_text
from script_parts import expect, refused

from supsae.hosts.comfyui.prompt_text import known_text
from supsae.hosts.comfyui.text import ComfyText, family_of
from supsae.hosts.comfyui.tokenizers import TOKENIZERS, glues, tokenizer_of, weighs
from supsae.supsae_core.encoders.base import Rows
from supsae.supsae_core.encoders.families import FAMILIES

# family → rows of a short prompt, whose tokens are 8 in CLIP and Qwen (7 words and a comma), and 10 in T5
SHORT = "a photo of red hair, top hat"
ROWS = {
    "sd3": 77 + 77,
    "flux": 256,
    "sdxl": 77,
    "chroma": 10 + 1,
    "z-image": 3 + 8 + 5,
    "qwen-image": 8 + 5,
    "klein-4b": 512,
    "klein-9b": 512,
    "krea-2": 8 + 5,
}
AWKWARD = (
    "{}",
    "a man, {}; a hat",
    "(old) photo, {}, (4k)",
    "une fille l'été, {}, 日本語 — “{}”",
    "line one,\nline two with {}.\n\nand three",
    "two  blanks, {}",
    "word " * 90 + "{}",
)
WEIGHTED = ("a man with ({}:1.3), (a hat)", "({}:0.8) and more", "((a {}, {})), a hat")
"""Where weights are not text: what one is for, and what stands behind it, is spelled by itself."""
PHRASES = ("red hair", "curly auburn hair", "a Dark-Blue coat", "4k", "it's raining", "crème brûlée")


def spelled(family, text):
    """The ids of a text's own tokens by encoder, and what turns ids into words."""
    tokenizer, found = tokenizer_of(family.name), {}
    for encoder in family.encoders:
        key, layout = family.comfyui[encoder.name], encoder.layout
        inner = getattr(tokenizer, encoder.name, None) or getattr(tokenizer, f"clip_{encoder.name}")
        some = tokenizer.tokenize_with_weights(text, return_word_ids=True)[key]
        ids = [token[0] for chunk in some for token in chunk if token[2] != 0]
        empty = tokenizer.tokenize_with_weights("", return_word_ids=True)[key]
        template = sum(token[2] != 0 for chunk in empty for token in chunk)
        after = layout.tail if template else 0
        found[encoder.name] = ids[template - after : len(ids) - after], inner.tokenizer.decode
    return found


def letters(text):
    return "".join(text.casefold().split())


for name, family in FAMILIES.items():
    if name not in TOKENIZERS or name == "portraits":
        continue
    known = known_text(family, SHORT)
    expect(f"{name}: rows", family.length({one: sum(some) for one, some in known.counts.items()}), ROWS[name])
    expect(f"{name}: glues", glues(name), not family.weighted and name != "chroma")
    for frame in (*AWKWARD, *(WEIGHTED if weighs(name) else ())):
        for phrase in PHRASES:
            text = frame.format(phrase, phrase)
            known, tokens = known_text(family, text), spelled(family, text)
            for encoder in family.encoders:
                own = range(family.length({one: sum(some) for one, some in known.counts.items()}))
                ids, decode = tokens[encoder.name]
                expect(f"{name}: {text!r} in {encoder.name}", sum(known.counts[encoder.name]), len(ids))
                at = known.find(phrase.strip())
                place = [encoder.layout.place(own, token) for token in range(len(ids))]
                rows = known.rows(encoder, Rows({encoder.name: own}, len(own)), at)
                said = decode([ids[place.index(row)] for row in rows])
                expect(f"{name}: {phrase!r} of {text!r}", letters(said), letters(phrase))

# --- whose they are --------------------------------------------------------------------------------------------------


def loaded(tokenizer, *encoders):
    """What a loader makes, as far as families are told by it."""
    return SimpleNamespace(
        tokenize=lambda text, **how: tokenizer.tokenize_with_weights(text, **how),
        cond_stage_model=SimpleNamespace(**dict.fromkeys(encoders, True)),
    )


for name in [one for one in family_text.MAKERS if one in FAMILIES]:
    expect(f"{name} is told", family_of(loaded(tokenizer_of(name), *FAMILIES[name].comfyui)).name, name)
    first, *others = FAMILIES[name].comfyui
    refused(f"lacks the text encoder {first}", family_of, loaded(tokenizer_of(name), *others))
for tokenizer in (
    comfy.text_encoders.genmo.MochiT5Tokenizer(),
    comfy.text_encoders.cosmos.CosmosT5Tokenizer(),
    comfy.text_encoders.hunyuan_image.HunyuanImageTokenizer(),
    comfy.text_encoders.longcat_image.LongCatImageTokenizer(),
):
    refused("which SupSAE does not know. It knows: Portraits (Load Portraits CLIP);", family_of, loaded(tokenizer))
# Mage-Flow has Krea 2's tokens, template and all, and other rows.
mage = family_text.clip("mage-flow")
refused("rows of 2560 numbers and a pooled vector of 0; Krea 2 has 30720", ComfyText(mage).encode, ["a hat"])
expect("a template of one's own is not known", known_text(FAMILIES["qwen-image"], "<|im_start|>user\na hat"), None)
