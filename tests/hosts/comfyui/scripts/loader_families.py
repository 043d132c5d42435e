"""Which families each loader and type can give, told by ComfyUI's own choice among its classes; no encoder is built."""

import itertools

import comfy.sd
from script_parts import expect

import nodes
from supsae.hosts.comfyui.loaders import BY_FILE, LOADERS, family_by_file, may_load
from supsae.hosts.comfyui.tokenizers import TOKENIZERS

PORTRAITS, REFINER = "portraits", "sdxl"
"""Behind no stock loader; and what CLIPLoader gives for CLIP-G alone: SDXL's tokens and other rows."""
classes = {name: type(make()) for name, make in TOKENIZERS.items() if name != PORTRAITS}
built = comfy.sd.CLIP, comfy.sd.detect_te_model


def chosen(kind: str, models: tuple) -> set[str]:
    """Return the families whose tokenizers ComfyUI takes for encoders of these kinds."""
    files: list[dict] = [{} for _ in models]
    kinds = {id(file): model for file, model in zip(files, models, strict=True)}
    clip_type = getattr(comfy.sd.CLIPType, kind.upper(), comfy.sd.CLIPType.STABLE_DIFFUSION)
    comfy.sd.CLIP, comfy.sd.detect_te_model = (lambda target, **_: target), (lambda file: kinds[id(file)])
    try:
        tokenizer = comfy.sd.load_text_encoder_state_dicts(files, clip_type=clip_type).tokenizer
    finally:
        comfy.sd.CLIP, comfy.sd.detect_te_model = built
    return {name for name, one in classes.items() if tokenizer is one}


for node, count in (("CLIPLoader", 1), ("DualCLIPLoader", 2)):
    kinds = getattr(nodes, node).INPUT_TYPES()["required"]["type"][0]
    expect(node, sorted(kinds), sorted(LOADERS[node]))
    for kind in kinds:
        pairs = itertools.product(comfy.sd.TEModel, repeat=count)
        found = set().union(*(chosen(kind, pair) for pair in pairs))
        if count == 1:
            found -= {REFINER}
        expect(f"{node}, {kind}", sorted(found), sorted(may_load(node, kind)))

known = [model for model in comfy.sd.TEModel if model.name != "BYT5_SMALL_GLYPH"]  # taken for CLIP-L, which it is not
for kind, model in itertools.product(LOADERS["CLIPLoader"], known):
    found, wanted = chosen(kind, (model,)) - {REFINER}, family_by_file(model.name, kind)
    expect(f"{kind}, {model.name}", found, set() if wanted is None else {wanted})
expect("kinds of files", set(BY_FILE) <= {model.name for model in comfy.sd.TEModel})
