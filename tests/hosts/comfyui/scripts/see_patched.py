"""Block Map: an edit from a block on, and before it."""

import sd35_shapes
import torch
from script_parts import error, tell
from see_parts import PROMPT, encode, learnt, one, portraits

from supsae.hosts.comfyui import patching, sampling
from supsae.hosts.comfyui.conditionings import edit
from supsae.hosts.comfyui.following import followed, tagged
from supsae.hosts.comfyui.pictures import draw
from supsae.supsae_core.editing.edits import Remove, Swap

seen = {}
edits, told = [Swap("hair: red")], lambda number: None
plain = encode(PROMPT)
edited, _ = edit(plain, learnt, edits)
dual = sd35_shapes.build(3, 128, True, pooled=128, context=192)


def drawn(model, positive, patch=None, block=None):
    through = patch and (lambda call: patch(block, call))
    made = one(model=followed(model, through) if patch else model, positive=positive, batch=2)
    return sampling.sample(made.model, made.positive, made.negative, made.noise, made.sampling, made.seed)


for name, model in (("portraits", portraits), ("dual", dual)):
    rows = [[edited[0][0], plain[0][1]]]  # the edit's rows alone
    marked = tagged(plain, [edited[0][0] - plain[0][0]])
    wholly, nothing = drawn(model, rows), drawn(model, plain)
    far = (wholly - nothing).abs().max()
    seen[f"{name} from 0"] = float((drawn(model, marked, patching.from_block, 0) - wholly).abs().max() / far)
    seen[f"{name} before 0"] = float((drawn(model, marked, patching.before_block, 0) - nothing).abs().max() / far)
    some = drawn(model, marked, patching.from_block, 1)
    seen[f"{name} from 1"] = [float((some - one_).abs().max() / far) for one_ in (wholly, nothing)]
for pooled in (True, False):
    found = patching.block_map(one(), learnt, edits, (0, 2), pooled=pooled, told=told)
    first, last = ([found.points[side][i] for side in patching.SIDES] for i in (0, -1))
    seen[f"map, pooled {pooled}"] = [
        found.places,
        first,
        last,
        torch.equal(found.unedited, draw(one())),
        torch.equal(found.pictures[patching.FROM][0], draw(one(positive=edited if pooled else rows))),
    ]
seen["drawings"] = [patching.drawings((0, 1, 2), True), patching.drawings((1,), False)]
nothing = patching.block_map
seen["no change"] = error(nothing, one(), learnt, [Swap("hair: red", 0.0)], (0,), pooled=True, told=told)
seen["not said"] = error(nothing, one(), learnt, [Remove("hat: crown")], (0,), pooled=True, told=told)
tell(seen)
