"""SD3.5's transformers by configuration: the public widths, as many blocks as asked for, random weights.

For scripts inside ComfyUI: `import sd35_shapes`. Checkpoints tie the number of blocks to the width (hidden =
64 × blocks) and so does ComfyUI's model detection; MMDiT itself takes `num_blocks` beside it.
"""

import comfy.model_management
import comfy.model_patcher
import comfy.supported_models
import torch

CONTEXT, POOLED = 4096, 2048  # SD3 and SD3.5: width of the text rows and of the pooled vector
DUAL_BLOCKS = 13  # SD3.5-Medium: blocks 0 … 12 have a second attention among the image tokens
MEDIUM = {"depth": 24, "hidden": 1536, "dual": True}  # 2.2 billion parameters


def build(depth=2, hidden=1536, dual=True, *, pooled=POOLED, context=CONTEXT, dtype=torch.float32, device=None, seed=0):
    """Return a MODEL with random weights, gates included, so that every block and every token counts.

    `hidden` is a multiple of 64, as heads are 64 wide in all of SD3; `dual` is whether blocks 0 … 12 attend twice, as
    SD3.5-Medium's do; `device` is where the weights rest between samplings, ComfyUI's offload device if None.
    """
    if hidden % 64:
        raise ValueError(f"The hidden width is {hidden}; it must be a multiple of 64.")
    config = comfy.supported_models.SD3(_configuration(depth, hidden, dual, pooled, context))
    load_device = comfy.model_management.get_torch_device()
    cast = comfy.model_management.unet_manual_cast(dtype, load_device, config.supported_inference_dtypes)
    config.set_inference_dtype(dtype, cast)
    rest = torch.device(device) if device else comfy.model_management.unet_offload_device()
    model = config.get_model({}, device=rest)
    _fill(model.diffusion_model, torch.Generator(rest).manual_seed(seed))
    return comfy.model_patcher.CoreModelPatcher(model, load_device=load_device, offload_device=rest)


def _configuration(depth, hidden, dual, pooled, context):
    return {
        "in_channels": 16,
        "out_channels": 16,
        "patch_size": 2,
        "input_size": None,
        "depth": hidden // 64,  # ComfyUI's name for the number of heads, and of blocks unless num_blocks is given
        "num_blocks": depth,
        "adm_in_channels": pooled,
        "context_embedder_config": {
            "target": "torch.nn.Linear",
            "params": {"in_features": context, "out_features": hidden},
        },
        "qk_norm": "rms",
        "pos_embed_scaling_factor": None,
        "x_block_self_attn_layers": list(range(min(depth, DUAL_BLOCKS))) if dual else [],
    }


@torch.no_grad()
def _fill(module, generator):
    """Matrices keep the size of what passes them, biases are small, the norms of queries and keys are one."""
    for name, weight in module.named_parameters():
        if ".ln_" in name:
            weight.fill_(1)
        else:
            weight.normal_(0, weight[0].numel() ** -0.5 if weight.ndim > 1 else 0.02, generator=generator)
