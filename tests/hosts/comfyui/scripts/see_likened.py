"""Audit by CLIP Vision: ComfyUI's own class at tiny size, random weights, on pictures of Portraits."""

import comfy.clip_vision
import torch
from portraits_parts import RED, learnt
from script_parts import equal, expect, refused
from see_parts import one
from torch.nn import functional as F

from supsae.evaluation import audit
from supsae.hosts.comfyui.auditing import draw_seeds
from supsae.hosts.comfyui.pictures import drawing
from supsae.hosts.comfyui.references import References, encoded, references
from supsae.nodes.audit import CLIP, AuditNode

CONFIG = {
    "model_type": "clip_vision_model", "hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4,
    "num_hidden_layers": 2, "num_channels": 3, "image_size": 32, "patch_size": 8, "projection_dim": 16,
    "hidden_act": "quick_gelu",
}  # fmt: skip
vision = comfy.clip_vision.ClipVisionModel(CONFIG)
torch.manual_seed(0)
for tensor in vision.model.parameters():
    torch.nn.init.normal_(tensor, std=0.2)

pictures = torch.rand(3, 64, 96, 3)
by_hand = torch.cat([vision.encode_image(own[None])["image_embeds"] for own in pictures])
equal("as CLIP Vision Encode makes it, of length 1", encoded(vision, pictures), F.normalize(by_hand.float(), dim=-1))

# cosines with two sets in the plane: (1, 0) leans to the first by 0.9 − 0.3, (0, 1) to the second
like, unlike = torch.tensor([[1.0, 0.0], [0.8, 0.6]]), torch.tensor([[0.0, 1.0], [0.6, 0.8]])
first, second = References(vision, like, unlike).told().splitlines()
expect("said to be a proxy", first.startswith("By CLIP Vision, a proxy: "))
# held out, (0.8, 0.6) has cosine 0.8 with (1, 0), and 0.6 and 0.96, 0.78 on average, with the others; so they all
expect("references that the others tell", second, "It tells 4 of the 4 reference pictures by the others.")
mixed = References(vision, like, torch.tensor([[0.0, 1.0], [1.0, 0.0]])).told().splitlines()[1]
# (1, 0) has 0.8 with the rest of its set and 0.5 with the others; (0.8, 0.6) has 0.8 and 0.7; of the others (0, 1) has
# 0 with its rest and 0.3, (1, 0) has 0 and 0.9
expect("and those that they do not", mixed, "It tells 2 of the 4 reference pictures by the others.")
expect("of one picture each nothing is said", len(References(vision, like[:1], unlike[:1]).told().splitlines()), 1)

drawn = {name: getattr(one(), name) for name in ("model", "positive", "negative", "vae")}
settings = {"steps": 3, "cfg": 3.0, "sampler": "euler", "scheduler": "simple"}
how = {**drawn, **settings, "latent": {"samples": torch.zeros(1, 16, 8, 8)}}
plain = draw_seeds(lambda seed: drawing(seed=seed, **how), 0, 1, learnt, [RED])
expect("64 pixels are too small for the reader", plain.readings, [])
shown = [torch.zeros(2, 64, 64, 3), torch.ones(2, 64, 64, 3)]
proxy = references({"clip_vision": vision, "like": shown[0], "unlike": shown[1]})
themselves = [next(iter(read.values())) for read in proxy.look(torch.cat(shown))]
expect("the references themselves", themselves, ["like", "like", "unlike", "unlike"])
made = draw_seeds(lambda seed: drawing(seed=seed, **how), 0, 2, learnt, [RED], proxy.look)
leans = encoded(vision, made.pictures) @ (proxy.like.mean(0) - proxy.unlike.mean(0))
after = [{"CLIP": "like" if lean > 0 else "unlike"} for lean in leans.tolist()]
expect("what the edited pictures are nearer to", [read for _, read in made.readings], after)
asked = [audit.AskedConcept("CLIP: like", True)]
seen = [audit.Seen(seed, *own) for seed, own in zip(made.seeds, made.readings, strict=True)]
count, said = sum(own == {"CLIP": "like"} for own in after), audit.tell(seen, asked).splitlines()
expect("counted", f"in {count} of 2 after" in said[0] and said[1].startswith(f"As asked in {count} of 2 pictures"))
expect("of what else changed nothing is said", any("else" in line for line in said), False)

form = {"judge": CLIP, "clip_vision": vision, "like": shown[0], "unlike": shown[1]}
inputs = {**how, "dictionary": learnt, "edits": (RED,), "seed": 0, "seeds": 2}
sheet, edited, report, lines = AuditNode.execute(**inputs, judge=form).result
equal("the node's pictures", edited, made.pictures)
expect("what it says", report.splitlines()[:4], [*proxy.told().splitlines(), *said[:2]])
expect("and of every seed", lines, audit.by_seed(seen, asked))
unfit = {**form, "like": "picture.png"}
refused("'like' holds 'picture.png', not a picture. Connect Load Image", AuditNode.execute, **inputs, judge=unfit)
refused("judge is missing", AuditNode.execute, **inputs)


class Blind:
    """A model that has no vector for a whole picture, as some have none."""

    def encode_image(self, image):
        return {"image_embeds": None}


refused("'clip_vision' gives no vector", encoded, Blind(), pictures)
