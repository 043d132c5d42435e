"""ComfyUI's CLIP as a text host, and what is known of the families of text encoders behind that socket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import comfy.model_management
import comfy.sd
import comfy.text_encoders.sd3_clip
import torch
from torch import Tensor

from ...portraits import captions
from ...supsae_core.encoders.slots import FORMATS, TextFormat
from ...supsae_core.table.prompts import PLAIN, Wording


class Family(NamedTuple):
    """What is known of a family of text encoders behind a CLIP socket."""

    keys: Mapping[str, str]
    """encoder name of the text format → key in what ``clip.tokenize`` returns"""
    wording: Wording
    """how prompts for it are worded"""


FAMILIES: dict[str, Family] = {
    "portraits": Family({"clip": "clip", "t5": "t5"}, captions.WORDING),
    "sd3": Family({"clip_l": "l", "clip_g": "g", "t5xxl": "t5xxl"}, PLAIN),
}
"""Name of the text format → family."""


class ComfyText:
    """ComfyUI's CLIP as a ``training.host.TextHost``."""

    def __init__(self, clip: comfy.sd.CLIP) -> None:
        self._clip = clip
        name = _family(clip)
        self.format: TextFormat = FORMATS[name]
        self.wording = FAMILIES[name].wording
        self._keys = FAMILIES[name].keys
        self._known: dict[str, dict[str, int]] = {}

    def counts(self, words: Sequence[str]) -> dict[str, tuple[int, ...]]:
        """Each word is tokenised alone; sd35_text: equal to the whole prompt in all tokenizers."""
        found = [self._count(word) for word in words]
        return {name: tuple(one[name] for one in found) for name in self._keys}

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> tuple[list[Tensor], list[Tensor]]:
        """Encode text by text, so that a prompt's rows do not depend on its neighbours' length."""
        conds, pooled = [], []
        for one in texts:
            comfy.model_management.throw_exception_if_processing_interrupted()
            cond, vector = self._clip.encode_from_tokens(self._clip.tokenize(_plain(one)), return_pooled=True)
            conds.append(cond[0].float().cpu())
            pooled.append(vector[0].float().cpu())
        return conds, pooled

    def _count(self, word: str) -> dict[str, int]:
        if word not in self._known:
            tokens = self._clip.tokenize(_plain(word), return_word_ids=True)  # word id 0: start, end and pads
            self._known[word] = {
                name: sum(token[2] != 0 for chunk in tokens[key] for token in chunk) for name, key in self._keys.items()
            }
        return self._known[word]


def _plain(prompt: str) -> str:
    """Brackets as they are written: a phrase's own must not weight it."""
    return prompt.replace("(", "\\(").replace(")", "\\)")


def _family(clip: comfy.sd.CLIP) -> str:
    keys = set(clip.tokenize(""))
    name = next((name for name, family in FAMILIES.items() if set(family.keys.values()) == keys), None)
    if name is None:
        raise ValueError(
            f"This CLIP has the text encoders {', '.join(sorted(keys))}, which SupSAE does not know. Use Load "
            "Portraits CLIP, or SD3.5's three text encoders (TripleCLIPLoader)."
        )
    missing = [one for one in FAMILIES[name].keys if getattr(clip.cond_stage_model, one, None) is None]
    if missing:
        raise ValueError(f"This CLIP lacks the text encoder {', '.join(missing)}. Load all three (TripleCLIPLoader).")
    return name


def sd3_tokenizer() -> Any:
    """Read SD3's three tokenizers, which ship with ComfyUI."""
    return comfy.text_encoders.sd3_clip.SD3Tokenizer()
