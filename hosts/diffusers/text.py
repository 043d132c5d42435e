"""The door to SD3 and SD3.5 in diffusers' folder layout: their text encoders as a text host, and whole pipelines."""

# diffusers' lazy package marks no name as exported, and declares its own components as unknown.
# pyright: reportPrivateImportUsage=false

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusion3Pipeline
from torch import Tensor

from ...supsae_core.encoders.families import FAMILIES
from .precision import multiplies_in_bfloat16


def load_pipeline(folder: Path | str, *, text_only: bool = False) -> StableDiffusion3Pipeline:
    """Load a pipeline as ``save_pretrained`` writes it, onto the GPU if there is one.

    In bfloat16 there, and on a CPU that multiplies in it if the weights are stored in half precision; else in float32.
    Nothing is downloaded. Without transformer and auto-encoder (``text_only``) it takes far less memory.

    Raises:
        ValueError: if the folder holds no such pipeline.
    """
    kind = _kind(Path(folder))
    if kind != "StableDiffusion3Pipeline":
        raise ValueError(
            f"{folder} holds {kind or 'no diffusers pipeline'}; expected a StableDiffusion3Pipeline, the folder that "
            "model_index.json lies in."
        )
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    halved = device.type != "cpu" or (_is_stored_in_half(Path(folder)) and multiplies_in_bfloat16())
    dtype = torch.bfloat16 if halved else torch.float32
    left_out: dict[str, Any] = {"transformer": None, "vae": None} if text_only else {}
    try:
        pipeline = StableDiffusion3Pipeline.from_pretrained(
            folder,
            dtype=dtype,
            local_files_only=True,
            use_safetensors=True,
            **left_out,
        )
    except (OSError, ValueError) as error:
        raise ValueError(f"The pipeline in {folder} cannot be loaded: {error}") from error
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(device)


def _kind(folder: Path) -> str:
    try:
        return str(json.loads((folder / "model_index.json").read_text(encoding="utf-8"))["_class_name"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _is_stored_in_half(folder: Path) -> bool:
    try:
        config = json.loads((folder / "text_encoder" / "config.json").read_text(encoding="utf-8"))
        return (config.get("dtype") or config.get("torch_dtype")) in ("float16", "bfloat16")
    except (OSError, ValueError, AttributeError):
        return False


class DiffusersText:
    """A pipeline's text encoders as a ``host.TextHost``: 77 rows of CLIP, 256 of T5."""

    family = FAMILIES["sd3-diffusers"]

    def __init__(self, pipeline: StableDiffusion3Pipeline) -> None:
        """Take a loaded pipeline.

        Raises:
            ValueError: if it lacks one of the three encoders.
        """
        self.pipeline = pipeline
        ends = self.family.diffusers
        self._tokenizers = {name: getattr(pipeline, f"tokenizer{end}") for name, end in ends.items()}
        missing = [name for name, end in ends.items() if getattr(pipeline, f"text_encoder{end}") is None]
        if missing:
            raise ValueError(f"This pipeline lacks the text encoder {', '.join(missing)}. Load all three.")

    def counts(self, words: Sequence[str]) -> dict[str, tuple[int, ...]]:
        """Each word is tokenised alone; measured equal to the whole prompt in all three tokenizers."""
        if not words:
            return dict.fromkeys(self._tokenizers, ())
        spelled = {name: one(list(words), add_special_tokens=False) for name, one in self._tokenizers.items()}
        return {name: tuple(map(len, tokens.input_ids)) for name, tokens in spelled.items()}

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> tuple[list[Tensor], list[Tensor]]:
        """Encode a batch; every text has as many rows, so that none depends on its neighbours.

        Raises:
            ValueError: if a text is longer than an encoder's rows, where diffusers would cut it.
        """
        for text in texts:
            self.family.require_room({name: sum(counts) for name, counts in self.counts(text.split()).items()}, text)
        made = self.pipeline.encode_prompt(
            list(texts),
            list(texts),
            list(texts),
            do_classifier_free_guidance=False,
            max_sequence_length=self.family.encoder("t5xxl").layout.length(0),
        )
        cond, _, pooled, _ = made
        assert cond is not None and pooled is not None
        return list(cond.float().cpu()), list(pooled.float().cpu())

    def negative(self, cond: Tensor) -> tuple[Tensor, Tensor]:
        """Return the empty prompt (1, L, width) and (1, P), which has as many rows as every other."""
        conds, pooled = self.encode([""])
        return conds[0][None], pooled[0][None]
