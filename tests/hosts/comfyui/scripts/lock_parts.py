"""Portraits' model under a Lock, and what is counted of its calls: what the scripts about the Lock begin with."""

import comfy.samplers
import portraits_parts
import torch
from portraits_parts import empty, model, plain, red
from script_parts import equal, expect

from supsae.hosts.comfyui import locking
from supsae.supsae_core.lock import LockConfig


def drawn(model, positive=red, *others, **named):
    return portraits_parts.drawn(model, positive, *others, **named)


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


def locked(config=LockConfig(), allowed=None, on=model, progress=None):  # noqa: B008  # frozen
    held = locking.Lock(config, allowed, progress)
    made = held.install(on).clone()
    made.add_wrapper_with_key("apply_model", "count", count)
    made.add_wrapper_with_key("outer_sample", "watch", watch)
    return held, made


def holds(name, draw, on=model, before=plain, positive=red):
    """Draw under a lock by `draw(model, positive)`; expect what a lock promises, and that it holds a part."""
    passes.clear()
    held, made = locked(on=on)
    picture, unedited = draw(made, positive), draw(on, before)
    result = held.result(picture)
    equal(f"{name}: reference", result.reference, unedited)
    expect(f"{name}: outside", outside(result, picture, unedited))
    if "noise_mask" not in name:  # else ComfyUI blends the picture with what was there behind the passes
        # already so before the last blend: the runs kept in step
        expect(f"{name}: in step", outside(result, passes[1], passes[0]))
    expect(f"{name}: inside", bool((picture != unedited).any()) and 0 < float(result.mask.float().mean()) < 1)
    return held, made, picture


def guider_of(on, positive):
    guider = comfy.samplers.CFGGuider(on)
    guider.set_conds(positive, empty)
    guider.set_cfg(3.0)
    return guider


def levels_of(steps):
    return comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "simple", steps)
