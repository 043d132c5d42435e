"""Pictures of a batch, before and after: each is told by itself, whichever prompt it has."""

import torch
from portraits_parts import RED, drawn, edited, empty, encode, learnt, model, vae
from script_parts import expect, refused

from supsae.hosts.comfyui.auditing import draw_seeds
from supsae.hosts.comfyui.comparing import NO_READER, compare
from supsae.hosts.comfyui.conditionings import edit
from supsae.hosts.comfyui.pictures import decoded, drawing
from supsae.hosts.comfyui.sampling import SamplerSettings
from supsae.hosts.comfyui.trying import Tried, _in_picture
from supsae.supsae_core.editing.edits import Swap

ALONE = [encode(one) for one in ("a person with raven hair, a bare head", "blue hair, frowning, sandy beach")]
BATCH = [
    [
        torch.cat([one[0][0] for one in ALONE]),
        {"pooled_output": torch.cat([one[0][1]["pooled_output"] for one in ALONE])},
    ]
]
how = SamplerSettings(8, 3.0)
wide = torch.randn(2, 16, 16, 16, generator=torch.Generator().manual_seed(8))


def pictures(positive):
    return decoded(vae, drawn(model, positive, noise=wide, how=how))


before, after = pictures(BATCH), pictures(edited(RED, of=BATCH))
found = compare(before, after, learnt)
hair = [next((one.before, one.after) for one in own if one.category == "hair") for own in found.pictures]
expect("both are read", hair, [("black", "red"), ("blue", "red")])
lines = found.report.splitlines()
expect("told one by one", [sum(line.startswith(f"picture {n}: ") for line in lines) for n in (1, 2)], [3, 3])
expect("the panel too", len(found.to_json()["pictures"]), 2)

mixed = torch.cat([after[:1], before[1:]])
half = compare(before, mixed, learnt)
expect("nothing of the second", "picture 2: 0% of the picture differs visibly." in half.report.splitlines())
expect("nor in words", "picture 2: Changed in the picture: nothing." in half.report.splitlines())
single = compare(before[:1], after[:1], learnt).report
expect("one picture has no number", "picture 1" in single, False)
strange = compare(before * 0, after * 0, None).report
expect("nobody reads others", strange.endswith(NO_READER) and strange.count(NO_READER) == 1)

# a concept is tried on every picture of a batch
one = Tried("hair: red", "took", "", BATCH)
expect("took in both", _in_picture(one, before, after, learnt)[1:3], ("took", ""))
missed = _in_picture(one, before, mixed, learnt)
expect("not in the second", [missed.verdict, missed.reason], ["did not take", "picture 2 shows blue"])


def at(seed):
    return drawing(model, BATCH, empty, vae, {"samples": torch.zeros(1, 16, 8, 8)}, seed, 2, 3.0, "euler", "simple")


refused("'positive' holds 2 prompts in one batch", draw_seeds, at, 0, 1, learnt, [Swap("hair: red")])
expect("the edit is made in both", edit(BATCH, learnt, [RED])[1].count("to hair: red"), 2)
