"""The Lock with edits on the model, with nothing to hold, and where the artist allows changes."""

import torch
from lock_parts import calls, drawn, edited, learnt, locked, model, plain, steered
from script_parts import tell

from supsae.hosts.comfyui.conditionings import edit
from supsae.supsae_core.editing.edits import Swap
from supsae.supsae_core.lock import LockConfig

seen, free = {}, drawn(model)
seen["steered is edited"] = torch.equal(drawn(steered(locked()[1]), plain), drawn(locked()[1]))
seen["lock behind"] = torch.equal(drawn(locked(on=steered(model))[1], plain), drawn(locked()[1]))
seen["both"] = torch.equal(
    drawn(steered(locked()[1], Swap("background: forest"))),
    drawn(locked()[1], edit(edited, learnt, [Swap("background: forest")])[0]),
)

# --- nothing to hold, nothing left ---
unlocked = drawn(model, plain)
held, made = locked()
calls.clear()
seen["no edit"] = torch.equal(drawn(made, plain), unlocked) and len(calls) == 3
result = held.result(unlocked)
seen["no edit, result"] = not result.mask.any() and torch.equal(result.reference, unlocked)
seen["strength 0"] = torch.equal(drawn(steered(made, Swap("hair: red", 0.0)), plain), unlocked)
seen["nothing may change"] = torch.equal(drawn(locked(LockConfig(floor=100.0))[1]), unlocked)
seen["model unchanged"] = not model.wrappers and not model.attachments and torch.equal(drawn(model), free)
options = made.model_options.get("transformer_options", {})
seen["nothing left"] = not any(key.startswith("supsae") for key in (*made.model_options, *options))

# --- where the artist allows it ---
left = torch.zeros(1, 40, 40)
left[..., :20] = 1
held, made = locked(LockConfig(threshold=0.2), left)
picture = drawn(made)
seen["allowed"] = torch.equal(picture[..., 4:], unlocked[..., 4:]) and not torch.equal(picture, unlocked)
seen["allowed nowhere"] = torch.equal(drawn(locked(allowed=torch.zeros(1, 8, 8))[1]), unlocked)

# --- the last lock counts ---
inner, made = locked(LockConfig(floor=100.0))
outer, made = locked(on=made)
seen["the last lock counts"] = torch.equal(drawn(made), drawn(locked()[1]))
tell(seen)
