"""ComfyUI's CLIP as a text host, and what is known of the families of text encoders behind that socket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import comfy.model_management
import comfy.sd
import torch
from torch import Tensor

from ...portraits import captions
from ...supsae_core.encoders.base import Family
from ...supsae_core.encoders.families import FAMILIES
from ...supsae_core.table.prompts import PLAIN, Wording
from .tokenizers import WordCounts, plain

WORDINGS: dict[str, Wording] = {"portraits": captions.WORDING}
"""Family → how prompts for it are worded, where not plainly."""


class ComfyText:
    """ComfyUI's CLIP as a ``host.TextHost``."""

    def __init__(self, clip: comfy.sd.CLIP) -> None:
        self._clip = clip
        self.family = family_of(clip)
        self.wording = WORDINGS.get(self.family.name, PLAIN)
        self._words = WordCounts(self.family, lambda text: clip.tokenize(text, return_word_ids=True))

    def counts(self, words: Sequence[str]) -> dict[str, tuple[int, ...]]:
        return self._words.of_text(" ".join(words))

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> tuple[list[Tensor], list[Tensor]]:
        """Encode text by text, so that a prompt's rows do not depend on its neighbours' length.

        Raises:
            ValueError: if rows or pooled vector are not as wide as the family's: the encoders serve another model.
        """
        conds, pooled = [], []
        for one in texts:
            comfy.model_management.throw_exception_if_processing_interrupted()
            cond, vector = self._clip.encode_from_tokens(self._clip.tokenize(plain(one)), return_pooled=True)
            conds.append(cond[0].float().cpu())
            pooled.append(vector[0].float().cpu() if self.family.pooled else torch.zeros(0))
            self._require_width(conds[-1].shape[1], len(pooled[-1]))
        return conds, pooled

    def _require_width(self, width: int, pooled: int) -> None:
        wanted = (self.family.width, self.family.pooled_width)
        if (width, pooled) != wanted:
            raise ValueError(
                f"This CLIP makes rows of {width} numbers and a pooled vector of {pooled}; {self.family.title} has "
                f"{wanted[0]} and {wanted[1]}. Its encoders were loaded for another model. Load them with "
                f"{self.family.loader}."
            )


def family_of(clip: comfy.sd.CLIP) -> Family:
    """Tell a CLIP's family by its tokenizers' keys, and by the empty prompt's length where others have the same keys.

    Raises:
        ValueError: naming the keys, if no family has them; or the encoders that were not loaded.
    """
    empty = {key: sum(map(len, chunks)) for key, chunks in clip.tokenize("").items()}
    family = next((one for one in FAMILIES.values() if _spells(one, empty)), None)
    if family is None:
        found = ", ".join(f"{key} ({tokens} tokens for an empty prompt)" for key, tokens in sorted(empty.items()))
        known = "; ".join(f"{one.title} ({one.loader})" for one in FAMILIES.values() if one.loader)
        raise ValueError(f"This CLIP has the text encoders {found}, which SupSAE does not know. It knows: {known}.")
    missing = [one for one in family.comfyui if getattr(clip.cond_stage_model, one, None) is None]
    if missing:
        raise ValueError(
            f"This CLIP lacks the text encoder {', '.join(missing)} of {family.title}. Load all of them with "
            f"{family.loader}."
        )
    return family


def _spells(family: Family, empty: Mapping[str, int]) -> bool:
    """Tell whether a family has these keys, and so many tokens of the empty prompt where it says how many."""
    lengths = {family.comfyui[name]: tokens for name, tokens in family.empty.items()}
    return set(family.comfyui.values()) == set(empty) and all(empty[key] == n for key, n in lengths.items())
