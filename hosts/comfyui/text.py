"""ComfyUI's CLIP as a text host, and what is known of the families of text encoders behind that socket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import comfy.model_management
import comfy.sd
import comfy.text_encoders.sd3_clip
import torch
from torch import Tensor

from ...portraits import captions
from ...supsae_core.encoders.base import Family
from ...supsae_core.encoders.families import FAMILIES
from ...supsae_core.table.prompts import PLAIN, Wording

WORDINGS: dict[str, Wording] = {"portraits": captions.WORDING}
"""Family → how prompts for it are worded, where not plainly."""


class ComfyText:
    """ComfyUI's CLIP as a ``host.TextHost``."""

    def __init__(self, clip: comfy.sd.CLIP) -> None:
        self._clip = clip
        self.family = family_of(clip)
        self.wording = WORDINGS.get(self.family.name, PLAIN)
        self._keys = self.family.comfyui
        self._known: dict[str, dict[str, int]] = {}

    def counts(self, words: Sequence[str]) -> dict[str, tuple[int, ...]]:
        """Each word is tokenised alone; measured equal to the whole prompt in all three tokenizers."""
        found = [self._count(word) for word in words]
        return {encoder.name: tuple(one[encoder.name] for one in found) for encoder in self.family.encoders}

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> tuple[list[Tensor], list[Tensor]]:
        """Encode text by text, so that a prompt's rows do not depend on its neighbours' length."""
        conds, pooled = [], []
        for one in texts:
            comfy.model_management.throw_exception_if_processing_interrupted()
            cond, vector = self._clip.encode_from_tokens(self._clip.tokenize(plain(one)), return_pooled=True)
            conds.append(cond[0].float().cpu())
            pooled.append(vector[0].float().cpu())
        return conds, pooled

    def _count(self, word: str) -> dict[str, int]:
        if word not in self._known:
            tokens = self._clip.tokenize(plain(word), return_word_ids=True)  # word id 0: start, end and pads
            self._known[word] = {
                name: sum(token[2] != 0 for chunk in tokens[key] for token in chunk) for name, key in self._keys.items()
            }
        return self._known[word]


def plain(prompt: str) -> str:
    """Return a prompt whose brackets are text: a phrase's own must not weight it."""
    return prompt.replace("(", "\\(").replace(")", "\\)")


def family_of(clip: comfy.sd.CLIP) -> Family:
    """Tell a CLIP's family by its tokenizers' keys, and by the empty prompt's length where others have the same keys.

    Raises:
        ValueError: naming the keys, if no family has them; or the encoders that were not loaded.
    """
    empty = {key: sum(map(len, chunks)) for key, chunks in clip.tokenize("").items()}
    family = next((one for one in FAMILIES.values() if _spells(one, empty)), None)
    if family is None:
        raise ValueError(
            f"This CLIP has the text encoders {', '.join(sorted(empty))}, which SupSAE does not know. Use Load "
            "Portraits CLIP, or SD3.5's three text encoders (TripleCLIPLoader)."
        )
    missing = [one for one in family.comfyui if getattr(clip.cond_stage_model, one, None) is None]
    if missing:
        raise ValueError(f"This CLIP lacks the text encoder {', '.join(missing)}. Load all three (TripleCLIPLoader).")
    return family


def _spells(family: Family, empty: Mapping[str, int]) -> bool:
    """Tell whether a family has these keys, and so many tokens of the empty prompt where it says how many."""
    lengths = {family.comfyui[name]: tokens for name, tokens in family.empty.items()}
    return set(family.comfyui.values()) == set(empty) and all(empty[key] == n for key, n in lengths.items())


def sd3_tokenizer() -> Any:
    """Read SD3's three tokenizers, which ship with ComfyUI."""
    return comfy.text_encoders.sd3_clip.SD3Tokenizer()
