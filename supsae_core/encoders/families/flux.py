"""FLUX.1: T5-XXL alone makes the rows; CLIP-L makes the pooled vector and no row."""

from ..base import Encoder, Family, Pooled
from ..padded import Padded

FAMILY = Family(
    "flux",
    4096,
    (Encoder("t5xxl", "t5", Padded(256), 0, 4096),),
    (Pooled(0, 768),),
    title="FLUX.1",
    setting="ComfyUI: the default, 256 rows at least",
    loader="DualCLIPLoader, type flux",
    comfyui={"t5xxl": "t5xxl", "clip_l": "l"},
)
