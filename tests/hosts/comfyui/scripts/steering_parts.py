"""Portraits' model, a prompt with blond hair and an edit to red: what the scripts about edits on a model begin with."""

import sys

from script_parts import encode_with, portraits_model

from supsae.hosts.comfyui import sampling, steering
from supsae.hosts.comfyui.conditionings import edit
from supsae.hosts.comfyui.portraits_clip import portraits_clip
from supsae.hosts.comfyui.sampling import SamplerSettings
from supsae.hosts.comfyui.steering_run import Steering
from supsae.supsae_core.dictionary.file import load_dictionary
from supsae.supsae_core.editing.edits import Swap
from supsae.supsae_core.editing.steer import Where
from supsae.supsae_core.encoders.sites import parse_sites

PROMPT = "a portrait of a person with blond hair, green eyes, smiling, sandy beach"
HOW = SamplerSettings(4, 3.0)
RED, WOOD = Swap("hair: red"), Swap("background: forest")

learnt = load_dictionary(sys.argv[1])
clip, model = portraits_clip(), portraits_model()
plain, empty = encode_with(clip, PROMPT), encode_with(clip, "")
noise = sampling.noise_of(sampling.empty_latent(128, 128), 3)


def encode(prompt):
    return encode_with(clip, prompt)


def drawn(model, positive=plain, negative=empty, noise=noise, how=HOW):
    return sampling.sample(model, positive, negative, noise, how, 3)


def steered(*edits, sites="cond, pooled", mask=None, on=None, **where):
    one = Steering(learnt, edits, Where(parse_sites(sites), **where), mask)
    return steering.apply_to_model(on or model, one)


def edited(*edits, conditionings=plain):
    return edit(conditionings, learnt, edits)[0]


before, drawn_red = drawn(model), drawn(model, edited(RED))


def far(one, other):
    """Return how far apart two latents are, as a share of what the edit changes."""
    return float((one - other).norm() / (before - drawn_red).norm())
