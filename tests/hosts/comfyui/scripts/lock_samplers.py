"""The Lock under every sampler that is not adaptive."""

import comfy.samplers
from lock_parts import drawn, holds
from script_parts import between, expect

from supsae.hosts.comfyui.sampling import SamplerSettings

names = [name for name in comfy.samplers.SAMPLER_NAMES if "adaptive" not in name]
expect("ancestral, stochastic, multistep and cfg++ among them", {"euler_ancestral_cfg_pp", "dpmpp_2m_sde"} <= {*names})
between("samplers", 40, len(names), 200)
for name in names:
    how = SamplerSettings(3, 3.0, name)
    holds(name, lambda on, positive, how=how: drawn(on, positive, how=how))
