"""The Lock holds a picture of any model to its reference: other classes than SD3's, at tiny size, random weights."""

import comfy.sample
import family_text
import model_shapes
import torch
from script_parts import encode_with, equal, expect

from supsae.hosts.comfyui.conditionings import EDITED, REFERENCE
from supsae.hosts.comfyui.locking import Lock
from supsae.supsae_core.lock import LockConfig


def drawn(model, positive, negative):
    channels = model.model.latent_format.latent_channels
    latent = comfy.sample.fix_empty_latent_channels(model, torch.zeros(2, channels, 16, 12))
    noise, nothing = comfy.sample.prepare_noise(latent, 1), torch.zeros_like(latent)
    how = {"disable_pbar": True, "seed": 1}
    return comfy.sample.sample(model, noise, 4, 2.0, "euler", "simple", positive, negative, nothing, **how)


for name in model_shapes.KINDS:
    model, clip = model_shapes.build(name), family_text.clip(name)
    before, negative = encode_with(clip, "a photo of red hair"), encode_with(clip, "ugly")
    ((rows, extra),) = before
    moved = rows.clone()
    moved[:, 4:6] *= 1.5
    edited = [[moved, {**extra, REFERENCE: {"cross_attn": rows}, EDITED: moved}]]
    lock = Lock(LockConfig(floor=0.0))  # what random weights make of an edit is small
    plain, free = drawn(model, before, negative), drawn(model, edited, negative)
    held = drawn(lock.install(model), edited, negative)
    result = lock.result(held)
    expect(f"{name}: it changes", not torch.equal(plain, free) and bool(held.isfinite().all()))
    equal(f"{name}: the reference is the unedited picture", result.reference, plain)
    share = float(result.mask.float().mean())
    expect(f"{name}: a part may change, not all: {share}", 0 < share < 1)
    out = ~result.mask.reshape(len(held), *[1] * (held.ndim - 3), *held.shape[-2:]).expand_as(held)
    expect(f"{name}: equal outside", torch.equal(held[out], plain[out]))
    expect(f"{name}: other inside", not torch.equal(held, plain))
