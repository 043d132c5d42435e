"""Strength Sweep."""

import torch
from script_parts import error, tell
from see_parts import PROMPT, encode, learnt, one

from supsae.hosts.comfyui.conditionings import edit
from supsae.hosts.comfyui.pictures import draw
from supsae.hosts.comfyui.sweeping import sweep
from supsae.supsae_core.editing.edits import Swap

seen = {}
drawn = sweep(one(), learnt, [Swap("hair: red", 2.0)], (0.5, 0.0))
edited, _ = edit(encode(PROMPT), learnt, [Swap("hair: red")])
seen["at 1"] = torch.equal(drawn.pictures[:1], draw(one(positive=edited)))
seen["at 0"] = torch.equal(drawn.pictures[1:], draw(one()))
seen["report"] = drawn.report.splitlines()
seen["sheet"] = drawn.sheet.size
seen["batch"] = list(sweep(one(batch=2), learnt, [Swap("hair: red")], (0.0, 1.0, 2.0)).pictures.shape)
seen["too strong"] = error(sweep, one(), learnt, [Swap("hair: red", 2.0)], (0.0, 2.0))
tell(seen)
