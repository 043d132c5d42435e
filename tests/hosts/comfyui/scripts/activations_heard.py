"""What Capture hears of the blocks: `python … FOLDER SETTINGS`."""

import json
import sys
from pathlib import Path

import comfy.model_management
import torch
from comfy_extras.nodes_pag import PerturbedAttentionGuidance
from comfy_extras.nodes_slg import SkipLayerGuidanceDiT
from portraits_parts import RED, clip, model, steered
from script_parts import below, between, expect, refused

from supsae.hosts.comfyui import capture_progress
from supsae.hosts.comfyui.recording import ComfyPictures
from supsae.hosts.comfyui.text import ComfyText
from supsae.portraits import captions
from supsae.supsae_core.capture.sampling import Sampling
from supsae.supsae_core.encoders.sites import parse_sites
from supsae.training import recording
from supsae.training.capture import CaptureConfig
from supsae.training.recording import SamplingConfig

host = ComfyText(clip)
SITES = parse_sites("txt@0-2, img@0-3")


class Listener:
    """Keeps what was heard last before each step, and counts the hearings."""

    attended, sites = None, SITES

    def __init__(self):
        self.last, self.steps, self.count = {}, [], 0

    def hear(self, site, rows, attention=None):
        self.last[site], self.count = rows.clone(), self.count + 1

    def step(self):
        self.steps.append(self.last)
        self.last = {}


def heard(model, text="a person with blond hair, no hat", steps=2, cfg=3.0, sampler="euler", seeds=(1, 2)):
    (cond,), (pooled,) = host.encode([text])
    pictures = ComfyPictures(model, host, sampler)
    how = Sampling(SITES, steps, cfg, 64, 64, "mean", 1, pictures.sigmas(steps), 192, {})
    listener = Listener()
    pictures.sample([(cond, pooled)] * len(seeds), seeds, how, listener)
    return listener


def first(one, other):
    return all(torch.equal(one.steps[0][site], other.steps[0][site]) for site in SITES)


def far(one, other, step=0):
    pairs = [(one.steps[step][site], other.steps[step][site]) for site in SITES]
    return max(float((a - b).norm() / b.norm()) for a, b in pairs)


plain = heard(model)
# 7 sites; two pictures, 96 text rows, 16 image tokens, width 192
shapes = [list(plain.steps[0][site].shape) for site in (SITES[0], SITES[-1])]
expect("a step is heard at every site", shapes, [[2, 96, 192], [2, 16, 192]])
expect("a step is heard once", [len(plain.steps), plain.count], [2, 2 * 7])
between("another picture is heard otherwise", 0.1, far(plain, heard(model, seeds=(1, 3))), 10)

# both run another positive pass in every step; before the first step's end nothing can have changed
slg = heard(SkipLayerGuidanceDiT.execute(model, 3.0, 0.0, 1.0, "1")[0])
pag = heard(PerturbedAttentionGuidance.execute(model, 3.0)[0])
for name, one in (("slg", slg), ("pag", pag)):
    expect(f"{name} is not heard", [len(one.steps), one.count, first(one, plain)], [2, 2 * 7, True])
between("slg guides", 0.01, far(slg, plain, 1), 10)

# heun calls once more at the next noise level in all but the last step: 3 calls, 2 steps. That call is just what
# euler's second step is; heun's own second step is not
heun = heard(model, sampler="heun")
expect("heun's second calls are not recorded", [len(heun.steps), heun.count, first(heun, plain)], [2, 3 * 7, True])
between("heun's second step is its own", 1e-3, far(heun, plain, 1), 10)

# 46 tokens fit a chunk; more make two of them, and more rows behind; ComfyUI repeats both to a common length
below("the negative prompt is not heard", far(heard(model, cfg=1.0), plain), 1e-5)
long = "a portrait of a person with blond hair, " + ", ".join(["in soft light"] * 20)
tiled, alone = heard(model, long), heard(model, long, cfg=1.0)
between("rows of a prompt longer than it", 96, tiled.steps[0][SITES[0]].shape[1], 1000)
below("it is not heard either", far(tiled, alone), 1e-4)
refused("comes from Apply Edits, Concept Mixer or Lock", ComfyPictures, steered(RED), host)


# --- the interrupt, and both hosts ---
def interrupting(show, told):
    """Return what presses the stop button when it is shown the first step."""

    def shown(done, total, denoised):
        told.append(done)
        if len(told) == 1:
            comfy.model_management.interrupt_current_processing()
        show(done, total, denoised)

    return shown


config = CaptureConfig(prompts=10, calibration=4, seed=3)
for image, options in json.loads(sys.argv[2]).items():
    pictures = ComfyPictures(model, host)
    how = SamplingConfig(parse_sites(options.pop("sites")), **options)
    plan = recording.plan_activations(captions.table(), host, pictures, config, how, captions.WORDING)
    watch = capture_progress.Watch(Path(sys.argv[1]) / image, plan)
    show, told = capture_progress.sampling_progress(watch, model), []
    try:
        recording.capture_activations(host, pictures, f"{sys.argv[1]}/{image}", plan, sampled=interrupting(show, told))
    except comfy.model_management.InterruptProcessingException:
        # the first batch holds the ten prompts to fit on; it is told of one step, and there is no second
        expect(f"the stop button of {image}", told, [10])
    recording.capture_activations(host, pictures, f"{sys.argv[1]}/{image}", plan, sampled=show)
