"""A locked picture of Portraits' own size, saved for the other host: `python … FILE`."""

import sys

from lock_parts import drawn, locked
from safetensors.torch import save_file

from supsae.hosts.comfyui import sampling
from supsae.hosts.comfyui.sampling import SamplerSettings

whole = sampling.noise_of(sampling.empty_latent(128, 128), 3)
held, made = locked()
result = held.result(drawn(made, noise=whole, how=SamplerSettings(8, 3.0)))
tensors = ("samples", "reference", "mask")
save_file({name: getattr(result, name).contiguous() for name in tensors}, sys.argv[1])
