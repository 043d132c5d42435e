"""Read Prompt, Strength Sweep, and Try Concepts."""

import json

from portraits_parts import RED, edited, encode, learnt
from script_parts import between, equal, expect, refused
from see_parts import one

from supsae.hosts.comfyui.pictures import draw
from supsae.hosts.comfyui.prompt_reading import as_json, as_text, read_prompt
from supsae.hosts.comfyui.sweeping import sweep
from supsae.hosts.comfyui.trying import MOST, chosen, try_concepts
from supsae.supsae_core.editing.edits import Swap

weighted = encode("a portrait with (blond hair:1.3), (green eyes:0.8), smiling")
area = [encode("red hair")[0][0], {**encode("red hair")[0][1], "area": (8, 8, 0, 0)}]
found = read_prompt([*weighted, area], learnt)
whole, part = json.loads(as_json(found))["prompts"]
expect("said", [one["concept"] for one in whole["concepts"]], ["hair: blond", "eyes: green", "expression: smile"])
expect("whole picture", [whole["part"], whole["row"], whole["whole_picture"]], [1, 1, True])
expect("a part of it", [part["part"], part["whole_picture"]], [2, False])
expect("rows", part["concepts"][0]["rows"], {"clip": [1, 2], "t5": [48, 49]})
expect("unmentioned", "hat" in whole["unmentioned"] and "hair" not in whole["unmentioned"])
expect("as text", "part 2, row 1, for a part of the picture" in as_text(found))
# unweighted phrases of Portraits scatter by 0.02
for concept, weight in zip(whole["concepts"], (1.3, 0.8, 1), strict=True):
    between(f"weight of {concept['concept']}", weight - 0.06, concept["weight"], weight + 0.06)
nothing = as_text(read_prompt(encode(""), learnt)).splitlines()[0]
expect("a prompt that says nothing", nothing, "none of the dictionary's concepts")
refused("conditioning is empty", read_prompt, [], learnt)

double = [Swap("hair: red", 2.0)]
drawn = sweep(one(), learnt, double, (0.5, 0.0))
equal("half of strength 2", drawn.pictures[:1], draw(one(positive=edited(RED))))
equal("none of it", drawn.pictures[1:], draw(one()))
lines = drawn.report.splitlines()
expect("report", [lines[0], lines[-1]], ["times 0.5:", "changed hair: blond to hair: red (strength 1)"])
expect("batch", list(sweep(one(batch=2), learnt, [RED], (0.0, 1.0, 2.0)).pictures.shape), [3 * 2, 64, 64, 3])
refused("2 times the strength of 'hair: red' is 4, outside -2 … 3", sweep, one(), learnt, double, (0.0, 2.0))

# "blond hair" is said; in a picture of 3 steps and 64 pixels a reader sees little, so only the prompt is judged
tried = try_concepts(one(), learnt, "hair: red, Hat", 1.0)
hats = [str(learnt.table.concepts[index]) for index in learnt.table.category("hat")]
names, more = chosen(learnt, "hair: red, Hat")
expect("what is asked for", (names, more <= 0), (["hair: red", *hats], True))
expect("unedited, and with each", list(tried.pictures.shape), [1 + len(names), 64, 64, 3])
equal("unedited first", tried.pictures[:1], draw(one()))
equal("then as Apply Edits makes it", tried.pictures[1:2], draw(one(positive=edited(RED))))
first, *rest = tried.report.splitlines()
alone = f"The edited prompt says {len(names)} of {len(names)} concepts: look whether their pictures show them."
expect("a sentence", first, alone)
expect("and nothing more where all took", rest, [])
every, more = chosen(learnt, " ")
expect("all, as many as are drawn at once", (len(every), more), (MOST, len(learnt.table) - MOST))
expect("a value that the prompt says", "1 of 1" in try_concepts(one(), learnt, "hair: blond", 1.0).report)
refused("There is no concept 'hair: purple'", try_concepts, one(), learnt, "hair: purple", 1.0)
refused("There is no category 'shoes'", try_concepts, one(), learnt, "shoes", 1.0)
refused(
    "28 concepts are asked for, and 24 are drawn", try_concepts, one(), learnt, ",".join(learnt.table.categories), 1.0
)
