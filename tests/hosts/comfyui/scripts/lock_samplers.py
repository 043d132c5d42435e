"""The Lock under every sampler that is not adaptive."""

import comfy.samplers
from lock_parts import holds
from script_parts import tell

from supsae.hosts.comfyui.sampling import SamplerSettings

seen = {}
names = [name for name in comfy.samplers.SAMPLER_NAMES if "adaptive" not in name]
seen["samplers"] = {name: holds(how=SamplerSettings(4, 3.0, name)) for name in names}
tell(seen)
