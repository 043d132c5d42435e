"""Edits of a CONDITIONING: what is changed, passed on, left alone and refused."""

import torch
from portraits_parts import RED, clip, edited, encode, learnt, plain, said
from script_parts import equal, expect, refused

from supsae.hosts.comfyui.applying import EVERYWHERE, edit_conditioning
from supsae.hosts.comfyui.conditionings import edit
from supsae.hosts.comfyui.text import ComfyText
from supsae.supsae_core.editing.edits import Add, Remove, Scale, Swap

SAID = "hair: red, eyes: green, expression: smile, background: beach"
entry = [plain[0][0], {**plain[0][1], "control": object(), "start_percent": 0.2}]
cond, extra = entry
pooled = extra["pooled_output"]
copies = cond.clone(), pooled.clone()
for nothing in (Swap("hair: red", 0.0), Swap("hair: blond"), Scale("hair: blond", 1.0)):
    (made,) = edited(nothing, of=[entry])
    expect(f"{nothing} passes the very same tensors", made[0] is cond and made[1]["pooled_output"] is pooled)

(made,), report = edit([entry], learnt, [RED])
expect("said", said(made), SAID)
told = [f"found {SAID.replace('red', 'blond')}", "changed hair: blond to hair: red (strength 1)"]
expect("report", report.splitlines(), told)
_, report = edit_conditioning([entry], learnt, [Swap("hair: red", 0.25)], {"where": EVERYWHERE})
weak = "hair: red did not take: 'blond hair' reads stronger there than 'red hair'"
expect("an edit that did not take says so", report.splitlines()[-1].startswith(weak))
_, report = edit_conditioning([entry], learnt, [RED], {"where": EVERYWHERE})
expect("one that took says no more", report.splitlines(), told)
unknown = encode("blond hair, crowned like a queen, blue eyes")
_, report = edit_conditioning(unknown, learnt, [Swap("hat: top hat")], {"where": EVERYWHERE})
expect("added, and what beside", "hat: top hat was added, but rows" in report and "may speak of hat" in report)
expect("a new entry", made is not entry and made[0] is not cond and made[1] is not extra)
expect("passed on", made[1]["control"] is extra["control"] and made[1]["start_percent"] == 0.2)
expect("kind", [made[0].shape, made[0].dtype, made[0].device], [cond.shape, torch.float32, torch.device("cpu")])
keys = ["supsae_alone", "supsae_edited", "supsae_reference"]
expect("new keys, for the Lock", sorted(set(made[1]) ^ set(extra)), keys)
expect("changes in it", len(made[1]["supsae_alone"]), 1)
equal("the old rows", cond, copies[0])
equal("the old vector", pooled, copies[1])
expect("the vector moves", not torch.equal(made[1]["pooled_output"], pooled))

(made,) = edited(RED, of=[[cond.half(), {"pooled_output": pooled.half()}]])
expect("half", [made[0].dtype, made[1]["pooled_output"].dtype, said(made)], [torch.float16, torch.float16, SAID])

# --- lists: the second part does not mention hair, and where another one does, nothing is said anew ---
other, beside = encode("a portrait, blue eyes")[0], encode("black hair, a cat")[0]
masked = [other[0], {**other[1], "mask": torch.ones(1, 8, 8)}]
parts = [entry, other, [beside[0], {**beside[1], "area": (8, 8, 0, 0)}], masked]


def unchanged(made):
    return [one[0] is old[0] for one, old in zip(made, parts, strict=True)]


made, report = edit(parts, learnt, [RED])
expect("list", [said(made[0]), said(made[2]), unchanged(made)], [SAID, "hair: red", [False, True, False, True]])
expect("the part is named", "part 3, row 1: changed hair: black to hair: red (strength 1)" in report)
made, report = edit(parts, learnt, [Add("eyewear: glasses")])
expect("an addition stays out of areas and masks", unchanged(made), [False, False, True, True])
expect("it is told", report.count("added eyewear: glasses (strength 1)"), 2)
refused("areas or masks only", edit, [masked], learnt, [Add("eyewear: glasses")])

# --- batches, rows for ControlNets, several edits ---
batch = [torch.cat([cond, other[0]]), {"pooled_output": torch.cat([pooled, other[1]["pooled_output"]])}]
(made,), (alone, beside_alone) = edited(RED, of=[batch]), [edited(RED, of=[one])[0][0] for one in (entry, other)]
expect("batch", [said(made, 0), said(made, 1), list(made[0].shape)], [SAID, "eyes: blue, hair: red", [2, 96, 192]])
expect("a batch's row is the row alone", torch.allclose(made[0], torch.cat([alone, beside_alone]), atol=1e-6))
(made,) = edited(Swap("expression: sad"), of=[[batch[0], extra]])
expect("one vector for two rows", [list(made[0].shape), list(made[1]["pooled_output"].shape)], [[2, 96, 192], [2, 128]])
rows = {"cross_attn_controlnet": beside[0], "pooled_output_controlnet": beside[1]["pooled_output"]}
kept = beside[0].clone()
(made,) = edited(RED, of=[[cond, {**extra, **rows}]])
expect("rows for ControlNets", [said([made[1]["cross_attn_controlnet"]]), said(made)], ["hair: red", SAID])
equal("the old ones", beside[0], kept)
(made,), report = edit([entry], learnt, [RED, Remove("expression: smile"), Add("hat: crown")])
expect("several edits", said(made), "hair: red, eyes: green, background: beach, hat: crown")
several = [told[1], "removed expression: smile (strength 1)", "added hat: crown (strength 1)"]
expect("several are told", report.splitlines()[-1], ", ".join(several))


# --- refused ---
class Stranger:
    def tokenize(self, text):
        return {"l": [], "qwen": []}


for sentence, given in {
    "has no pooled_output": [[cond, {}]],
    "conditioning is empty": [],
    "all zeros": [[cond * 0, extra]],
    "(154, 4096) is not of the family 'portraits'": [[torch.randn(1, 154, 4096), extra]],
    "not of the text encoder 'clip'": [[cond + (cond != 0) * torch.randn_like(cond), extra]],
    "concatenated or averaged is not supported": [[torch.cat([cond, cond], 1), extra]],
}.items():
    refused(sentence, edit, given, learnt, [RED])
refused("change 'hair'. Keep one", edit, [entry], learnt, [RED, Swap("hair: blue")])
refused(
    "l (0 tokens for an empty prompt), qwen (0 tokens for an empty prompt), which SupSAE does not know",
    ComfyText,
    Stranger(),
)
refused("have no layers to skip", clip.cond_stage_model.set_clip_options, {"layer": -2})
