"""Chroma and PixArt: T5-XXL without pads, and no pooled vector."""

from ..base import Encoder, Family
from ..padded import Padded

FAMILY = Family(
    "chroma",
    4096,
    (Encoder("t5xxl", "t5", Padded(), 0, 4096),),
    # ComfyUI weighs words about the rows of as many pads, which no conditioning holds.
    weighted=False,
    title="Chroma and PixArt",
    setting="ComfyUI: the default, no pads",
    loader="CLIPLoader, type chroma",
    comfyui={"t5xxl": "t5xxl"},
    empty={"t5xxl": 1},
)
