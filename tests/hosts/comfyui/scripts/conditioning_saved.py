"""Conditionings as files: the picture and the Lock's masks are those of the run without the file, to the last bit."""

import json
from pathlib import Path

import folder_paths
import torch
from lock_parts import drawn, locked
from portraits_parts import RED, WOOD, controlled, edited, encode, learnt, model, plain
from script_parts import equal, expect, refused

import nodes
from supsae.hosts.comfyui import conditionings, folders, keeping
from supsae.hosts.comfyui.mixing import mix_conditioning
from supsae.supsae_core.editing.edits import Keep, Swap

ROWS = {"hair": {"say": "red"}, "background": {"say": "forest"}, "eyes": {"keep": True}}
folders.register_folders()
Path(folder_paths.get_input_directory()).mkdir(parents=True, exist_ok=True)


def again(conditioning, name="there and back"):
    """Return a conditioning that was saved and loaded, and what is told of it."""
    keeping.keep(conditioning, name, True)
    return keeping.take(f"{name}.safetensors")


def same(name, one, other):
    """Expect two lists to be equal in all that a sampler sees, to the bit."""
    expect(f"{name}: entries", len(one), len(other))
    for (rows, options), (wanted, own) in zip(one, other, strict=True):
        equal(f"{name}: rows", rows, wanted)
        expect(f"{name}: dtype", rows.dtype, wanted.dtype)
        expect(f"{name}: options", sorted(options), sorted(own))
        for key in own:
            if isinstance(own[key], torch.Tensor):
                equal(f"{name}: {key}", options[key], own[key])
                expect(f"{name}: dtype of {key}", options[key].dtype, own[key].dtype)
            elif not key.startswith("supsae"):
                expect(f"{name}: {key}", options[key], own[key])


# --- encoded, mixed, saved, loaded, drawn ---
mixed = mix_conditioning(plain, learnt, json.dumps({"version": 1, "mix": ROWS})).output
loaded = again(mixed)
same("mixed", loaded.conditioning, mixed)
equal("the picture", drawn(model, loaded.conditioning), drawn(model, mixed))
expect("report", loaded.report.splitlines(), [
    "96 rows of 192 numbers, and a pooled vector of 128",
    "edited: swap hair: red (strength 1), swap background: forest (strength 1), keep eyes",
    "by the dictionary portraits.safetensors, for the text encoders clip, t5 of Portraits",
])  # fmt: skip
expect("not edited", again(plain).report.splitlines()[-1], "not edited")

# --- what the Lock reads ---
for name, live in {
    "two edits": edited(RED, WOOD),
    "one edit": edited(RED),
    "kept": edited(RED, WOOD, Keep("eyes")),
}.items():
    held, made = locked()
    wanted = drawn(made, live)
    other, own = locked()
    found = drawn(own, again(live).conditioning)
    equal(f"the Lock, {name}", found, wanted)
    told = [(one.name, one.category, one.share) for one in other.result(found).told]
    expect(f"what of it, {name}", told, [(*one,) for one in held.result(wanted).told])
held, made = locked()
further = edited(WOOD, of=again(edited(RED)).conditioning)
equal("edited further", further[0][0], edited(WOOD, of=edited(RED))[0][0])
picture = drawn(made, further)
expect("each edit by itself", [one.category for one in held.result(picture).told], ["hair", "background"])
equal("its mask", picture, drawn(locked()[1], edited(WOOD, of=edited(RED))))
twice = again(further)
expect("both are told", twice.report.splitlines()[1], (
    "edited: swap hair: red (strength 1), swap background: forest (strength 1)"
))  # fmt: skip
held, made = locked()
free = again(conditionings.free(edited(RED))).conditioning
expect("free", held.result(drawn(made, free)).free)
joined = nodes.ConditioningConcat().concat(edited(RED), plain)[0]
refused("joined, averaged or otherwise changed", drawn, locked()[1], again(joined).conditioning)

# --- lists: areas, masks, times, batches, no pooled vector, other kinds of numbers ---
cond, extra = plain[0]
parts = nodes.ConditioningSetArea().append(edited(RED), 64, 32, 0, 0, 0.8)[0]
parts += nodes.ConditioningSetAreaPercentage().append(encode("black hair"), 0.5, 0.5, 0.25, 0.0, 1.0)[0]
parts += nodes.ConditioningSetMask().append(plain, torch.rand(1, 64, 64), "mask bounds", 0.7)[0]
parts += nodes.ConditioningSetTimestepRange().set_range(edited(Swap("eyes: blue")), 0.25, 1.0)[0]
parts = [parts[0], parts[1], parts[2], parts[3]]
loaded = again(parts)
same("parts", loaded.conditioning, parts)
equal("their picture", drawn(model, loaded.conditioning), drawn(model, parts))
expect("entries are told", [line for line in loaded.report.splitlines() if "edited" in line], [
    "entry 1: edited: swap hair: red (strength 1)", "entry 2: not edited", "entry 3: not edited",
    "entry 4: edited: swap eyes: blue (strength 1)",
])  # fmt: skip
times = [line for line in loaded.report.splitlines() if "sampling" in line]
expect("and the time of one", times, ["entry 4: from 25% to 100% of sampling"])
latents = [torch.rand(1, 4, 8, 8), torch.rand(2, 3)]
half = {"pooled_output": None, "guidance": 3.5, "attention_mask": torch.ones(2, 96).int()}
brain = {"reference_latents": latents, "of a pack": {"a": (1, [True, None])}}
kinds = [[torch.cat([cond, cond]).half(), half], [cond.bfloat16(), brain]]
found = again(kinds).conditioning
expect("kinds", [found[0][0].dtype, found[1][0].dtype], [torch.float16, torch.bfloat16])
expect("none stays none", found[0][1]["pooled_output"] is None and found[0][1]["guidance"] == 3.5)
expect("of a pack", found[1][1]["of a pack"], {"a": (1, [True, None])})
for one, wanted in zip(found[1][1]["reference_latents"], latents, strict=True):
    equal("latents", one, wanted)

# --- what no file can hold is left out, and told ---
positive, _ = controlled(plain)
kept = keeping.keep(positive, "controlled", False)
expect("passed on", kept.conditioning is positive and "control" in positive[0][1])
left = "left out, since no file can hold it: control. Connect it again behind Load Conditioning."
expect("told when saved", left in kept.report)
taken = keeping.take("controlled.safetensors")
expect("told when loaded", left in taken.report and "control" not in taken.conditioning[0][1])

# --- files ---
folder = folders.conditioning_folder()
expect("place", str(folder).endswith("supsae/conditionings") and (folder / "controlled.safetensors").is_file())
for conditioning, name in ((plain, "mine"), (plain, "mine"), (edited(RED), "mine_2"), (edited(RED), "mine_2")):
    told = keeping.keep(conditioning, "mine", False).report.splitlines()[0]
    expect("never over another", told, f"saved as {name}.safetensors in output/supsae/conditionings")
expect(
    "nor beside it in another case", keeping.keep(edited(WOOD), "MINE", False).report.split()[2], "MINE_3.safetensors"
)
keeping.keep(edited(WOOD), "mine", True)
expect("unless asked", "forest" in keeping.take("mine.safetensors").report)
given = Path(folder_paths.get_input_directory()) / "shared.safetensors"
given.write_bytes((folder / "controlled.safetensors").read_bytes())
(folder / ".hidden.safetensors").write_bytes(b"")
(folder / "link.safetensors").symlink_to(given)
names = folders.conditioning_names()
expect("offered", [names[0], names[-1]], ["controlled.safetensors", "shared.safetensors [input]"])
expect("hidden", ".hidden.safetensors" in names, False)
same("from the input folder", keeping.take("shared.safetensors [input]").conditioning, taken.conditioning)
refused("is a link to another folder", keeping.take, "link.safetensors")
for name in ("../supsae/conditionings/mine.safetensors", "/etc/passwd", "gone.safetensors", "mine.safetensors [input]"):
    refused("There is no saved conditioning", keeping.take, name)
for name in ("../mine", "a/b", "", ".hidden", "nul"):
    refused("cannot name the conditioning", keeping.keep, plain, name, False)
