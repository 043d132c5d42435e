"""Qwen-Image: Qwen2.5-VL-7B's last rows; ComfyUI cuts the template before the prompt off, what follows stays."""

from ..base import Encoder, Family
from ..templated import Templated

FAMILY = Family(
    "qwen-image",
    3584,
    (Encoder("qwen25_7b", "qwen", Templated(0, 5), 0, 3584),),
    weighted=False,
    title="Qwen-Image",
    loader="CLIPLoader, type qwen_image",
    comfyui={"qwen25_7b": "qwen25_7b"},
    empty={"qwen25_7b": 39},
)
