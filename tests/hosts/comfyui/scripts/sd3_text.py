"""Random text encoders of SD3's kind behind ComfyUI's real tokenizers: everything is ComfyUI's own but the weights.

For scripts inside ComfyUI: `import sd3_text`. Its `SD3ClipModel` joins, weights, chunks and skips layers; the layers of
the transformers are its classes too, few and narrow, and a random matrix widens their rows to 768, 1280 and 4096.
"""

from functools import cache
from types import SimpleNamespace

import comfy.clip_model
import comfy.ops
import comfy.sd
import comfy.sd1_clip
import comfy.text_encoders.sd3_clip
import comfy.text_encoders.t5
import torch

HIDDEN, HEADS = 64, 4
CLIP = {"num_hidden_layers": 3, "hidden_size": HIDDEN, "num_attention_heads": HEADS, "intermediate_size": 2 * HIDDEN,
        "hidden_act": "quick_gelu", "max_position_embeddings": 77, "eos_token_id": 49407}  # fmt: skip
T5 = {"num_layers": 2, "d_model": HIDDEN, "d_kv": HIDDEN // HEADS, "num_heads": HEADS, "d_ff": 2 * HIDDEN,
      "dense_act_fn": "gelu_pytorch_tanh", "is_gated_act": True, "model_type": "t5", "vocab_size": 32128}  # fmt: skip
# What context does to a token is, as in trained encoders, a sixth of the variance in CLIP and a tenth in T5; attention
# that is not sharp makes it nearly additive, and little depends on the position.
POSITION, SHARPNESS, MLP, RELATIVE = 0.1, 0.5, 0.5, 0.3
CLIP_ATTENTION, T5_ATTENTION = 1.0, 1.5
BEFORE_LAST = {"layer": "hidden", "layer_idx": -2, "layer_norm_hidden_state": False}
ENDS = {"start": 49406, "end": 49407}


@cache
def clip(*, clip_l=True, clip_g=True, t5=True, seed=0):
    """Return a CLIP as a loader makes it of one, two or three files; an encoder depends on the seed alone."""
    target = SimpleNamespace(
        params={},
        clip=lambda **_: _encoders(clip_l, clip_g, t5, seed),
        tokenizer=comfy.text_encoders.sd3_clip.SD3Tokenizer,
    )
    return comfy.sd.CLIP(target)


def _encoders(clip_l, clip_g, t5, seed):
    made = comfy.text_encoders.sd3_clip.SD3ClipModel(clip_l=False, clip_g=False, t5=False)
    made.dtypes = {torch.float32}
    made.t5_attention_mask = False
    if clip_l:
        made.clip_l = clip_l_of(seed)
    if clip_g:
        made.clip_g = clip_g_of(seed + 1)
    if t5:
        made.t5xxl = t5xxl_of(seed + 2)
    return made


def clip_l_of(seed):
    """Return CLIP-L as SD3, SDXL and FLUX.1 have it: the layer before the last, pooled without a projection."""
    pads = {"special_tokens": {**ENDS, "pad": 49407}, "return_projected_pooled": False}
    return _encoder(CLIP, _wide(comfy.clip_model.CLIPTextModel, 768), seed, **BEFORE_LAST, **pads)


def clip_g_of(seed):
    """Return CLIP-G as SD3 and SDXL have it."""
    pads = {"special_tokens": {**ENDS, "pad": 0}}
    return _encoder(CLIP, _wide(comfy.clip_model.CLIPTextModel, 1280), seed, **BEFORE_LAST, **pads)


def t5xxl_of(seed, away=3):
    """Return T5-XXL as SD3, FLUX.1 and Chroma have it; pads are attended e to the power of ``away`` times less."""
    pads = {"special_tokens": {"end": 1, "pad": 0}}
    made = _encoder(T5, _wide(comfy.text_encoders.t5.T5, 4096), seed, layer="last", **pads)
    _look_away_from_pads(made.transformer, away)
    return made


def _encoder(config, kind, seed, **options):
    options |= {"model_options": {"custom_operations": comfy.ops.disable_weight_init}, "dtype": torch.float32}
    made = comfy.sd1_clip.SDClipModel(textmodel_json_config=dict(config), model_class=kind, **options)
    _fill(made.transformer, torch.Generator().manual_seed(seed))
    return made


def _wide(kind, width):
    """Return the class with its rows, and its pooled vector if it has one, widened by a matrix."""

    class Wide(kind):
        def __init__(self, config, dtype, device, operations):
            super().__init__(config, dtype, device, operations)
            self.widen = operations.Linear(HIDDEN, width, bias=False, dtype=dtype, device=device)

        def forward(self, *args, **options):
            return tuple(None if one is None else self.widen(one) for one in super().forward(*args, **options))

    return Wide


@torch.no_grad()
def _look_away_from_pads(model, away):
    """Let words attend less to a pad than to a word: sixty pads would drown them in a random encoder."""
    common, mark = torch.ones(HIDDEN) / 2, torch.ones(HIDDEN).index_fill(0, torch.arange(0, HIDDEN, 2), -1) * 2
    model.shared.weight += common
    model.shared.weight[0] += mark
    for block in model.encoder.block:
        attention = block.layer[0].SelfAttention
        key = (attention.k.weight @ mark).unflatten(0, (HEADS, -1)) / 2  # a pad's row is the mark's, at size 1 a number
        off = away * key / key.square().sum(1, keepdim=True)
        attention.q.weight -= torch.outer(off.flatten(), common) / common.square().sum()


@torch.no_grad()
def _fill(module, generator):
    for name, weight in module.named_parameters():
        weight.requires_grad_(False)
        if "norm" in name or name.endswith(".bias"):
            weight.fill_(float(name.endswith("weight")))
        else:
            weight.normal_(0, _scale(name, weight), generator=generator)


def _scale(name, weight):
    across = weight.shape[-1] ** -0.5
    if "position_embedding" in name:
        return POSITION
    if "relative_attention_bias" in name:
        return RELATIVE
    if "token_embedding" in name or "shared" in name:
        return 1.0
    if name.endswith(("SelfAttention.q.weight", "SelfAttention.k.weight")):
        return SHARPNESS**0.5 * across * (HIDDEN // HEADS) ** -0.25  # T5 leaves out the usual division
    if ".q_proj." in name or ".k_proj." in name:
        return SHARPNESS**0.5 * across
    if ".out_proj." in name:
        return CLIP_ATTENTION * across
    if name.endswith("SelfAttention.o.weight"):
        return T5_ATTENTION * across
    if ".fc2." in name or name.endswith("DenseReluDense.wo.weight"):
        return MLP * across
    return across
