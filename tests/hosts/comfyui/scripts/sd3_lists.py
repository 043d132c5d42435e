"""Lists of conditionings with areas, masks, times and batches."""

import torch
from script_parts import tell
from sd3_parts import PROMPT, RED, encode, learnt

from supsae.hosts.comfyui.conditionings import edit
from supsae.supsae_core.editing.edits import Add, Remove

seen = {}
((cond, extra),) = encode(PROMPT)
((other, beside),) = encode("a dog in the snow, green eyes")
both = torch.cat([cond, other])
vectors = torch.cat([extra["pooled_output"], beside["pooled_output"]])
entries = {
    "plain": [cond, extra],
    "says nothing of it": [other, beside],
    "area": [cond, {**extra, "area": (8, 8, 0, 0), "strength": 1.0}],
    "mask": [cond, {**extra, "mask": torch.ones(1, 8, 8)}],
    "time range": [cond, {**extra, "start_percent": 0.0, "end_percent": 0.4}],
    "other time": [other, {**beside, "start_percent": 0.401, "end_percent": 1.0}],
    "zeroed": [torch.zeros_like(cond), {"pooled_output": torch.zeros_like(extra["pooled_output"])}],
    "batch": [both, {"pooled_output": vectors}],
}
for edits in (RED, [Add("clothing: silk kimono")], [Remove("expression: smile")]):
    made, _ = edit(list(entries.values()), learnt, edits)
    seen[type(edits[0]).__name__] = [
        key for (key, old), new in zip(entries.items(), made, strict=True) if not torch.equal(old[0], new[0])
    ]
    if edits is RED:
        batch = made[-1][0]
        seen["other batch row"] = torch.equal(batch[1], other[0]) and not torch.equal(batch[0], cond[0])
        seen["keys stay"] = made[4][1]["end_percent"] == 0.4 and made[2][1]["area"] == (8, 8, 0, 0)
tell(seen)
