"""What differs from family to family in the templates that learn and edit: files, loaders, how a picture is drawn.

Files, samplers and sizes are those of ComfyUI's own templates (``comfyui_workflow_templates`` 0.11); the type of a text
encoder's loader is that of ``hosts/comfyui/loaders.py``.
"""

from __future__ import annotations

from typing import NamedTuple

from supsae.hosts.comfyui.loaders import LOADERS

HUGGING_FACE = "https://huggingface.co/"


class File(NamedTuple):
    """A file that a loader names."""

    folder: str
    """below models/"""
    at: str
    """repository and path on huggingface.co, with what lies between them"""

    @property
    def name(self) -> str:
        return self.at.rpartition("/")[2]

    @property
    def url(self) -> str:
        return HUGGING_FACE + self.at

    @property
    def repository(self) -> str:
        return "/".join(self.at.split("/")[:2])


class Sampling(NamedTuple):
    """How one picture is drawn."""

    steps: int
    cfg: float
    sampler: str
    scheduler: str
    """of KSampler; empty: Flux2Scheduler's, by a sampler of several nodes"""


class Recipe(NamedTuple):
    """One template."""

    family: str
    """a key of FAMILIES"""
    title: str
    number: int
    """of its first node; a hundred are its own"""
    model: File
    """a diffusion model, or a checkpoint that holds everything"""
    encoders: tuple[File, ...]
    vae: File | None
    sampling: Sampling
    latent: str
    """the node that makes an empty one"""
    shift: float | None = None
    """of ModelSamplingAuraFlow, None where there is no such node"""
    side: int = 1024
    """pixels"""
    remarks: tuple[str, ...] = ()
    """of its note, a line each"""
    whole: bool = True
    """whether ComfyUI's own encoder classes were learnt and edited all the way, with random weights"""
    lock: bool = True
    """whether the Lock was tried with ComfyUI's own model class"""

    @property
    def name(self) -> str:
        return f"{self.title} - learn and edit"

    @property
    def slug(self) -> str:
        return self.title.lower().replace(".", "").replace(" ", "_").replace("-", "_")

    @property
    def loader(self) -> str:
        """Return the node that loads the text encoders."""
        return {0: "CheckpointLoaderSimple", 1: "CLIPLoader", 2: "DualCLIPLoader"}[len(self.encoders)]

    @property
    def kind(self) -> str:
        """Return the type that this node is set to."""
        return next(kind for kind, families in LOADERS[self.loader].items() if self.family in families)

    @property
    def files(self) -> tuple[File, ...]:
        return (self.model, *self.encoders, *([self.vae] if self.vae else []))


MODELS, ENCODERS, VAES = "diffusion_models", "text_encoders", "vae"
_FLUX_TEXT = "comfyanonymous/flux_text_encoders/resolve/main/"
_KLEIN = "Comfy-Org/flux2-klein/resolve/main/split_files/"
_KREA = "Comfy-Org/Krea-2/resolve/main/"
_QWEN = "Comfy-Org/Qwen-Image_ComfyUI/resolve/main/split_files/"
_Z_IMAGE = "Comfy-Org/z_image_turbo/resolve/main/split_files/"
FLUX_VAE = File(VAES, "Comfy-Org/Lumina_Image_2.0_Repackaged/resolve/main/split_files/vae/ae.safetensors")
IGNORES_WEIGHTS = "Prompt weights such as `(red hair:1.3)` are text to this encoder: use the sliders."

RECIPES = (
    Recipe(
        "flux", "FLUX.1", 1000,
        File(MODELS, "Comfy-Org/flux1-dev/resolve/main/flux1-dev.safetensors"),
        (File(ENCODERS, _FLUX_TEXT + "clip_l.safetensors"), File(ENCODERS, _FLUX_TEXT + "t5xxl_fp16.safetensors")),
        FLUX_VAE, Sampling(20, 1.0, "euler", "simple"), "EmptySD3LatentImage",
    ),
    Recipe(
        "sdxl", "SDXL", 1100,
        File("checkpoints", "stabilityai/stable-diffusion-xl-base-1.0/resolve/main/sd_xl_base_1.0.safetensors"),
        (), None, Sampling(25, 8.0, "euler", "normal"), "EmptyLatentImage",
        remarks=("Illustrious and Pony have the same encoders in other weights: choose their checkpoint, give "
                 "**Capture** another `name`, and write phrases as their prompts have them.",),
    ),
    Recipe(
        "chroma", "Chroma", 1200,
        File(MODELS, "Comfy-Org/Chroma1-HD_repackaged/resolve/main/split_files/diffusion_models/"
                     "Chroma1-HD-fp8mixed.safetensors"),
        (File(ENCODERS, _FLUX_TEXT + "t5xxl_fp8_e4m3fn_scaled.safetensors"),),
        FLUX_VAE, Sampling(26, 3.5, "euler", "beta"), "EmptySD3LatentImage", shift=1.0,
        remarks=("*T5TokenizerOptions* must stay out of the wires to the prompts: it makes other rows.",),
    ),
    Recipe(
        "z-image", "Z-Image", 1300,
        File(MODELS, _Z_IMAGE + "diffusion_models/z_image_turbo_bf16.safetensors"),
        (File(ENCODERS, _Z_IMAGE + "text_encoders/qwen_3_4b.safetensors"),),
        File(VAES, _Z_IMAGE + "vae/ae.safetensors"), Sampling(8, 1.0, "res_multistep", "simple"),
        "EmptySD3LatentImage", shift=3.0, remarks=(IGNORES_WEIGHTS,),
    ),
    Recipe(
        "qwen-image", "Qwen-Image", 1400,
        File(MODELS, _QWEN + "diffusion_models/qwen_image_2512_fp8_e4m3fn.safetensors"),
        (File(ENCODERS, _QWEN + "text_encoders/qwen_2.5_vl_7b_fp8_scaled.safetensors"),),
        File(VAES, _QWEN + "vae/qwen_image_vae.safetensors"), Sampling(50, 4.0, "euler", "simple"),
        "EmptySD3LatentImage", shift=3.1, side=1328, remarks=(IGNORES_WEIGHTS,),
    ),
    Recipe(
        "klein-4b", "FLUX.2 Klein 4B", 1500,
        File(MODELS, _KLEIN + "diffusion_models/flux-2-klein-4b.safetensors"),
        (File(ENCODERS, _KLEIN + "text_encoders/qwen_3_4b.safetensors"),),
        File(VAES, "Comfy-Org/flux2-dev/resolve/main/split_files/vae/flux2-vae.safetensors"),
        Sampling(4, 1.0, "euler", ""), "EmptyFlux2LatentImage", remarks=(IGNORES_WEIGHTS,),
    ),
    Recipe(
        "klein-9b", "FLUX.2 Klein 9B", 1600,
        File(MODELS, "black-forest-labs/FLUX.2-klein-9b-fp8/resolve/main/flux-2-klein-9b-fp8.safetensors"),
        (File(ENCODERS, "Comfy-Org/flux2-klein-9B/resolve/main/split_files/text_encoders/"
                        "qwen_3_8b_fp8mixed.safetensors"),),
        File(VAES, "black-forest-labs/FLUX.2-small-decoder/resolve/main/full_encoder_small_decoder.safetensors"),
        Sampling(4, 1.0, "euler", ""), "EmptyFlux2LatentImage", remarks=(IGNORES_WEIGHTS,), whole=False, lock=False,
    ),
    Recipe(
        "krea-2", "Krea 2", 1700,
        File(MODELS, _KREA + "diffusion_models/krea2_turbo_fp8_scaled.safetensors"),
        (File(ENCODERS, _KREA + "text_encoders/qwen3vl_4b_fp8_scaled.safetensors"),),
        File(VAES, _KREA + "vae/qwen_image_vae.safetensors"), Sampling(8, 1.0, "euler", "simple"),
        "EmptyLatentImage", remarks=(IGNORES_WEIGHTS,), lock=False,
    ),
)  # fmt: skip
