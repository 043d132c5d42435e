"""Edits on a model that torch.compile has in hand, in either order."""

import torch
from comfy_extras.nodes_torch_compile import TorchCompileModel
from portraits_parts import RED, drawn, model, red, steered
from script_parts import below

from supsae.hosts.comfyui.sampling import SamplerSettings

# "eager" runs what Dynamo traced: tracing is what an edit could break; to compile it would take a minute.
how = SamplerSettings(2, 3.0)
wanted, nothing = drawn(model, red, how=how), drawn(model, how=how)
for sites in ("cond, pooled", "txt@0, pooled"):
    ours_first = TorchCompileModel.execute(steered(RED, sites=sites), "eager")[0]
    ours_last = steered(RED, sites=sites, on=TorchCompileModel.execute(model, "eager")[0])
    for one in (ours_first, ours_last):
        below(sites, float((drawn(one, how=how) - wanted).norm() / (wanted - nothing).norm()), 1e-3)
torch._dynamo.reset()
