"""Portraits' model under a Lock, and what is counted of its calls: what the scripts about the Lock begin with."""

import sys

import comfy.samplers
import torch
from script_parts import WEIGHTS, encode_with, portraits_model, portraits_vae

from supsae.hosts.comfyui import locking, sampling, steering
from supsae.hosts.comfyui.conditionings import edit
from supsae.hosts.comfyui.portraits_clip import portraits_clip
from supsae.hosts.comfyui.sampling import SamplerSettings
from supsae.hosts.comfyui.steering_run import Steering
from supsae.supsae_core.dictionary.file import load_dictionary
from supsae.supsae_core.editing.edits import Swap
from supsae.supsae_core.editing.steer import Where
from supsae.supsae_core.encoders.sites import parse_sites
from supsae.supsae_core.lock import LockConfig

RED, HOW, CONFIG = Swap("hair: red"), SamplerSettings(3, 3.0), LockConfig()

learnt = load_dictionary(WEIGHTS / "supsae" / "portraits.safetensors")
clip, model, vae = portraits_clip(), portraits_model(), portraits_vae()
noise = sampling.noise_of(sampling.empty_latent(64, 64), 3)


def encode(prompt):
    return encode_with(clip, prompt)


def red(conditionings):
    return edit(conditionings, learnt, [RED])[0]


plain, empty = encode(sys.argv[1]), encode("")
edited = red(plain)


def drawn(model, positive=edited, negative=empty, noise=noise, how=HOW, seed=3):
    return sampling.sample(model, positive, negative, noise, how, seed)


def steered(on, edit=RED):
    return steering.apply_to_model(on, Steering(learnt, (edit,), Where(parse_sites("cond, pooled"))))


def outside(result, one, other):
    """Tell whether two latents are equal wherever the Lock held, which is somewhere."""
    left = ~result.mask[:, None].expand_as(one)
    return bool(left.any()) and torch.equal(one[left], other[left])


# how often the model is called, and what each run of the sampler gave, before the lock puts the two together
calls, passes = [], []


def count(executor, *args, **kwargs):
    calls.append(float(args[1].max()))
    return executor(*args, **kwargs)


def watch(executor, *args, **kwargs):
    passes.append(executor(*args, **kwargs))
    return passes[-1]


def watched(model):
    made = model.clone()
    made.add_wrapper_with_key("apply_model", "count", count)
    made.add_wrapper_with_key("outer_sample", "watch", watch)
    return made


def locked(config=CONFIG, allowed=None, on=model, progress=None):
    held = locking.Lock(config, allowed, progress)
    return held, watched(held.install(on))


def holds(on=model, reference=model, positive=edited, before=plain, **how):
    """Draw under a lock; tell whether it is what a lock promises, and how much of the picture is held."""
    passes.clear()
    held, made = locked(on=on)
    picture, unedited = drawn(made, positive, **how), drawn(reference, before, **how)
    result = held.result(picture)
    return [
        torch.equal(result.reference, unedited),
        outside(result, picture, unedited),
        outside(result, passes[1], passes[0]),  # already so before the last blend: the runs kept in step
        bool((picture != unedited).any()) and 0 < float(result.mask.float().mean()) < 1,
    ]


def guider_of(on, positive):
    guider = comfy.samplers.CFGGuider(on)
    guider.set_conds(positive, empty)
    guider.set_cfg(3.0)
    return guider


def levels_of(steps):
    return comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "simple", steps)
