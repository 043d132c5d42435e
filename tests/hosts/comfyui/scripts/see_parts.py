"""A small drawing of Portraits: what the scripts about nodes that look into prompt and model begin with."""

import torch
from portraits_parts import PROMPT, encode, model, vae

from supsae.hosts.comfyui import mapping, sampling
from supsae.hosts.comfyui.pictures import drawing
from supsae.supsae_core.editing.windows import Window


def one(model=model, prompt=PROMPT, negative="", cfg=3.0, sampler="euler", batch=1, side=64, positive=None):
    latent = {"samples": torch.zeros(batch, 16, side // 8, side // 8)}
    positive = encode(prompt) if positive is None else positive
    return drawing(model, positive, encode(negative), vae, latent, 7, 3, cfg, sampler, "simple")


def wanted(method, concept="hair: blond", blocks=(0, 1), model=model, window=Window()):  # noqa: B008  # frozen
    return mapping.Wanted(concept, method, blocks, window, sampling.to_sigma(model))
