"""What Capture hears of the blocks: `python … FOLDER SETTINGS`."""

import json
import sys
from pathlib import Path

import comfy.model_management
import torch
from comfy_extras.nodes_pag import PerturbedAttentionGuidance
from comfy_extras.nodes_slg import SkipLayerGuidanceDiT
from script_parts import error, portraits_model, tell

from supsae.hosts.comfyui import capture_progress, steering
from supsae.hosts.comfyui.portraits_clip import portraits_clip
from supsae.hosts.comfyui.recording import ComfyPictures
from supsae.hosts.comfyui.steering_run import Steering
from supsae.hosts.comfyui.text import ComfyText
from supsae.portraits import captions
from supsae.supsae_core.capture.sampling import Sampling
from supsae.supsae_core.editing.edits import Swap
from supsae.supsae_core.editing.steer import Where
from supsae.supsae_core.encoders.sites import parse_sites
from supsae.training import recording
from supsae.training.capture import CaptureConfig
from supsae.training.recording import SamplingConfig

seen = {}
host = ComfyText(portraits_clip())
model = portraits_model()

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
    how = Sampling(SITES, steps, cfg, 128, 128, "mean", 1, pictures.sigmas(steps), 192, {})
    listener = Listener()
    pictures.sample([(cond, pooled)] * len(seeds), seeds, how, listener)
    return listener


def first(one, other):
    return all(torch.equal(one.steps[0][site], other.steps[0][site]) for site in SITES)


def far(one, other, step=0):
    pairs = [(one.steps[step][site], other.steps[step][site]) for site in SITES]
    return max(float((a - b).norm() / b.norm()) for a, b in pairs)


plain = heard(model)
seen["shapes"] = [list(plain.steps[0][site].shape) for site in (SITES[0], SITES[-1])]
seen["plain"] = [len(plain.steps), plain.count]
slg = heard(SkipLayerGuidanceDiT.execute(model, 3.0, 0.0, 1.0, "1")[0])
pag = heard(PerturbedAttentionGuidance.execute(model, 3.0)[0])
for name, one in (("slg", slg), ("pag", pag)):
    seen[name] = [len(one.steps), one.count, first(one, plain)]
seen["slg guides"] = far(slg, plain, 1)
seen["pictures"] = far(plain, heard(model, seeds=(1, 3)))
heun = heard(model, sampler="heun")
seen["heun"] = [len(heun.steps), heun.count, first(heun, plain)]
seen["heun's second call is euler's second step"] = far(heun, plain, 1)
seen["without negative"] = far(heard(model, cfg=1.0), plain)
long = "a portrait of a person with blond hair, " + ", ".join(["in soft light"] * 20)
tiled, alone = heard(model, long), heard(model, long, cfg=1.0)
seen["longer than the negative"] = [tiled.steps[0][SITES[0]].shape[1], far(tiled, alone)]

# --- refusals ---

edited = steering.apply_to_model(model, Steering(None, (Swap("hair: red"),), Where()))
seen["edited model"] = error(ComfyPictures, edited, host)


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
        seen[f"interrupt {image}"] = told
    recording.capture_activations(host, pictures, f"{sys.argv[1]}/{image}", plan, sampled=show)

tell(seen)
