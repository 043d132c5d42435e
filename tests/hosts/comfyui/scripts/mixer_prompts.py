"""A batch of different prompts, each of a picture of its own: edited as if it came alone, and told prompt by prompt."""

import json

import torch
from portraits_parts import drawn as drawn_of
from portraits_parts import encode, learnt, model, noise
from script_parts import equal, expect, refused

from supsae.hosts.comfyui.applying import edit_conditioning
from supsae.hosts.comfyui.mixing import mix_conditioning, mix_model
from supsae.supsae_core.editing.edits import Remove, Swap

PROMPTS = (
    "a portrait of a person with blue hair, brown eyes, in the snow",
    "green eyes, a top hat, smiling",
    "a person with black hair, and one with blond hair",
)
ALONE = [encode(one) for one in PROMPTS]


def batch_of(some):
    """Return one entry of several prompts."""
    pooled = torch.cat([one[0][1]["pooled_output"] for one in some])
    return [[torch.cat([one[0][0] for one in some]), {"pooled_output": pooled}]]


def as_text(rows):
    return json.dumps({"version": 1, "mix": rows})


BATCH, COMBINED = batch_of(ALONE), [entry for one in ALONE for entry in one]
ROWS = {"hair": {"say": "red", "strength": 1}, "hat": {"say": None}, "background": {"say": "forest", "strength": 0.1}}
made = mix_conditioning(BATCH, learnt, as_text(ROWS))
for row, one in enumerate(ALONE):
    own = mix_conditioning(one, learnt, as_text(ROWS))
    (cond, extra), (alone, vector) = made.output[0], own.output[0]
    expect(f"rows of prompt {row + 1}, as alone", torch.allclose(cond[row], alone[0], atol=1e-6))
    near = torch.allclose(extra["pooled_output"][row], vector["pooled_output"][0], atol=1e-6)
    expect(f"vector of prompt {row + 1}, as alone", near)
    (prompt,) = own.panel["prompts"]
    expect(f"prompt {row + 1} reads as alone", made.panel["prompts"][row]["after"], prompt["after"])
hair, hat = ([one["verdicts"][name]["verdict"] for one in made.panel["prompts"]] for name in ("hair", "hat"))
expect("red hair is said to all three", hair, ["took"] * 3)
expect("one of them has a hat", hat, ["nothing to change", "took", "nothing to change"])
expect("which the report says", made.report.count("hat changes nothing here: the prompt does not mention hat"), 2)
place = [one["verdicts"]["background"]["verdict"] for one in made.panel["prompts"]]
expect("too weak to be read anywhere", place, ["did not take"] * 3)
expect("no number that is none", "inf" in made.report, False)

# of one picture's several prompts those are changed that mention it, and of the others it is said
combined = mix_conditioning(COMBINED, learnt, as_text(ROWS))
hair = [one["verdicts"]["hair"] for one in combined.panel["prompts"]]
expect("combined", [one["verdict"] for one in hair], ["took", "nothing to change", "took"])
expect("why", hair[1]["reason"], "the prompt does not mention hair")

# the second mention: of one prompt alone there is one
second = {"hair": {"say": "red", "mention": 2}}
made = mix_conditioning(BATCH, learnt, as_text(second))
found = [one["after"]["hair"] for one in made.panel["prompts"]]
expect("the second of two people", found, [["blue"], [], ["black", "red"]])
expect("not left out", made.panel["left_out"], {})
why = made.panel["prompts"][0]["verdicts"]["hair"]["reason"]
expect("and why not", why.startswith("Occurrence 2 of 'hair: red' does not exist: the prompt mentions its category 1"))
HOW = {"where": "everywhere"}
_, report = edit_conditioning(BATCH, learnt, [Swap("hair: red", 1.0, 2)], HOW)
expect("Apply Edits too", [line.count("Occurrence 2") for line in report.splitlines()].count(1), 2)
_, report = edit_conditioning(BATCH, learnt, [Remove("hat: top hat")], HOW)
expect("what is not said there", report.count("hat: top hat changes nothing here"), 2)
refused("Occurrence 3", edit_conditioning, BATCH, learnt, [Swap("hair: red", 1.0, 3)], HOW)

# while the model draws: the same edits, the same report
for given in (BATCH, COMBINED):
    told, several = [], noise.repeat(len(given[0][0]), 1, 1, 1)
    by_conditioning = mix_conditioning(given, learnt, as_text(ROWS))
    steered = mix_model(model, learnt, as_text(ROWS), told.append)
    pictures = drawn_of(steered.output, given, noise=several)
    equal("pictures", pictures, drawn_of(model, by_conditioning.output, noise=several))
    expect("told while it draws", told[0]["report"], by_conditioning.report)
    expect("and its panel", told[0]["prompts"], by_conditioning.panel["prompts"])
