"""One family, all the way: capture, fit, save, load, read, and every edit of a conditioning, behind real tokenizers.

``family_edited NAME``: of FAMILIES.
"""

import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import family_text
import model_shapes
import torch
from portraits_parts import vae
from script_parts import below, encode_with, expect, refused

from supsae.hosts.comfyui import transformer
from supsae.hosts.comfyui.applying import EVERYWHERE, edit_conditioning
from supsae.hosts.comfyui.conditionings import edit, edit_places
from supsae.hosts.comfyui.mixing import mix_conditioning
from supsae.hosts.comfyui.pictures import drawing
from supsae.hosts.comfyui.prompt_reading import read_prompt
from supsae.hosts.comfyui.prompt_text import known_text, taught_text
from supsae.hosts.comfyui.sweeping import sweep
from supsae.hosts.comfyui.text import ComfyText
from supsae.supsae_core.dictionary.file import load_dictionary, save_dictionary
from supsae.supsae_core.editing.apply import in_order
from supsae.supsae_core.editing.edits import Add, Remove, Scale, Swap
from supsae.supsae_core.reading.readout import read_conditioning
from supsae.supsae_core.table.parsing import parse_table
from supsae.training import capture, fit
from supsae.training.solvers.exact import ExactConfig

TABLE = """
    hair: [blond hair, red hair, curly auburn hair]
    eyes: [green eyes, blue eyes]
    expression: {smile: [smiling, with a big smile], sad: [sad face]}
    place: [sandy beach, city at night, misty forest]
"""
PROMPT = "a photo of a person with blond hair, green eyes, smiling"
HAIR, EYES, SMILE, BEACH = "hair: blond hair", "eyes: green eyes", "expression: smile", "place: sandy beach"
RED, CURLY = "hair: red hair", "hair: curly auburn hair"
QUICK = ExactConfig(common_ridges=(10.0,), shared_ridges=(3.0,), own_ridges=(30.0,))

(name,) = sys.argv[1:]
clip = family_text.clip(name)
host = ComfyText(clip)
family = host.family
expect("the family is told", family.name, name)

table = parse_table(TABLE)
bare = replace(host.wording, others=())  # random encoders hear other things as loudly as concepts
few = {"klein-4b": (40, 8), "krea-2": (40, 8)}  # 512 rows, and rows 30720 wide, take their time
prompts, calibration = few.get(name, (80, 18))
config = capture.CaptureConfig(prompts=prompts, calibration=calibration, brief=0.0)
plan = capture.plan_text(table, host, config, bare)
file = Path(tempfile.mkdtemp()) / "d.safetensors"
save_dictionary(fit.fit_dictionary(capture.capture_text(host, tempfile.mkdtemp(), plan), config=QUICK), file)
learnt = load_dictionary(file)
expect("the family travels in the file", learnt.family, family)


def encode(text):
    return encode_with(clip, text)


def said(rows):
    return [str(table.concepts[one]) for one in read_conditioning(learnt, rows.float()).concepts(learnt)]


def edited(conditioning, *edits):
    """Return the edited rows, what goes with them, and what is said now."""
    made = edit_places(conditioning, learnt, edits)
    ((rows, extra),) = made.conditioning
    mask = extra.get("attention_mask")
    expect("a mask is as long as the rows", mask is None or mask.shape[-1] == rows.shape[1])
    return rows, extra, said(in_order(learnt, made.edited[0]))


# --- what is said, in any wording ------------------------------------------------------------------------------------

# A random T5 attends evenly to all it hears, so that many words drown one.
FILLED = "highly detailed, soft light, film grain, muted colours, " * (1 if name == "flux" else 9)
SAYS = {
    PROMPT: [HAIR, EYES, SMILE],
    "portrait of a woman, green eyes, green eyes and blond hair": [EYES, EYES, HAIR],
    "a castle on a hill, oil painting": [],
    "一个人, ein Mädchen, " + PROMPT: [HAIR, EYES, SMILE],
    FILLED + "blond hair, green eyes": [HAIR, EYES],
    "": [],
}
for text, wanted in SAYS.items():
    expect(f"said in {text!r}", said(encode(text)[0][0][0]), wanted)

# --- edits -----------------------------------------------------------------------------------------------------------

before = encode(PROMPT)
((cond, extra),) = before
came = cond.clone()
EDITS = {
    "swap": ([Swap(RED)], [RED, EYES, SMILE]),
    "swap to more words": ([Swap(CURLY)], [CURLY, EYES, SMILE]),
    "two swaps": ([Swap(CURLY), Swap("eyes: blue eyes")], [CURLY, "eyes: blue eyes", SMILE]),
    "remove": ([Remove(EYES)], [HAIR, SMILE]),
    "add": ([Add(BEACH)], [HAIR, EYES, SMILE, BEACH]),
}
lead = family.encoders[-1]
for kind, (edits, wanted) in EDITS.items():
    rows, more, says = edited(before, *edits)
    expect(f"{kind}: said after", sorted(says), sorted(wanted))
    if family.pooled:
        expect(f"{kind}: pooled moves", not torch.equal(more["pooled_output"], extra["pooled_output"]))
    tokens = [sum(host.counts(one.split())[lead.name]) for one in ("x curly auburn hair", "x blond hair")]
    longer = {"swap to more words": tokens[0] - tokens[1], "two swaps": tokens[0] - tokens[1]}.get(kind, 0)
    if kind != "add":
        expect(f"{kind}: rows more", rows.shape[1] - cond.shape[1], 0 if lead.layout.has_pads else longer)
expect("what came in stays", torch.equal(cond, came))
expect("scaled by 1: the same rows", torch.equal(edited(before, Scale(HAIR, 1.0))[0], cond))
rewrite = encode(PROMPT.replace("green", "blue"))[0][0]  # as many tokens everywhere
left = (edited(before, Swap("eyes: blue eyes"))[0] - rewrite).norm()
below("share of the rewrite's change that is left undone", float(left / (rewrite - cond).norm()), 0.75)

if family.weighted:
    weighted = encode(PROMPT.replace("blond hair", "(blond hair:1.2)"))
    expect("a weighted phrase is swapped", RED in edited(weighted, Swap(RED))[2])

if name == "chroma":  # its rows do not tell a weight, the text does: (z' − e) w against (z − e) w is the step, w times
    for weight in (1.4, 0.7):
        text = PROMPT.replace("green eyes", f"(green eyes:{weight})")
        heavy, wanted = encode(text), encode(text.replace("green", "blue"))[0][0]
        expect("weights of words", set(known_text(family, text).weights), {1.0, weight})
        taught = taught_text(family, heavy, text)
        made = edit_places(heavy, learnt, [Swap("eyes: blue eyes")], taught=taught).conditioning[0][0]
        off = float((made - wanted).norm() / (wanted - heavy[0][0]).norm())
        below(f"weight {weight}: left undone", off, 0.75)

# --- the text word by word -------------------------------------------------------------------------------------------

for text in (*SAYS, "a  prompt with\nlines,\nblanks, 4k (a:1.2) — 'quoted' l'été 日本語"):
    known = known_text(family, text)
    tokens = {one: sum(counts) for one, counts in known.counts.items()}
    expect(f"rows of {text!r}", family.length(tokens), encode(text)[0][0].shape[1])
    expect(f"bare words of {text!r}", bool(known.bare), not family.weighted and name != "chroma" and bool(text))
expect("words as the host counts them", known_text(family, PROMPT).counts, host.counts(PROMPT.split()))

# A tag that begins the text or a line is spelled without its blank by a language model, and is known by the text.
mix = json.dumps({"version": 1, "mix": {"hair": {"say": "red hair", "strength": 1.0}}})
for begins in ("blond hair, green eyes, smiling", "a photo of a person,\nblond hair, green eyes, smiling"):
    report = mix_conditioning(encode(begins), learnt, mix, begins).report
    expect(f"read in {begins!r}", report.splitlines()[0], f"found {HAIR}, {EYES}, {SMILE}")
    (read,) = read_prompt(encode(begins), learnt, taught_text(family, encode(begins), begins))
    expect(f"Read Prompt in {begins!r}", [one.concept for one in read.report.said][:1], [HAIR])
    swapped, told = edit_conditioning(encode(begins), learnt, [Swap(RED)], {"where": EVERYWHERE}, begins)
    expect(
        f"Apply Edits in {begins!r}",
        told.splitlines()[:2],
        [f"found {HAIR}, {EYES}, {SMILE}", f"changed {HAIR} to {RED} (strength 1)"],
    )
    expect("edited rows are no longer the text's", taught_text(family, swapped, begins) is None)

# --- pictures -------------------------------------------------------------------------------------------------------

if name in ("flux", "z-image"):  # whose latents a decoder at hand reads
    model, latent = model_shapes.build(name), {"samples": torch.zeros(1, 16, 8, 8)}
    one = drawing(model, before, encode("ugly"), vae, latent, 1, 2, 2.0, "euler", "simple")
    pictures = sweep(one, learnt, [Swap(RED)], [0, 1]).pictures
    expect("pictures of a sweep", list(pictures.shape), [2, 64, 64, 3])
    expect("the edit shows", not torch.equal(pictures[0], pictures[1]))
if name == "sdxl":
    refused("SupSAE edits the blocks of", transformer.depth, model_shapes.build(name))

# --- a wrong connection ----------------------------------------------------------------------------------------------

other = "sdxl" if name != "sdxl" else "flux"
refused(f"not of the family {name!r}", edit, encode_with(family_text.clip(other), PROMPT), learnt, [Swap(RED)])
