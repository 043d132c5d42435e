"""What the Lock shows while it runs and gives out, and what it refuses."""

import comfy.model_management
import comfy.samplers
import torch
from lock_parts import calls, drawn, guider_of, levels_of, locked
from portraits_parts import HOW, WOOD, edited, empty, encode, model, noise, plain, red, vae
from script_parts import equal, expect, refused

import nodes
from supsae.hosts.comfyui import sampling
from supsae.hosts.comfyui.sampling import SamplerSettings
from supsae.nodes import lock

bar, steps = [], []
held, made = locked(progress=lambda: lambda done, total: bar.append((done, total)))


def sampled():
    calls.clear(), steps.clear()
    how = SamplerSettings(4, 3.0)
    sampling.sample(made, red, empty, noise, how, 3, lambda step, x0: steps.append((step, len(calls))))
    return [step for step, _ in steps]


# 4 steps: the reference's move the bar to 2 of 4, ours from there on; a known reference leaves it as ever
expect("steps that are previewed", sampled(), [3, 3, 4, 4])
expect("calls before the first preview", steps[0][1], 5)
expect("bar of the reference", bar, [(0, 4), (1, 4), (1, 4), (2, 4)])
expect("steps of a cached run", sampled(), [1, 2, 3, 4])

# --- interrupted in either run: nothing is left, and the next run is right ---
wanted = drawn(locked()[1])
for at in (2, 5):
    held, made = locked()

    def stop(executor, *args, at=at, **kwargs):
        if len(calls) == at:
            raise comfy.model_management.InterruptProcessingException()
        return executor(*args, **kwargs)

    stopped = made.clone()
    stopped.add_wrapper_with_key("apply_model", "stop", stop)
    calls.clear()
    try:
        drawn(stopped)
        expect("the interrupt", "not raised", "raised")
    except comfy.model_management.InterruptProcessingException:
        equal(f"interrupted at {at}", drawn(made), wanted)

# --- the pictures ---
held, made = locked()
latent = drawn(made)
image, reference, mask = lock.LockedPictureNode.execute({"samples": latent}, vae, held, 1, True).args
grown = torch.nn.functional.max_pool2d(held.result(latent).mask.float()[:, None], 3, 1, 1)
far = torch.nn.functional.interpolate(grown, (64, 64))[0, 0] == 0
expect("sizes", [list(one.shape) for one in (image, reference, mask)], [[1, 64, 64, 3], [1, 64, 64, 3], [1, 64, 64]])
equal("reference", reference, vae.decode(drawn(model, plain)))
expect("something is far from the edit", bool(far.any()) and not torch.equal(image, reference))
equal("composite", image[0][far], reference[0][far])
equal("inside", image[mask == 1], vae.decode(latent)[mask == 1])
same, unedited, nothing = lock.LockedPictureNode.execute({"samples": drawn(made, plain)}, vae, held, 1, True).args
equal("no edit", same, unedited)
expect("no mask", not nothing.any())


# --- refused ---
def stepping(model, x, sigmas, extra_args=None, callback=None, disable=None):
    sigma = sigmas[0]
    while sigma > 0.1:
        x0 = model(x, sigma * x.new_ones(len(x)), **extra_args)
        smaller = sigma * (0.3 + 0.01 * float(x0.std()))
        x, sigma = x + (x - x0) / sigma * (smaller - sigma), smaller
    return x


own, behind = comfy.samplers.KSAMPLER(stepping), "changed behind Apply Edits"
averaged = nodes.ConditioningAverage().addWeighted(red, encode("a hat"), 0.5)[0]
adaptive = "chooses its steps by the picture"
refused(f"The sampler dpm_adaptive {adaptive}", drawn, locked()[1], how=HOW._replace(sampler="dpm_adaptive"))
sample = guider_of(locked()[1], red).sample
refused(f"The sampler stepping {adaptive}", sample, noise, torch.zeros_like(noise), own, levels_of(4), seed=3)
refused(behind, drawn, locked()[1], averaged)
refused(behind, drawn, locked()[1], edited(WOOD, of=averaged))
masks = locked(allowed=torch.ones(2, 8, 8))[1]
refused("2 masks do not fit 3 pictures", drawn, masks, noise=noise.repeat(3, 1, 1, 1))
refused("did not come out of a sampler with this Lock", held.result, latent + 1)
equal("usable after an error", drawn(made), wanted)
