"""Diffusion models of other families by configuration: few and narrow blocks of ComfyUI's own classes, random weights.

For scripts inside ComfyUI: `import model_shapes`. What comes in and goes out is as wide as in the real ones, so that
conditionings of the real layouts fit.
"""

import comfy.model_management
import comfy.model_patcher
import comfy.supported_models
import torch

FLUX = {"image_model": "flux", "in_channels": 16, "out_channels": 16, "vec_in_dim": 768, "context_in_dim": 4096,
        "hidden_size": 128, "mlp_ratio": 2.0, "num_heads": 1, "depth": 2, "depth_single_blocks": 2,
        "axes_dim": [16, 56, 56], "theta": 10000, "patch_size": 2, "qkv_bias": True, "guidance_embed": True,
        "txt_ids_dims": []}  # fmt: skip
KLEIN = {**FLUX, "image_model": "flux2", "in_channels": 128, "out_channels": 128, "vec_in_dim": None,
         "context_in_dim": 7680, "axes_dim": [32, 32, 32, 32], "theta": 2000, "patch_size": 1, "qkv_bias": False,
         "guidance_embed": False, "txt_ids_dims": [3], "global_modulation": True, "mlp_silu_act": True,
         "ops_bias": False}  # fmt: skip
UNGUIDED = {key: value for key, value in FLUX.items() if key != "guidance_embed"}
CHROMA = {**UNGUIDED, "image_model": "chroma", "in_channels": 64, "out_channels": 64, "in_dim": 64, "out_dim": 128,
          "hidden_dim": 64, "n_layers": 2}  # fmt: skip
SDXL = {"image_size": 32, "in_channels": 4, "out_channels": 4, "model_channels": 32, "num_res_blocks": [1, 1],
        "channel_mult": [1, 2], "transformer_depth": [0, 1], "transformer_depth_output": [0, 0, 1, 1],
        "transformer_depth_middle": 1, "context_dim": 2048, "adm_in_channels": 2816, "num_classes": "sequential",
        "use_linear_in_transformer": True, "use_spatial_transformer": True, "legacy": False, "num_head_channels": 32,
        "use_temporal_attention": False}  # fmt: skip
Z_IMAGE = {"image_model": "lumina2", "patch_size": 2, "in_channels": 16, "dim": 256, "cap_feat_dim": 2560,
           "n_layers": 2, "qk_norm": True, "n_heads": 4, "n_kv_heads": 4, "axes_dims": [16, 24, 24],
           "axes_lens": [1536, 512, 512], "rope_theta": 256.0, "ffn_dim_multiplier": 8 / 3, "z_image_modulation": True,
           "time_scale": 1000.0, "pad_tokens_multiple": 32}  # fmt: skip
QWEN = {"image_model": "qwen_image", "in_channels": 64, "num_layers": 2, "num_attention_heads": 1}
KREA = {"image_model": "krea2", "features": 128, "heads": 1, "kvheads": 1, "layers": 2, "multiplier": 1,
        "txtlayers": 480, "txtdim": 64, "txtheads": 1, "txtkvheads": 1}  # 12 × 2560 columns all the same  # fmt: skip

KINDS = {
    "flux": (comfy.supported_models.Flux, FLUX),
    "chroma": (comfy.supported_models.Chroma, CHROMA),
    "sdxl": (comfy.supported_models.SDXL, SDXL),
    "z-image": (comfy.supported_models.ZImage, Z_IMAGE),
    "qwen-image": (comfy.supported_models.QwenImage, QWEN),
    "krea-2": (comfy.supported_models.Krea2, KREA),
    "klein-4b": (comfy.supported_models.Flux2, KLEIN),
}
"""Family of the text → the model's class in ComfyUI's table, and its configuration."""


def build(name, seed=0):
    """Return a MODEL with random weights, on the CPU, that computes in float32."""
    kind, values = KINDS[name]
    config, device = kind(dict(values)), torch.device("cpu")
    config.set_inference_dtype(torch.float32, None)
    model = config.get_model({}, device=device)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for key, weight in model.diffusion_model.named_parameters():
            if "norm" in key and weight.ndim == 1:
                weight.fill_(float(not key.endswith("bias")))
            else:
                weight.normal_(0, weight[0].numel() ** -0.5 if weight.ndim > 1 else 0.02, generator=generator)
    return comfy.model_patcher.CoreModelPatcher(model, load_device=device, offload_device=device)
