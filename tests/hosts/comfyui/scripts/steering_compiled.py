"""Edits on a model that torch.compile has in hand, in either order."""

from comfy_extras.nodes_torch_compile import TorchCompileModel
from script_parts import tell
from steering_parts import RED, drawn, edited, model, steered

from supsae.hosts.comfyui.sampling import SamplerSettings

seen = {}
# "eager" runs what Dynamo traced: tracing is what an edit could break; to compile it would take a minute.
how = SamplerSettings(2, 3.0)
wanted, nothing = drawn(model, edited(RED), how=how), drawn(model, how=how)
for sites in ("cond, pooled", "txt@0, pooled"):
    ours_first = TorchCompileModel.execute(steered(RED, sites=sites), "eager")[0]
    ours_last = steered(RED, sites=sites, on=TorchCompileModel.execute(model, "eager")[0])
    seen[sites] = [
        float((drawn(one, how=how) - wanted).norm() / (wanted - nothing).norm()) for one in (ours_first, ours_last)
    ]

tell(seen)
