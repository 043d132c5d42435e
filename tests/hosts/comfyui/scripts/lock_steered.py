"""The Lock with edits on the model, with nothing to hold, and where the artist allows changes."""

import torch
from lock_parts import calls, drawn, locked
from portraits_parts import RED, WOOD, edited, model, plain, red, steered
from script_parts import equal, expect

from supsae.supsae_core.editing.edits import Swap
from supsae.supsae_core.lock import LockConfig

free, unlocked = drawn(model), drawn(model, plain)
once = drawn(locked()[1])
equal("steered is edited", drawn(steered(RED, on=locked()[1]), plain), once)
equal("the lock behind", drawn(locked(on=steered(RED))[1], plain), once)
equal("both", drawn(steered(WOOD, on=locked()[1])), drawn(locked()[1], edited(WOOD, of=red)))

# --- nothing to hold, nothing left ---
held, made = locked()
calls.clear()
equal("no edit", drawn(made, plain), unlocked)
expect("no edit is sampled once", len(calls), 3)
result = held.result(unlocked)
expect("no edit, no mask", not result.mask.any())
equal("no edit, reference", result.reference, unlocked)
equal("strength 0", drawn(steered(Swap("hair: red", 0.0), on=made), plain), unlocked)
equal("nothing may change", drawn(locked(LockConfig(floor=100.0))[1]), unlocked)
equal("model unchanged", drawn(model), free)
expect("nothing on the model", not model.wrappers and not model.attachments)
options = made.model_options.get("transformer_options", {})
expect("nothing left", not any(key.startswith("supsae") for key in (*made.model_options, *options)))

# --- where the artist allows it ---
left = torch.zeros(1, 40, 40)
left[..., :20] = 1
held, made = locked(LockConfig(threshold=0.2), left)
picture = drawn(made)
equal("where it is not allowed", picture[..., 4:], unlocked[..., 4:])
expect("where it is", not torch.equal(picture, unlocked))
equal("allowed nowhere", drawn(locked(allowed=torch.zeros(1, 8, 8))[1]), unlocked)

# --- the last lock counts ---
inner, made = locked(LockConfig(floor=100.0))
equal("the last lock counts", drawn(locked(on=made)[1]), once)
