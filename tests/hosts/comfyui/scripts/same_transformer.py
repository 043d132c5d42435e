"""ComfyUI's loaders, sampler and VAE on Portraits: `python … FOLDER STEPS…`."""

import sys

import comfy.model_management
import comfy.sample
import comfy.samplers
import comfy.sd
import comfy.utils
import torch
from safetensors.torch import load_file, save_file

folder, made = sys.argv[1], {}
given = load_file(f"{folder}/given.safetensors")
cond, pooled, noise = given["cond"], given["pooled"], given["noise"]
patcher = comfy.sd.load_diffusion_model(f"{folder}/model.safetensors")
vae = comfy.sd.VAE(sd=comfy.utils.load_torch_file(f"{folder}/vae.safetensors"))
comfy.model_management.load_models_gpu([patcher])
latent_format = patcher.model.latent_format
made["latent format"] = torch.tensor([latent_format.scale_factor, latent_format.shift_factor])
for steps in map(int, sys.argv[2:]):
    sampling = patcher.get_model_object("model_sampling")
    made[f"sigmas {steps}"] = comfy.samplers.calculate_sigmas(sampling, "simple", steps)
with torch.no_grad():
    run = patcher.model.diffusion_model
    made["velocity"] = run(noise, 1000 * given["sigma"], context=cond[:3], y=pooled[:3])
positive, negative = ([[cond[rows], {"pooled_output": pooled[rows]}]] for rows in (slice(0, 3), slice(3, 4)))
start = torch.zeros_like(noise)
made["latents"] = comfy.sample.sample(patcher, noise, 16, 3.0, "euler", "simple", positive, negative, start)
made["decoded"] = vae.decode(made["latents"])
made["encoded"] = vae.encode(given["pixels"])
made["prepared noise"] = comfy.sample.prepare_noise(torch.zeros(1, 16, 16, 16), 7)
save_file({name: tensor.contiguous() for name, tensor in made.items()}, f"{folder}/made.safetensors")
