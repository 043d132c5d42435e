"""A cache that keeps state of one sampling, before the Lock and behind it: two samplings, each like one of its own."""

from comfy_extras.nodes_easycache import LazyCacheNode
from lock_parts import holds, locked, outside
from portraits_parts import drawn as drawn_plainly
from portraits_parts import model, plain, red
from script_parts import equal, expect

from supsae.hosts.comfyui.sampling import SamplerSettings

HOW = SamplerSettings(12, 3.0)


def draw(made, positive):
    return drawn_plainly(made, positive, how=HOW)


def cached(on):
    return LazyCacheNode.execute(on, 0.2, 0.15, 0.95, False).args[0]


on = cached(model)
expect("it skips steps", not bool((draw(on, plain) == draw(model, plain)).all()))
holds("before the lock", draw, on=on)
held, made = locked()
picture = draw(cached(made), red)
result = held.result(picture)
equal("behind the lock: reference", result.reference, draw(on, plain))
expect("behind the lock: outside", outside(result, picture, result.reference))
