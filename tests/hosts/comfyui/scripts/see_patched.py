"""Block Map: an edit from a block on, and before it."""

import sd35_shapes
from portraits_parts import RED, edited, learnt, model, plain
from script_parts import below, between, equal, expect, refused
from see_parts import one

from supsae.hosts.comfyui import patching, sampling
from supsae.hosts.comfyui.following import followed, tagged
from supsae.hosts.comfyui.pictures import draw
from supsae.supsae_core.editing.edits import Remove, Swap

red = edited(RED)
rows = [[red[0][0], plain[0][1]]]  # the edit's rows alone


def drawn(model, positive, patch=None, block=None):
    through = patch and (lambda call: patch(block, call))
    made = one(model=followed(model, through) if patch else model, positive=positive, batch=2)
    return sampling.sample(made.model, made.positive, made.negative, made.noise, made.sampling, made.seed)


for name, on in (("portraits", model), ("dual", sd35_shapes.build(3, 128, True, pooled=128, context=192))):
    marked = tagged(plain, [red[0][0] - plain[0][0]])
    wholly, nothing = drawn(on, rows), drawn(on, plain)
    edit = float((wholly - nothing).abs().max())
    some = drawn(on, marked, patching.from_block, 1)
    # as a share of the edit's own; another context is another rounding at most
    from_0, before_0 = drawn(on, marked, patching.from_block, 0), drawn(on, marked, patching.before_block, 0)
    below(f"{name} from 0 is the edit", float((from_0 - wholly).abs().max()) / edit, 1e-5)
    below(f"{name} before 0 is nothing", float((before_0 - nothing).abs().max()) / edit, 1e-5)
    between(f"{name} from 1 is less", 1e-2, float((some - wholly).abs().max()) / edit, 10)
    between(f"{name} from 1 is something", 1e-2, float((some - nothing).abs().max()) / edit, 10)


def block_map(*edits, blocks=(0,), pooled=True):
    return patching.block_map(one(), learnt, edits, blocks, pooled=pooled, told=lambda number: None)


for pooled in (True, False):
    found = block_map(RED, blocks=(0, 2), pooled=pooled)
    case = f"pooled {pooled}"
    expect(f"{case}: the chosen blocks, and behind the last of three", found.places, (0, 2, 3))
    equal(f"{case}: unedited", found.unedited, draw(one()))
    equal(f"{case}: edited", found.pictures[patching.FROM][0], draw(one(positive=red if pooled else rows)))
    (from_0, _), (before_0, _) = (found.points[side][0] for side in patching.SIDES)
    (from_end, _), (before_end, _) = (found.points[side][-1] for side in patching.SIDES)
    expect(f"{case}: from all to nothing", from_0 == before_end == 1 and from_end == before_0)
    expect(f"{case}: what is left behind the last block is the pooled vector's", from_end > 0, pooled)
# the unedited and the edited, the pooled vector alone, and two for every block but the first
drawings = [patching.drawings((0, 1, 2), True), patching.drawings((1,), False)]
expect("drawings", drawings, [2 + 1 + 4, 2 + 2])
refused("changes nothing that can be seen", block_map, Swap("hair: red", 0.0))
refused("Cannot remove 'hat: crown'", block_map, Remove("hat: crown"))
