"""The Lock with several edits: each has a mask of its own, is tried once, and is said to be held back if it is."""

from lock_parts import calls, drawn, locked
from portraits_parts import RED, WOOD, edited, learnt, model, plain, red, steered, vae
from script_parts import equal, expect

import nodes
from supsae.hosts.comfyui import alone, conditionings
from supsae.hosts.comfyui.locked_picture import locked_picture
from supsae.supsae_core.editing.edits import Keep, Swap
from supsae.supsae_core.lock import LockConfig

STEPS = 3  # of every sampling
wood, both = edited(WOOD), edited(RED, WOOD)
unedited = drawn(model, plain)


def mask_of(positive):
    held, made = locked()
    return held.result(drawn(made, positive)).mask


# --- a mask each ---
held, made = locked()
calls.clear()
picture = drawn(made, both)
expect("calls: without edits, either alone, both", len(calls), 4 * STEPS)
result = held.result(picture)
outside = ~result.mask[:, None].expand_as(picture)
expect("something is held, and something is not", bool(outside.any()) and bool(result.mask.any()))
equal("held", picture[outside], unedited[outside])
expect("edits", [(one.name, one.category) for one in result.told], [
    ("swap hair: red (strength 1)", "hair"), ("swap background: forest (strength 1)", "background"),
])  # fmt: skip
expect("every edit has cells", all(0 < one.share < 1 for one in result.told))
# at the last call both masks are there; each is at least as large as the larger of the two
expect("shares", float(result.mask.float().mean()) >= max(one.share for one in result.told))

# --- one slider moved: that edit alone is tried anew ---
calls.clear()
drawn(made, edited(RED, Swap("background: forest", 0.9)))
expect("calls: the moved one alone, both", len(calls), 2 * STEPS)
calls.clear()
equal("back again", drawn(made, both), picture)
expect("calls: the first forest was forgotten", len(calls), 2 * STEPS)
calls.clear()
drawn(made)
expect("calls: one edit needs no trial", len(calls), STEPS)

# --- the same however they are made ---
equal("one after the other", mask_of(edited(WOOD, of=red)), result.mask)
steered_both = drawn(steered(RED, WOOD, on=locked()[1]), plain)
equal("on the model", steered_both, picture)
equal("on the model, one after the other", drawn(steered(WOOD, on=steered(RED, on=locked()[1])), plain), picture)
other, made = locked()
equal("one here, one there", other.result(drawn(steered(WOOD, on=made))).mask, result.mask)
kept = locked()
drawn(kept[1], edited(RED, WOOD, Keep("eyes")))
names = [one.name for one in kept[0].result(drawn(kept[1], edited(RED, WOOD, Keep("eyes")))).told]
expect("what is kept is no edit", len(names), 2)

# --- an edit that cannot be made without another: one mask for all ---
red_then_wood = edited(Swap("hair: red"), of=edited(Swap("hair: black")))
(entry,) = red_then_wood
expect("two edits of one category", [one.edit.concept for one in entry[1][conditionings.ALONE]], [
    "hair: black", "hair: red",
])  # fmt: skip
drawn(locked()[1], red_then_wood)

# --- what is said ---
told = locked_picture({"samples": picture}, vae, held, reach=1, soft=True, progress=lambda done, total: None)
expect("edits of the panel", [one["category"] for one in told.told["edits"]], ["hair", "background"])
expect("report", "swap hair: red (strength 1): may change" in told.report and "Held as it was:" in told.report)
strict, made = locked(LockConfig(floor=100.0))
told = locked_picture(
    {"samples": drawn(made, both)}, vae, strict, reach=1, soft=True, progress=lambda done, total: None
)
expect("held back", told.report.count("held back, nothing of it is strong enough"), 2)
expect("shares of nothing", [one["share"] for one in told.told["edits"]], [0.0, 0.0])

# --- the switch ---
held, made = locked()
picture = drawn(made, conditionings.free(both))
equal("nothing is held", picture, drawn(model, both))
result = held.result(picture)
equal("and the reference is there", result.reference, unedited)
expect("all may change", bool(result.mask.all()) and result.free and result.told == ())
told = locked_picture({"samples": picture}, vae, held, reach=1, soft=True, progress=lambda done, total: None)
expect("said", told.report, "Nothing is held: the mixer's switch lets all of the picture follow.")
nothing = locked_picture(
    {"samples": drawn(made, plain)}, vae, held, reach=1, soft=True, progress=lambda done, total: None
)
expect("nothing edited", nothing.report, "Nothing is edited: this is the picture as it was.")

# --- parts of a picture, each with its own prompt: an edit is tried in every part that it was made in ---
halves = conditionings.edit([*plain, *plain], learnt, [RED, WOOD])[0]
areas = [
    nodes.ConditioningSetArea().append([one], 64, 32, 0, y, 1.0)[0][0] for one, y in zip(halves, (0, 32), strict=True)
]


class Guider:
    conds = {"positive": [{**extra, "cross_attn": rows} for rows, extra in areas], "negative": []}
    model_patcher = model


tried = alone.one_by_one(Guider)
expect("parts", [one.category for one in tried], ["hair", "background"])
expect("all parts are edited", [
    [conditionings.REFERENCE in entry for entry in one.conds["positive"]] for one in tried
], [[True, True], [True, True]])  # fmt: skip
