"""The door to CLIP in transformers: pictures and texts as directions in one space, from a folder that a user names."""

# transformers wraps what every model has, and declares sub-configurations as dictionaries.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportOptionalMemberAccess=false

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from transformers import AutoTokenizer, CLIPModel

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""Colours of OpenAI's training pictures; a folder's ``preprocessor_config.json`` may say others."""
BATCH = 16


class Clip:
    """A CLIP model; nothing is downloaded."""

    def __init__(self, folder: Path | str) -> None:
        """Load a folder as ``save_pretrained`` writes it, onto the GPU if there is one.

        Raises:
            ValueError: if it holds no CLIP model with its tokenizer.
        """
        folder = Path(folder)
        kind = _json(folder / "config.json").get("model_type")
        if kind != "clip":
            raise ValueError(
                f"{folder} holds {f'a model of the type {kind!r}' if kind else 'no model'}; expected a CLIP model in "
                "transformers' layout: a folder with config.json, model.safetensors and the tokenizer's files."
            )
        try:
            model = CLIPModel.from_pretrained(folder, local_files_only=True, use_safetensors=True)
            self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError) as error:
            raise ValueError(f"The CLIP model in {folder} cannot be loaded: {error}") from error
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._model = model.float().eval().requires_grad_(False).to(self.device)
        said = _json(folder / "preprocessor_config.json")
        self._mean, self._std = (
            torch.tensor(said.get(name, own)) for name, own in (("image_mean", MEAN), ("image_std", STD))
        )

    @torch.inference_mode()
    def pictures(self, pictures: Sequence[np.ndarray]) -> Tensor:
        """Return the directions (n, d) of pictures (h, w, 3) of bytes, on the CPU."""
        side = self._model.config.vision_config.image_size
        found = []
        for start in range(0, len(pictures), BATCH):
            pixels = torch.stack([self.pixels(one, side) for one in pictures[start : start + BATCH]]).to(self.device)
            found.append(self._model.visual_projection(self._model.vision_model(pixel_values=pixels).pooler_output))
        return F.normalize(torch.cat(found), dim=1).cpu()

    def pixels(self, picture: np.ndarray, side: int) -> Tensor:
        """Return what the model looks at, (3, side, side): the middle square, resized as CLIP's pictures are."""
        height, width = picture.shape[:2]
        small = min(height, width)
        size = (side * width // small, side * height // small)
        resized = torch.from_numpy(np.array(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC)))
        top, left = (size[1] - side) // 2, (size[0] - side) // 2
        square = resized[top : top + side, left : left + side].float() / 255
        return rearrange((square - self._mean) / self._std, "y x c -> c y x")

    @torch.inference_mode()
    def texts(self, texts: Sequence[str]) -> Tensor:
        """Return the directions (n, d) of texts, on the CPU; what is beyond the model's length is cut off."""
        length = self._model.config.text_config.max_position_embeddings
        tokens = self._tokenizer(list(texts), padding=True, truncation=True, max_length=length, return_tensors="pt")
        made = self._model.text_model(
            input_ids=tokens.input_ids.to(self.device), attention_mask=tokens.attention_mask.to(self.device)
        )
        return F.normalize(self._model.text_projection(made.pooler_output), dim=1).cpu()


def _json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
