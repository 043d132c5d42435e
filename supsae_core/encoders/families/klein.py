"""FLUX.2 Klein: three layers of Qwen3 side by side, padded at the right to 512 rows, which a mask tells of."""

from ..base import Encoder, Family
from ..templated import Templated


def _family(name: str, title: str, encoder: str, width: int) -> Family:
    return Family(
        name,
        width,
        (Encoder(encoder, "qwen", Templated(3, 9, 512, masked=True), 0, width),),
        weighted=False,
        title=title,
        setting="ComfyUI: the default, 512 rows at least",
        loader="CLIPLoader, type flux2",
        comfyui={encoder: encoder},
        empty={encoder: 512},
    )


SMALL = _family("klein-4b", "FLUX.2 Klein 4B", "qwen3_4b", 3 * 2560)
LARGE = _family("klein-9b", "FLUX.2 Klein 9B", "qwen3_8b", 3 * 4096)
