"""What scripts share: Portraits' models, a prompt, the sentence of an error, and telling the test what was seen."""

import json

import comfy.sd
import comfy.utils

from supsae.hosts.comfyui import folders

WEIGHTS = folders.WEIGHTS


def portraits_model():
    return comfy.sd.load_diffusion_model(str(WEIGHTS / "diffusion_models" / "supsae_portraits_mmdit.safetensors"))


def portraits_vae_tensors():
    return comfy.utils.load_torch_file(str(WEIGHTS / "vae" / "supsae_portraits_vae.safetensors"))


def portraits_vae():
    return comfy.sd.VAE(sd=portraits_vae_tensors())


def encode_with(clip, prompt):
    """Return the conditioning that ComfyUI's own node makes of a prompt."""
    return clip.encode_from_tokens_scheduled(clip.tokenize(prompt))


def error(function, *arguments, **named):
    """Return the sentence of the ValueError that the call raises, None if it raises none."""
    try:
        function(*arguments, **named)
    except ValueError as sentence:
        return str(sentence)


def tell(seen):
    """Hand JSON to the test that runs this script."""
    print("TOLD " + json.dumps(seen, default=str))
