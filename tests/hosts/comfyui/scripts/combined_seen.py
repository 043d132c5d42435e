"""A combined dictionary in the nodes that draw and look: sweep, calibrate, audit, try, map, read, save, evaluate."""

import tempfile
from pathlib import Path

import torch
from portraits_parts import clip, empty, encode, learnt, model, vae
from script_parts import equal, expect, refused

from supsae.hosts.comfyui import folders, keeping
from supsae.hosts.comfyui.mixing import mix_conditioning
from supsae.nodes.audit import AuditNode
from supsae.nodes.combine import CombineDictionariesNode
from supsae.nodes.evaluate import EvaluateDictionaryNode
from supsae.nodes.maps import BlockMapNode, ConceptMapNode
from supsae.nodes.quick import QuickConceptNode
from supsae.nodes.read_prompt import ReadPromptNode
from supsae.nodes.sweep import StrengthSweepNode
from supsae.nodes.trying import TryConceptsNode
from supsae.supsae_core.dictionary.file import load_dictionary, save_dictionary
from supsae.supsae_core.editing.edits import Remove, Swap

folders.register_folders()
quick = QuickConceptNode.execute(clip, "a raven haired twin", "a silver haired twin", 16).result[0]
(made, told) = CombineDictionariesNode.execute(learnt, quick, "first", {"save": "no"}).result
path = Path(tempfile.mkdtemp()) / "whole.safetensors"
save_dictionary(made, path)
whole = load_dictionary(path)
expect("two members", len(whole.members), 2)
SILVER = next(str(one) for one in whole.table.concepts if one.name.startswith("silver"))
prompt = encode("a portrait of a person with raven hair, brown eyes, in a winter landscape")
latent = {"samples": torch.zeros(1, 16, 8, 8)}
how = {
    "model": model, "positive": prompt, "negative": empty, "vae": vae, "latent": latent, "seed": 21, "steps": 2,
    "cfg": 3.0, "sampler": "euler", "scheduler": "simple",
}  # fmt: skip
BLUE, NEW = Swap("eyes: blue"), Swap(SILVER)


def same(name, node, output, edits, **more):
    """Expect a node to give the same with the learnt dictionary and with the whole, for the learnt one's edits."""
    one, other = (node.execute(dictionary=own, edits=edits, **more, **how).result[output] for own in (learnt, whole))
    equal(name, one, other) if isinstance(one, torch.Tensor) else expect(name, other, one)


NO = {"calibrate": "no"}
same("sweep", StrengthSweepNode, 1, (BLUE,), strengths="0, 1", calibrate=NO)
same("in frames", StrengthSweepNode, 1, (BLUE, Remove("hair: black")), strengths="0 to 1 in 3", calibrate=NO)
same("audit", AuditNode, 1, (BLUE,), seeds=1, judge={"judge": "reader of Portraits"})
same("block map", BlockMapNode, 2, (BLUE,), blocks="0", pooled=True)
both = StrengthSweepNode.execute(dictionary=whole, edits=(BLUE, NEW), strengths="0, 1", calibrate=NO, **how).result
lines = both[2].splitlines()
expect("one edit of each", f"added {SILVER} (strength 1)" in lines[2] and "eyes: blue" in lines[2])
expect("they are seen", not torch.equal(both[1][0], both[1][1]))
even = StrengthSweepNode.execute(
    dictionary=whole, edits=(BLUE,), strengths="0, 0.25, 0.5, 0.75, 1", calibrate={"calibrate": "yes"}, **how
).result[3]
save_dictionary(even, path)
again = load_dictionary(path)
index = again.table.index("eyes: blue")
expect("its own slider", list(again.sliders), ["eyes: blue"])
expect("calibrated, saved and read", again.strength(0.5, index), even.strength(0.5, index))
tried = TryConceptsNode.execute(whole, f"hat: crown, {SILVER}", 1.0, **how).result[2]
expect("tried", "says 2 of 2 concepts" in tried.splitlines()[0])
mapped = ConceptMapNode.execute(whole, "hair: black", 0.0, 1.0, {"method": "effect"}, **how).result
equal(
    "a concept's place",
    mapped[0],
    ConceptMapNode.execute(learnt, "hair: black", 0.0, 1.0, {"method": "effect"}, **how)[0],
)
read = [one for one in ReadPromptNode.execute(conditioning=prompt, dictionary=whole).result if isinstance(one, str)]
expect("read", "background: snow" in read[0])
refused(
    "is none of Portraits'", EvaluateDictionaryNode.execute, clip=clip, dictionary=whole, size="quick", seed=0,
    model=model, vae=vae,
)  # fmt: skip

# --- saved with what was edited, and edited again ---
mix = '{"version": 1, "mix": {"eyes": {"say": "blue"}, "' + SILVER.partition(": ")[0] + '": {"say": "'
mixed = mix_conditioning(prompt, whole, mix + SILVER.partition(": ")[2] + '"}}}')
kept = keeping.keep(mixed.output, "of two", False)
expect("both are named", f"swap {SILVER} (strength 1)" in kept.report and "swap eyes: blue" in kept.report)
taken = keeping.take("of two.safetensors")
equal("the same rows", taken.conditioning[0][0], mixed.output[0][0])
further = mix_conditioning(taken.conditioning, whole, '{"version": 1, "mix": {"eyes": {"say": "green"}}}')
expect("edited further", "changed eyes: blue to eyes: green (strength 1)" in further.report)
