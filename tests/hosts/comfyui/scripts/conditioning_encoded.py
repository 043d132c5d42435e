"""The CLIP socket encodes as Portraits does."""

import torch
from conditioning_parts import PROMPT, encode
from script_parts import tell

from supsae.portraits import text

seen = {}
encoders = text.load_encoders()
prompts = {"short": PROMPT, "empty": "", "two chunks": "red hair, " * 30, "brackets": "a \\(red\\) hat"}
for name, prompt in prompts.items():
    ((cond, extra),) = encode(prompt)
    own = encoders.encode([prompt.replace("\\", "")])
    seen[name] = [list(cond.shape), torch.equal(cond, own.cond), torch.equal(extra["pooled_output"], own.pooled)]

plain, empty = encode("blond hair, red hat")[0], encode("")[0]
for name, prompt, weight in (("up", "blond hair, (red:1.3) hat", 1.3), ("default", "blond hair, (red) hat", 1.1)):
    ((cond, extra),) = encode(prompt)
    rows = (cond != plain[0]).any(-1)[0].nonzero().flatten().tolist()
    formula = empty[0] + weight * (plain[0] - empty[0])
    close = torch.allclose(cond[0, rows], formula[0, rows], atol=1e-6)
    seen[name] = [rows, close, torch.equal(extra["pooled_output"], plain[1]["pooled_output"])]

long, weighted = "red hair, " * 16 + "blue", "red hair, " * 16 + "(blue:1.5)"
cond, plain = encode(weighted)[0][0], encode(long)[0][0]
seen["weight in chunk 1"] = (cond != plain).any(-1)[0].nonzero().flatten().tolist()
tell(seen)
