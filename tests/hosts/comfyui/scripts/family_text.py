"""Random text encoders of every family behind ComfyUI's real tokenizers: all is ComfyUI's own but the weights.

For scripts inside ComfyUI: `import family_text`. A family's own class joins, cuts and masks what its encoders say;
their layers are ComfyUI's classes too, narrow, and a random matrix widens their rows to what the real ones have.
"""

from functools import cache
from types import SimpleNamespace

import comfy.ops
import comfy.sd
import comfy.sdxl_clip
import comfy.text_encoders.flux
import comfy.text_encoders.krea2
import comfy.text_encoders.mage_flow
import comfy.text_encoders.pixart_t5
import comfy.text_encoders.qwen3vl
import comfy.text_encoders.qwen_image
import comfy.text_encoders.z_image
import sd3_text
import torch

HIDDEN = 64
NARROW = {"hidden_size": HIDDEN, "intermediate_size": 2 * HIDDEN, "num_attention_heads": 1, "num_key_value_heads": 1}
# What a row hears of those before it is, all layers together, about as much as it is by itself.
HEARD = 0.4


def _joined(kind, **encoders):
    """Return a class of several encoders or one with these in place of its own, which are too large to be made."""
    made = kind.__new__(kind)
    torch.nn.Module.__init__(made)
    for name, encoder in encoders.items():
        setattr(made, name, encoder)
    made.dtypes = {torch.float32}
    return made


def _flux():
    return _joined(comfy.text_encoders.flux.FluxClipModel, clip_l=sd3_text.clip_l_of(0), t5xxl=sd3_text.t5xxl_of(2, 6))


def _sdxl():
    return _joined(comfy.sdxl_clip.SDXLClipModel, clip_l=sd3_text.clip_l_of(0), clip_g=sd3_text.clip_g_of(1))


def _chroma():
    made = _joined(comfy.text_encoders.pixart_t5.PixArtT5XXL, t5xxl=sd3_text.t5xxl_of(2))
    made.clip_name = made.clip = "t5xxl"
    return made


def _language(kind, name, width, layers):
    """Return a language model of a family's class, its name among the options, with rows of a width."""
    config = {**NARROW, "num_hidden_layers": layers}
    options = {f"{name}_model_config": config, "custom_operations": comfy.ops.disable_weight_init}
    made = kind(dtype=torch.float32, model_options=options)
    transformer, generator = getattr(made, name).transformer, torch.Generator().manual_seed(0)
    _fill(transformer, layers, generator)
    widen, forward = torch.randn(HIDDEN, width, generator=generator) / HIDDEN**0.5, transformer.forward
    transformer.forward = lambda *some, **more: tuple(
        None if one is None else one.float() @ widen for one in forward(*some, **more)
    )
    return made


@torch.no_grad()
def _fill(transformer, layers, generator):
    for name, weight in transformer.named_parameters():
        weight.requires_grad_(False)
        if name.startswith("visual"):
            continue  # what sees pictures is never run, so its memory is never touched
        if "norm" in name or name.endswith(".bias"):
            weight.fill_(float(name.endswith("weight")))
        else:
            across = 1.0 if "embed_tokens" in name else weight.shape[-1] ** -0.5
            written = name.endswith(("o_proj.weight", "down_proj.weight"))
            weight.normal_(0, across * (HEARD / layers**0.5 if written else 1.0), generator=generator)


MAKERS = {
    "flux": (_flux, comfy.text_encoders.flux.FluxTokenizer),
    "sdxl": (_sdxl, comfy.sdxl_clip.SDXLTokenizer),
    "chroma": (_chroma, comfy.text_encoders.pixart_t5.PixArtTokenizer),
    "z-image": (
        lambda: _language(comfy.text_encoders.z_image.te(), "qwen3_4b", 2560, 6),
        comfy.text_encoders.z_image.ZImageTokenizer,
    ),
    "qwen-image": (
        lambda: _language(comfy.text_encoders.qwen_image.te(), "qwen25_7b", 3584, 6),
        comfy.text_encoders.qwen_image.QwenImageTokenizer,
    ),
    "klein-4b": (
        lambda: _language(comfy.text_encoders.flux.klein_te(model_type="qwen3_4b"), "qwen3_4b", 2560, 28),
        comfy.text_encoders.flux.KleinTokenizer,
    ),
    "klein-9b": (
        lambda: _language(comfy.text_encoders.flux.klein_te(model_type="qwen3_8b"), "qwen3_8b", 4096, 28),
        comfy.text_encoders.flux.KleinTokenizer8B,
    ),
    "mage-flow": (  # no family: Krea 2's tokens and other rows
        lambda: _language(comfy.text_encoders.mage_flow.te(), "qwen3vl_4b", 2560, 2),
        comfy.text_encoders.mage_flow.MageFlowTokenizer,
    ),
    "krea-2": (
        lambda: _language(comfy.text_encoders.krea2.te(), "qwen3vl_4b", 2560, 36),
        comfy.text_encoders.krea2.Krea2Tokenizer,
    ),
}
"""Family → its encoders as its loader makes them, and its tokenizers."""


@cache
def clip(name):
    """Return a family's CLIP as its loader makes it."""
    make, tokenizer = MAKERS[name]
    return comfy.sd.CLIP(SimpleNamespace(params={}, clip=lambda **_: make(), tokenizer=tokenizer))
