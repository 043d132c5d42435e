"""The Lock under every sampler that is not adaptive, and with a text that an edit made longer."""

import comfy.samplers
from lock_parts import drawn, holds
from portraits_parts import encode, learnt
from script_parts import between, expect

from supsae.hosts.comfyui.conditionings import edit
from supsae.hosts.comfyui.sampling import SamplerSettings
from supsae.supsae_core.editing.edits import Add

names = [name for name in comfy.samplers.SAMPLER_NAMES if "adaptive" not in name]
expect("ancestral, stochastic, multistep and cfg++ among them", {"euler_ancestral_cfg_pp", "dpmpp_2m_sde"} <= {*names})
between("samplers", 40, len(names), 200)
for name in names:
    how = SamplerSettings(3, 3.0, name)
    holds(name, lambda on, positive, how=how: drawn(on, positive, how=how))

# an edit for which the text gets more rows: the reference has fewer
before = encode("blond hair, smiling, " + "soft light, flat colours, clean lines, " * 6)
longer, _ = edit(before, learnt, [Add("hat: crown")])
expect("more rows", longer[0][0].shape[1] > before[0][0].shape[1])
holds("a longer text", drawn, before=before, positive=longer)
