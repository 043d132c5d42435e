"""The model families whose text is known, a file each; ``file.py`` writes a family of one's own into files."""

from ..base import Family
from . import minilm, portraits, sd3

FAMILIES: dict[str, Family] = {
    "portraits": portraits.FAMILY,
    "sd3": sd3.COMFYUI,
    "sd3-diffusers": sd3.DIFFUSERS,
    "minilm": minilm.FAMILY,
}
"""Name of a family → how its text lies in a conditioning."""
