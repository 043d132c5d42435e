"""What the Lock shows while it runs and gives out, and what it refuses."""

import comfy.model_management
import comfy.samplers
import torch
from lock_parts import (
    calls,
    drawn,
    edited,
    empty,
    encode,
    guider_of,
    learnt,
    levels_of,
    locked,
    model,
    noise,
    plain,
    vae,
)
from script_parts import error, tell

import nodes
from supsae.hosts.comfyui import sampling
from supsae.hosts.comfyui.conditionings import edit
from supsae.hosts.comfyui.sampling import SamplerSettings
from supsae.nodes import lock
from supsae.supsae_core.editing.edits import Swap

seen = {}
bar, steps = [], []


def progress():
    return lambda done, total: bar.append((done, total))


held, made = locked(progress=progress)


def told(step, x0):
    return steps.append((step, len(calls)))


calls.clear()
sampling.sample(made, edited, empty, noise, SamplerSettings(4, 3.0), 3, told)
seen["reference's half"], seen["second half"] = bar, [step for step, _ in steps]
seen["previews from"] = steps[0][1]  # calls of the model before the first one
steps.clear()
sampling.sample(made, edited, empty, noise, SamplerSettings(4, 3.0), 3, told)
seen["cached"] = [step for step, _ in steps]

# --- interrupted in either run: nothing is left, and the next run is right ---
wanted = drawn(locked()[1])


def interrupted(at):
    held, made = locked()

    def stop(executor, *args, **kwargs):
        if len(calls) == at:
            raise comfy.model_management.InterruptProcessingException()
        return executor(*args, **kwargs)

    stopped = made.clone()
    stopped.add_wrapper_with_key("apply_model", "stop", stop)
    calls.clear()
    try:
        drawn(stopped)
    except comfy.model_management.InterruptProcessingException:
        return torch.equal(drawn(made), wanted)


seen["interrupted"] = [interrupted(2), interrupted(5)]

# --- the pictures ---
held, made = locked()
latent = drawn(made)
image, reference, mask = lock.LockedPictureNode.execute({"samples": latent}, vae, held, 1, True).args
grown = torch.nn.functional.max_pool2d(held.result(latent).mask.float()[:, None], 3, 1, 1)
far = torch.nn.functional.interpolate(grown, (64, 64))[0, 0] == 0
seen["pictures"] = [list(one.shape) for one in (image, reference, mask)]
seen["reference"] = torch.equal(reference, vae.decode(drawn(model, plain)))
seen["composite"] = bool(far.any()) and torch.equal(image[0][far], reference[0][far])
seen["inside"] = torch.equal(image[mask == 1], vae.decode(latent)[mask == 1]) and not torch.equal(image, reference)
empty_mask = lock.LockedPictureNode.execute({"samples": drawn(made, plain)}, vae, held, 1, True).args
seen["no edit, no mask"] = torch.equal(empty_mask[0], empty_mask[1]) and not empty_mask[2].any()


# --- refused ---
def stepping(model, x, sigmas, extra_args=None, callback=None, disable=None):
    sigma = sigmas[0]
    while sigma > 0.1:
        x0 = model(x, sigma * x.new_ones(len(x)), **extra_args)
        smaller = sigma * (0.3 + 0.01 * float(x0.std()))
        x, sigma = x + (x - x0) / sigma * (smaller - sigma), smaller
    return x


several = sampling.noise_of(torch.zeros(3, 16, 8, 8), 5)
guider = guider_of(locked()[1], edited)
averaged = nodes.ConditioningAverage().addWeighted(edited, encode("a hat"), 0.5)[0]
seen["refused"] = {
    "adaptive": error(drawn, locked()[1], how=SamplerSettings(4, 3.0, "dpm_adaptive")),
    "another adaptive": error(
        guider.sample, noise, torch.zeros_like(noise), comfy.samplers.KSAMPLER(stepping), levels_of(4), seed=3
    ),
    "averaged": error(drawn, locked()[1], averaged),
    "averaged and edited again": error(drawn, locked()[1], edit(averaged, learnt, [Swap("background: forest")])[0]),
    "masks": error(drawn, locked(allowed=torch.ones(2, 8, 8))[1], noise=several),
    "foreign latent": error(held.result, latent + 1),
}
seen["usable after an error"] = torch.equal(drawn(made), wanted)
tell(seen)
