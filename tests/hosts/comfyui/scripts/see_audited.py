"""Audit draws seeds without and with edits, as KSampler does, and counts what the reader sees in them."""

import comfy.model_management
import torch
from portraits_parts import RED, empty, learnt, model, plain, red, vae
from script_parts import equal, expect, refused

from supsae.evaluation import audit
from supsae.hosts.comfyui.auditing import draw_seeds
from supsae.hosts.comfyui.pictures import draw, drawing
from supsae.portraits.compare import readings
from supsae.supsae_core.editing.edits import Keep, Remove

COUNT, FIRST = 3, 2**64 - 2
SEEDS = [FIRST, FIRST + 1, 0]  # behind the last one there is the first


def at(seed, side=128, batch=1, positive=plain):
    latent = {"samples": torch.zeros(batch, 16, side // 8, side // 8)}
    return drawing(model, positive, empty, vae, latent, seed, 6, 3.0, "euler", "simple")


made = draw_seeds(at, FIRST, COUNT, learnt, [RED])
expect("seeds", made.seeds, SEEDS)
equal("edited, as Apply Edits and KSampler make it", made.pictures[1:2], draw(at(SEEDS[1], positive=red)))
before = torch.cat([draw(at(seed)) for seed in SEEDS])
read = list(zip(readings(before), readings(made.pictures), strict=True))
expect("read", made.readings, read)
asked = audit.asked_of(learnt.table, [RED], made.said)
expect("asked", asked, [audit.AskedConcept("hair: red", True)])
seen = [audit.Seen(seed, *own) for seed, own in zip(SEEDS, made.readings, strict=True)]
first, second, rest = audit.tell(seen, asked).splitlines()
counts = [sum(own[place]["hair"] == "red" for own in read) for place in (0, 1)]
expect("hair is blond without the edit and red with it", counts, [0, 3])
# Wilson's interval of none and of all of three is 0 … z² / (3 + z²) and what is left of 1: 56 %
expect("counted", first, "hair: red in 0 of 3 pictures before (0% … 56%), in 3 of 3 after (44% … 100%).")
expect("as asked", second, "As asked in 3 of 3 pictures (44% … 100%).")
others = {place: sum(one[place] != other[place] for one, other in read) for place in read[0][0] if place != "hair"}
told = ", ".join(f"{place} {count}" for place, count in others.items() if count)
expect("what else", rest.rpartition(": ")[2].rstrip(".") if told else "", told)
expect("what the prompt became", made.report.splitlines()[-1], "changed hair: blond to hair: red (strength 1)")
sheet = audit.sheet(made.seeds, made.shown, seen, asked, first)
expect("three pairs of 256 pixels below one another", sheet.height, 72 + 3 * (26 + 256 + 32 + 14) - 14 + 36)

small = draw_seeds(lambda seed: at(seed, side=64), 0, 1, learnt, [RED])
expect("too small to be read", small.readings, [])
refused("the prompt does not say it", draw_seeds, at, 0, COUNT, learnt, [Remove("hat: crown")])
refused("'latent' holds 2 pictures", draw_seeds, lambda seed: at(seed, batch=2), 0, COUNT, learnt, [RED])
kept = audit.asked_of(learnt.table, [Keep("eyes")], made.said)
expect("what is kept is not asked for", kept, [])
refused("is empty", draw_seeds, lambda seed: at(seed, positive=[]), 0, COUNT, learnt, [RED])

comfy.model_management.interrupt_current_processing()
try:
    draw_seeds(at, 0, COUNT, learnt, [RED])
    expect("stopped", False)
except comfy.model_management.InterruptProcessingException:
    comfy.model_management.interrupt_current_processing(False)
