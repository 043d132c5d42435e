"""Portraits' models and dictionary, a prompt with blond hair and its edits: what most scripts begin with."""

import comfy.cldm.mmdit
import comfy.controlnet
import comfy.latent_formats
import comfy.ops
import comfy.sd
import comfy.utils
import torch
from script_parts import encode_with

import nodes
from supsae.hosts.comfyui import folders, sampling, steering
from supsae.hosts.comfyui.conditionings import edit
from supsae.hosts.comfyui.portraits_clip import portraits_clip
from supsae.hosts.comfyui.sampling import SamplerSettings
from supsae.hosts.comfyui.steering_run import Steering
from supsae.supsae_core.dictionary.file import load_dictionary
from supsae.supsae_core.editing.edits import Swap
from supsae.supsae_core.editing.steer import Where
from supsae.supsae_core.encoders.sites import parse_sites
from supsae.supsae_core.reading import readout

WEIGHTS = folders.WEIGHTS
PROMPT = "a portrait of a person with blond hair, green eyes, smiling, sandy beach"
HOW = SamplerSettings(3, 3.0)
RED, WOOD = Swap("hair: red"), Swap("background: forest")


def load_model():
    return comfy.sd.load_diffusion_model(str(WEIGHTS / "diffusion_models" / "supsae_portraits_mmdit.safetensors"))


def vae_tensors():
    return comfy.utils.load_torch_file(str(WEIGHTS / "vae" / "supsae_portraits_vae.safetensors"))


learnt = load_dictionary(WEIGHTS / "supsae" / "portraits.safetensors")
clip, model, vae = portraits_clip(), load_model(), comfy.sd.VAE(sd=vae_tensors())
noise = sampling.noise_of(sampling.empty_latent(64, 64), 3)


def encode(prompt):
    return encode_with(clip, prompt)


def said(entry, row=0):
    """Return what an entry of a conditioning says."""
    return readout.describe_reading(learnt, readout.read_conditioning(learnt, entry[0][row].float()))


def edited(*edits, of=None):
    return edit(of or plain, learnt, edits)[0]


def steered(*edits, sites="cond, pooled", mask=None, on=None, **where):
    one = Steering(learnt, edits, Where(parse_sites(sites), **where), mask)
    return steering.apply_to_model(on or model, one)


plain, empty = encode(PROMPT), encode("")
red = edited(RED)
# one batch of two prompts, and a prompt for each half of the picture
two = [[torch.cat([plain[0][0], encode("black hair, a hat")[0][0]]), plain[0][1]]]
halves = [
    [c, {**d, "area": (4, 8, y, 0), "strength": 1.0}] for y, (c, d) in ((0, plain[0]), (4, encode("black hair")[0]))
]


def drawn(model, positive=plain, negative=empty, noise=noise, how=HOW, seed=3):
    return sampling.sample(model, positive, negative, noise, how, seed)


def controlled(positive):
    """Return positive and negative with a ControlNet of random weights, through ComfyUI's own node."""
    torch.manual_seed(0)
    shape = {**model.model.model_config.unet_config, "dtype": torch.float32}
    network = comfy.cldm.mmdit.ControlNet(
        num_blocks=1, control_latent_channels=16, operations=comfy.ops.disable_weight_init, device="cpu", **shape
    )
    for tensor in network.parameters():
        torch.nn.init.normal_(tensor, std=0.05)
    unshifted = comfy.latent_formats.SD3()
    unshifted.shift_factor = 0
    options = {"compression_ratio": 1, "latent_format": unshifted, "load_device": torch.device("cpu")}
    control, hint = comfy.controlnet.ControlNet(network, **options), torch.rand(1, 64, 64, 3)
    return nodes.ControlNetApplyAdvanced().apply_controlnet(positive, empty, control, hint, 1.0, 0.0, 1.0, vae)
