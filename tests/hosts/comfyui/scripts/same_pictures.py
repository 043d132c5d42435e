"""ComfyUI's loaders, sampler and VAE on Portraits, for the other host: `python … FILE STEPS…`."""

import sys

import comfy.model_management
import comfy.sample
import comfy.samplers
import torch
from portraits_parts import empty, encode, model, vae
from safetensors.torch import save_file

prompts = [encode(hair)[0] for hair in ("blond hair", "red hair, no hat", "black hair, smiling")]
generator = torch.Generator().manual_seed(1)
made = {
    "cond": torch.cat([cond for cond, _ in (*prompts, *empty)]),
    "pooled": torch.cat([extra["pooled_output"] for _, extra in (*prompts, *empty)]),
    "noise": torch.randn(3, 16, 16, 16, generator=generator),
    "wide noise": torch.randn(3, 16, 16, 32, generator=torch.Generator().manual_seed(2)),
    "sigma": torch.tensor([0.1, 0.5, 1.0]),
    "pixels": torch.rand(1, 64, 64, 3, generator=generator),
    "prepared noise": comfy.sample.prepare_noise(torch.zeros(1, 16, 16, 16), 7),
}
cond, pooled, noise = made["cond"], made["pooled"], made["noise"]
comfy.model_management.load_models_gpu([model])
made["latent format"] = torch.tensor([model.model.latent_format.scale_factor, model.model.latent_format.shift_factor])
for steps in map(int, sys.argv[2:]):
    sampling = model.get_model_object("model_sampling")
    made[f"sigmas {steps}"] = comfy.samplers.calculate_sigmas(sampling, "simple", steps)
for name, x in (("velocity", noise), ("wide velocity", made["wide noise"])):
    made[name] = model.model.diffusion_model(x, 1000 * made["sigma"], context=cond[:3], y=pooled[:3])
positive, negative = ([[cond[rows], {"pooled_output": pooled[rows]}]] for rows in (slice(0, 3), slice(3, 4)))
start = torch.zeros_like(noise)
made["latents"] = comfy.sample.sample(model, noise, 16, 3.0, "euler", "simple", positive, negative, start)
made["decoded"] = vae.decode(made["latents"])
made["encoded"] = vae.encode(made["pixels"])
save_file({name: tensor.contiguous() for name, tensor in made.items()}, sys.argv[1])
