"""What a layer of the models takes that reading and editing stand beside: random weights, at the models' real widths.

T5-XXL has 4.7 billion numbers, so one layer of it is measured, and one block of SD3.5 medium, for a picture of 1024 ×
1024; ``scale.py`` takes either times their number.
"""

import time
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

LAYERS = {"t5": 24, "block": 24}
"""What is measured → how many of it the model has."""
T5_ROWS, TEXT_ROWS, PICTURE_ROWS = 256, 333, 4096
"""Rows that T5 reads; rows of text and of picture that a block hears."""
RUNS = 3


def t5(dtype: torch.dtype) -> tuple[nn.Module, tuple[Tensor, ...]]:
    """Return a layer of T5-XXL's encoder and what it is given."""
    from transformers import T5Config
    from transformers.models.t5.modeling_t5 import T5LayerFF, T5LayerSelfAttention

    config = T5Config(d_model=4096, d_kv=64, num_heads=64, d_ff=10240, feed_forward_proj="gated-gelu", dropout_rate=0.0)

    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention, self.ahead = T5LayerSelfAttention(config, True, 0), T5LayerFF(config)

        def forward(self, x: Tensor) -> Tensor:
            return self.ahead(self.attention(x)[0])

    return Layer().to(dtype).eval(), (torch.randn(1, T5_ROWS, 4096, dtype=dtype),)


def block(dtype: torch.dtype) -> tuple[nn.Module, tuple[Tensor, ...]]:
    """Return a block of SD3.5 medium and what it is given; of its 24, 13 have a second attention, as this one."""
    from diffusers.models.attention import JointTransformerBlock

    made = JointTransformerBlock(1536, 24, 64, qk_norm="rms_norm", use_dual_attention=True).to(dtype).eval()
    shapes = (1, PICTURE_ROWS, 1536), (1, TEXT_ROWS, 1536), (1, 1536)
    return made, tuple(torch.randn(*shape, dtype=dtype) for shape in shapes)


MADE = {"t5": t5, "block": block}


def layers(asked: dict[str, Any]) -> dict[str, Any]:
    """Return the CPU seconds of one layer, the median of a few runs, and of as many as the model has."""
    kind = asked["layer"]
    model, given = MADE[kind](getattr(torch, asked["dtype"]))
    took = []
    with torch.inference_mode():
        for _ in range(RUNS + 1):
            began = time.process_time()
            model(*given)
            took.append(time.process_time() - began)
    one = median(took[1:])
    return {"one": round(one, 3), "all": round(LAYERS[kind] * one, 2)}
