"""Portraits' model and a prompt: what the scripts about nodes that look into prompt and model begin with."""

import sys

import torch
from script_parts import encode_with, portraits_model, portraits_vae

from supsae.hosts.comfyui import mapping, sampling
from supsae.hosts.comfyui.pictures import drawing
from supsae.hosts.comfyui.portraits_clip import portraits_clip
from supsae.supsae_core.dictionary.file import load_dictionary
from supsae.supsae_core.editing.windows import Window

learnt, PROMPT = load_dictionary(sys.argv[1]), sys.argv[2]
clip, portraits, vae = portraits_clip(), portraits_model(), portraits_vae()


def encode(prompt):
    return encode_with(clip, prompt)


def one(model=portraits, prompt=PROMPT, negative="", cfg=3.0, sampler="euler", batch=1, side=128, positive=None):
    latent = {"samples": torch.zeros(batch, 16, side // 8, side // 8)}
    positive = encode(prompt) if positive is None else positive
    return drawing(model, positive, encode(negative), vae, latent, 7, 3, cfg, sampler, "simple")


def wanted(method, concept="hair: blond", blocks=(0, 1), model=portraits, window=Window()):  # noqa: B008  # frozen
    return mapping.Wanted(concept, method, blocks, window, sampling.to_sigma(model))
