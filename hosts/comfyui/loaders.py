"""Whose text encoders ComfyUI's loaders load, told by the node and its ``type`` alone, before anything runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...supsae_core.encoders.base import Family
from ...supsae_core.encoders.families import FAMILIES

UNTYPED = ""
"""The type of a loader that has none."""

CHECKPOINT = "CheckpointLoaderSimple"
CHECKPOINTS: dict[str, str] = {
    "SD3": "sd3",
    **dict.fromkeys(("SDXL", "SDXL_instructpix2pix", "SSD1B", "KOALA_700M", "KOALA_1B", "Segmind_Vega"), "sdxl"),
    "Flux": "flux",
    "FluxInpaint": "flux",
    "FluxSchnell": "flux",
    "Chroma": "chroma",
    "ChromaRadiance": "chroma",
    "PixArtAlpha": "chroma",
    "PixArtSigma": "chroma",
    "ZImage": "z-image",
    "QwenImage": "qwen-image",
    "Krea2": "krea-2",
}
"""Class of a checkpoint's model, of ``comfy.supported_models`` → the family of the encoders in it."""
UNSURE = ("Flux2", "ZImagePixelSpace")
"""Classes that may hold encoders of several families."""

LOADERS: dict[str, dict[str, tuple[str, ...]]] = {
    "SupSAE_LoadPortraitsCLIP": {UNTYPED: ("portraits",)},
    CHECKPOINT: {UNTYPED: tuple(dict.fromkeys(CHECKPOINTS.values()))},
    "TripleCLIPLoader": {UNTYPED: ("sd3",)},
    "QuadrupleCLIPLoader": {UNTYPED: ()},
    "DualCLIPLoader": {
        "sd3": ("sd3",),
        "flux": ("flux",),
        "sdxl": ("sdxl",),
        **dict.fromkeys(("hunyuan_video", "hidream", "hunyuan_image", "hunyuan_video_15", "kandinsky5"), ()),
        **dict.fromkeys(("kandinsky5_image", "ltxv", "newbie", "ace"), ()),
    },
    "CLIPLoader": {
        "sd3": ("sd3",),
        "chroma": ("chroma",),
        "pixart": ("chroma",),
        "lumina2": ("z-image",),
        "qwen_image": ("qwen-image",),
        "flux2": ("klein-4b", "klein-9b"),
        "krea2": ("krea-2",),
        **dict.fromkeys(("stable_diffusion", "stable_cascade", "stable_audio", "mochi", "ltxv", "cosmos", "wan"), ()),
        **dict.fromkeys(("hidream", "ace", "omnigen2", "hunyuan_image", "ovis", "longcat_image", "cogvideox"), ()),
        **dict.fromkeys(("lens", "pixeldit", "ideogram4", "boogu", "joyimage", "mage", "minimax"), ()),
    },
}
"""Node → its type → the families that it is set for; what is not listed is not known. As in ComfyUI 0.33."""

ANY = "any other"
"""Every type that a kind of file is not listed with."""

BY_FILE: dict[str, dict[str, str | None]] = {
    "CLIP_L": {"sd3": "sd3"},
    "CLIP_G": {"sd3": "sd3"},
    "T5_XXL": {"sd3": "sd3", "chroma": "chroma", "pixart": "chroma"},
    "QWEN3_4B": {"flux2": "klein-4b", ANY: "z-image"},
    "QWEN3_8B": {"ideogram4": None, ANY: "klein-9b"},
    "QWEN25_7B": {"hunyuan_image": None, "longcat_image": None, ANY: "qwen-image"},
    "QWEN3VL_4B": {"flux2": "klein-4b", "krea2": "krea-2"},
    "QWEN3VL_8B": {"flux2": "klein-9b"},
}
"""Kind of a file, a ``TEModel`` of ``comfy/sd.py``, → CLIPLoader's type → the family whose encoder that becomes."""


def may_load(node: str, kind: str) -> tuple[str, ...]:
    """Return every family that a loader of this type loads, given its files; those that it is set for come first."""
    usual = LOADERS[node][kind]
    if node != "CLIPLoader":
        return usual
    found = (family_by_file(model, kind) for model in BY_FILE)
    return tuple(dict.fromkeys([*usual, *(name for name in found if name is not None)]))


def family_by_file(model: str, kind: str) -> str | None:
    """Return the family that CLIPLoader of this type makes of a kind of file; None if it is none that is known."""
    kinds = BY_FILE.get(model, {})
    return kinds[kind] if kind in kinds else kinds.get(ANY)


def family_by_checkpoint(model: str) -> list[str] | None:
    """Return the family of the encoders in a checkpoint of a class: one, or none that is known; None where unsure."""
    if model in UNSURE:
        return None
    return [CHECKPOINTS[model]] if model in CHECKPOINTS else []


def described_loaders() -> dict[str, Any]:
    """Return the table as plain JSON.

    Returns:
        ``{"loaders": {node: {type: {"usual": [name], "may": [name]}}}, "titles": {name: title}}``.
    """
    return {"loaders": dict(_described()), "titles": {name: title_of(family) for name, family in FAMILIES.items()}}


def _described() -> Iterator[tuple[str, dict[str, Any]]]:
    for node, kinds in LOADERS.items():
        yield node, {kind: {"usual": kinds[kind], "may": may_load(node, kind)} for kind in kinds}


def title_of(family: Family) -> str:
    """Return what people call a family's models; its name where nobody said."""
    return family.title or family.name
