"""The embedded Portraits model: SD3's layout in small."""

from ..base import Encoder, Family, Pooled
from ..chunked import Chunked
from ..padded import Padded

FAMILY = Family(
    "portraits",
    192,
    (Encoder("clip", "clip", Chunked(48), 0, 128), Encoder("t5", "t5", Padded(48), 0, 192)),
    (Pooled(0, 128, "clip"),),
    title="Portraits",
    loader="Load Portraits CLIP",
    comfyui={"clip": "clip", "t5": "t5"},
)
