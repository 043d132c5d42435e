"""Z-Image: Qwen3-4B, the layer before its last, with the template around the prompt."""

from ..base import Encoder, Family
from ..templated import Templated

FAMILY = Family(
    "z-image",
    2560,
    (Encoder("qwen3_4b", "qwen", Templated(3, 5), 0, 2560),),
    weighted=False,
    title="Z-Image",
    loader="CLIPLoader, type lumina2",
    comfyui={"qwen3_4b": "qwen3_4b"},
    empty={"qwen3_4b": 8},
)
