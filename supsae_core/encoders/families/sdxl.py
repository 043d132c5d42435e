"""SDXL and what was trained from it (Illustrious, Pony): CLIP-L beside CLIP-G in chunks of 77, pooled of CLIP-G."""

from ..base import Encoder, Family, Pooled
from ..chunked import Chunked

FAMILY = Family(
    "sdxl",
    2048,
    (Encoder("clip_l", "clip", Chunked(77), 0, 768), Encoder("clip_g", "clip", Chunked(77), 768, 2048)),
    (Pooled(0, 1280, "clip_g"),),
    title="SDXL, Illustrious and Pony",
    loader="Load Checkpoint, or DualCLIPLoader, type sdxl",
    comfyui={"clip_l": "l", "clip_g": "g"},
)
