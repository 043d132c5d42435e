"""The model families whose text is known, a file each; ``stored.py`` writes a family of one's own into files."""

from ..base import Family
from . import chroma, flux, klein, krea, minilm, portraits, qwen_image, sd3, sdxl, z_image

FAMILIES: dict[str, Family] = {
    "portraits": portraits.FAMILY,
    "sd3": sd3.COMFYUI,
    "sd3-diffusers": sd3.DIFFUSERS,
    "flux": flux.FAMILY,
    "sdxl": sdxl.FAMILY,
    "chroma": chroma.FAMILY,
    "z-image": z_image.FAMILY,
    "qwen-image": qwen_image.FAMILY,
    "klein-4b": klein.SMALL,
    "klein-9b": klein.LARGE,
    "krea-2": krea.FAMILY,
    "minilm": minilm.FAMILY,
}
"""Name of a family → how its text lies in a conditioning."""
