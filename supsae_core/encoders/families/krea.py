"""Krea 2: twelve layers of Qwen3-VL-4B side by side; ComfyUI cuts the template before the prompt off."""

from ..base import Encoder, Family
from ..templated import Templated

FAMILY = Family(
    "krea-2",
    12 * 2560,
    (Encoder("qwen3vl_4b", "qwen", Templated(0, 5), 0, 12 * 2560),),
    weighted=False,
    title="Krea 2",
    loader="CLIPLoader, type krea2",
    comfyui={"qwen3vl_4b": "qwen3vl_4b"},
    empty={"qwen3vl_4b": 39},
)
