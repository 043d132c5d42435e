"""Stable Diffusion 3 and 3.5: CLIP-L beside CLIP-G in chunks of 77 rows, T5-XXL behind them."""

from ..base import Encoder, Family, Pooled
from ..chunked import Chunked
from ..padded import Padded

POOLED = (Pooled(0, 768, "clip_l"), Pooled(768, 2048, "clip_g"))


def _encoders(clip: Chunked, t5: Padded) -> tuple[Encoder, ...]:
    return (
        Encoder("clip_l", "clip", clip, 0, 768),
        Encoder("clip_g", "clip", clip, 768, 2048),
        Encoder("t5xxl", "t5", t5, 0, 4096),
    )


COMFYUI = Family(
    "sd3",
    4096,
    _encoders(Chunked(77), Padded(77)),
    POOLED,
    title="Stable Diffusion 3 and 3.5",
    setting="ComfyUI: the default",
    loader="TripleCLIPLoader",
    comfyui={"clip_l": "l", "clip_g": "g", "t5xxl": "t5xxl"},
)
"""As ComfyUI encodes it: longer texts get more chunks, and more rows of T5."""

DIFFUSERS = Family(
    "sd3-diffusers",
    4096,
    _encoders(Chunked(77, cut=True), Padded(256, cut=True)),
    POOLED,
    title="Stable Diffusion 3 and 3.5 in diffusers",
    setting="diffusers: max_sequence_length=256",
    diffusers={"clip_l": "", "clip_g": "_2", "t5xxl": "_3"},
)
"""As diffusers encodes it. Pads are attended in T5, so that another length is another text."""
