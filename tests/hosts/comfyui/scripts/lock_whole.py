"""A locked picture of Portraits' own size, saved for the other host: `python … PROMPT FILE`."""

import sys

from lock_parts import drawn, locked
from safetensors.torch import save_file

from supsae.hosts.comfyui import comfy_model
from supsae.hosts.comfyui.comfy_model import Sampling

whole = comfy_model.noise_of(comfy_model.empty_latent(128, 128), 3)
held, made = locked()
result = held.result(drawn(made, noise=whole, how=Sampling(8, 3.0)))
save_file({name: tensor.contiguous() for name, tensor in result._asdict().items()}, sys.argv[2])
