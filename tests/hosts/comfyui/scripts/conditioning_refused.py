"""What edits of a conditioning and the CLIP socket refuse."""

import torch
from conditioning_parts import PROMPT, clip, encode, learnt
from script_parts import error, tell

from supsae.hosts.comfyui.conditionings import edit
from supsae.hosts.comfyui.text import ComfyText
from supsae.supsae_core.editing.edits import Remove, Swap

seen = {}
((cond, extra),) = encode(PROMPT)
swap = [Swap("hair: red")]
seen["no pooled"] = error(edit, [[cond, {}]], learnt, swap)
seen["empty"] = error(edit, [], learnt, swap)
seen["zeros"] = error(edit, [[cond * 0, extra]], learnt, swap)
seen["other width"] = error(edit, [[torch.randn(1, 154, 4096), extra]], learnt, swap)
seen["other encoder"] = error(edit, [[cond + (cond != 0) * torch.randn_like(cond), extra]], learnt, swap)
seen["joined"] = error(edit, [[torch.cat([cond, cond], 1), extra]], learnt, swap)
seen["twice"] = error(edit, [[cond, extra]], learnt, [*swap, Swap("hair: blue")])
seen["unknown"] = error(edit, [[cond, extra]], learnt, [Swap("hair: rde")])
seen["not said"] = error(edit, [[cond, extra]], learnt, [Remove("hat: crown")])


class Stranger:
    def tokenize(self, text):
        return {"l": [], "qwen": []}


seen["unknown clip"] = error(ComfyText, Stranger())
seen["skip"] = error(clip.cond_stage_model.set_clip_options, {"layer": -2})
tell(seen)
