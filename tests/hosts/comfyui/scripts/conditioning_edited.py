"""Edits of a CONDITIONING."""

import torch
from conditioning_parts import PROMPT, encode, learnt, said
from script_parts import error, tell

from supsae.hosts.comfyui.conditionings import edit
from supsae.supsae_core.editing.edits import Add, Remove, Scale, Swap

seen = {}
entry = [encode(PROMPT)[0][0], {**encode(PROMPT)[0][1], "control": object(), "start_percent": 0.2}]
cond, extra = entry
copies = cond.clone(), extra["pooled_output"].clone()
nothing = {"swap": Swap("hair: red", 0.0), "same": Swap("hair: blond"), "scale": Scale("hair: blond", 1.0)}
for name, one in nothing.items():
    (made,), _ = edit([entry], learnt, [one])
    seen[f"nothing {name}"] = made[0] is cond and made[1]["pooled_output"] is extra["pooled_output"]

(made,), report = edit([entry], learnt, [Swap("hair: red")])
seen["report"] = report
seen["said"] = said(made)
seen["new"] = [made is not entry, made[0] is not cond, made[1] is not extra]
seen["passed on"] = made[1]["control"] is extra["control"] and made[1]["start_percent"] == 0.2
seen["kind"] = [made[0].shape == cond.shape, str(made[0].dtype), str(made[0].device)]
seen["keys"] = sorted(set(made[1]) ^ set(extra))
seen["untouched"] = torch.equal(cond, copies[0]) and torch.equal(extra["pooled_output"], copies[1])
seen["pooled moved"] = not torch.equal(made[1]["pooled_output"], copies[1])

half = [cond.half(), {"pooled_output": extra["pooled_output"].half()}]
(made,), _ = edit([half], learnt, [Swap("hair: red")])
seen["half"] = [str(made[0].dtype), str(made[1]["pooled_output"].dtype), said(made)]

other, beside = encode("a portrait, blue eyes")[0], encode("black hair, a cat")[0]
area = [beside[0], {**beside[1], "area": (8, 8, 0, 0)}]
masked = [other[0], {**other[1], "mask": torch.ones(1, 8, 8)}]
parts = [entry, other, area, masked]
made, seen["list report"] = edit(parts, learnt, [Swap("hair: red")])
seen["list"] = [said(one) for one in made]
seen["list same"] = [one[0] is old[0] for one, old in zip(made, parts, strict=True)]
made, seen["add report"] = edit(parts, learnt, [Add("eyewear: glasses")])
seen["add same"] = [one[0] is old[0] for one, old in zip(made, parts, strict=True)]
seen["add nowhere"] = error(edit, [masked], learnt, [Add("eyewear: glasses")])

pooled = torch.cat([extra["pooled_output"], other[1]["pooled_output"]])
batch = [torch.cat([cond, other[0]]), {"pooled_output": pooled}]
(made,), _ = edit([batch], learnt, [Swap("hair: red")])
seen["batch"] = [said(made, 0), said(made, 1), torch.equal(made[0][1], batch[0][1]), list(made[0].shape)]
alone, _ = edit([entry], learnt, [Swap("hair: red")])
seen["batch row is the row alone"] = torch.allclose(made[0][0], alone[0][0][0], atol=1e-6)
uneven = [batch[0], extra]
(made,), _ = edit([uneven], learnt, [Swap("expression: sad")])
seen["uneven"] = [list(made[0].shape), list(made[1]["pooled_output"].shape)]

rows, vector = beside[0], beside[1]["pooled_output"]
control = [cond, {**extra, "cross_attn_controlnet": rows, "pooled_output_controlnet": vector}]
(made,), _ = edit([control], learnt, [Swap("hair: red")])
seen["control"] = [said([made[1]["cross_attn_controlnet"]]), said(made)]
seen["control untouched"] = torch.equal(control[1]["cross_attn_controlnet"], beside[0])

both = [Swap("hair: red"), Remove("expression: smile"), Add("hat: crown")]
(made,), report = edit([entry], learnt, both)
seen["several"] = [said(made), report.splitlines()[-1]]
tell(seen)
